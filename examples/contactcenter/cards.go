package main

import (
	"regexp"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/restricted"
)

// cardGuard keeps the numbers of cards and bank accounts out of what is written about recordings.
//
// Package recording masks free text (marks, reasons) and refuses metadata: a recording whose metadata holds a card would not be made. Nobody must escape being
// recorded by calling himself 4111111111111111, so what strangers choose in the metadata of this program goes through cleanNumber first and is masked there, and
// Check finds nothing. It stays for what somebody adds to the metadata later and forgets to clean.
//
// Caller and called are not free text but numbers that signalling has routed. One in ten telephone numbers of 13 to 15 digits passes the check digit of cards, so a
// number that can be dialed is kept as it is: a recording must be found by its caller. What is longer than a telephone number can be (E.164: 15 digits), or has
// more in it than digits, is looked at like any text.
type cardGuard struct{}

var _ recording.TextGuard = cardGuard{}

// cards looks for cards and accounts alone: names of queues and reasons such as "complaint-12345678901" are not to be taken for a number of somebody's papers.
var cards = restricted.Guard{Scanner: restricted.Scanner{Allow: []restricted.Category{restricted.Identity, restricted.Health}}}

// numberFields are the attributes that hold numbers of callers and called, in conversations and in messages.
var numberFields = map[string]bool{"attribute caller": true, "attribute dialed": true}

// dialable is a number as phones and carriers dial it, of at most the 15 digits of E.164; with the code for abroad in front, two more.
var dialable = regexp.MustCompile(`^(\+[0-9]{1,15}|[0-9]{1,15}|00[0-9]{1,15})$`)

func (cardGuard) Check(field, value string) error {
	if numberFields[field] && dialable.MatchString(value) {
		return nil
	}
	return cards.Check(field, value)
}

func (cardGuard) Mask(text string) (string, error) { return cards.Mask(text) }

// cleanNumber is the user part of an address as it may stand in metadata: a number that can be dialed as it is, anything else masked.
func cleanNumber(user string) string {
	if dialable.MatchString(user) {
		return user
	}
	masked, err := cards.Mask(user)
	if err != nil {
		return ""
	}
	return masked
}
