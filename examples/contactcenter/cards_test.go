package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/restricted"
)

const (
	testCard  = "4111111111111111" // 16 digits with the check digit of a card
	cardPhone = "4930901820005"    // a telephone number of Berlin as 13 digits, with the check digit and the beginning of a card
)

func TestCardsAreMaskedAndTelephoneNumbersAreNot(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"paid with 4111 1111 1111 1111, thanks": "paid with [card], thanks",
		"4111-1111-1111-1111":                   "[card]",
		"378282246310005 12/29":                 "[card] 12/29",
		"call back +" + cardPhone:               "call back +" + cardPhone,
		"complaint 12345678901":                 "complaint 12345678901",
		"4111111111111112":                      "4111111111111112", // no check digit of one
	} {
		got, err := cardGuard{}.Mask(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for user, want := range map[string]string{
		"1009": "1009", "+" + cardPhone: "+" + cardPhone, cardPhone: cardPhone, "00" + cardPhone: "00" + cardPhone, "*91001": "*91001", "anonymous": "anonymous", "": "",
		testCard: "[card]", "card-" + testCard + "-x": "card-[card]-x", "4111 1111 1111 1111": "[card]",
	} {
		got := cleanNumber(user)
		require.Equal(t, want, got)
		for field := range numberFields {
			require.NoError(t, cardGuard{}.Check(field, got), "no caller escapes a recording by a name")
		}
	}
	require.ErrorIs(t, cardGuard{}.Check("attribute note", cardPhone), restricted.ErrFound, "what is no number of a caller is text")
	require.ErrorIs(t, cardGuard{}.Check("attribute caller", testCard), restricted.ErrFound)
}

// A caller whose name is a card's number is recorded, without it; one whose telephone number looks like a card is found by it; and a card in a reason is nowhere.
func TestACardIsInNoMetadata(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) {
		c.Tenants[0].Voicemail = nil // mailboxes have shorter numbers
		c.Tenants[0].FirstStart.Phones = append(c.Tenants[0].FirstStart.Phones, testCard, cardPhone)
		c.Tenants[0].Numbers = c.Tenants[0].Numbers[1:2] // 9001
	})
	w.agent("acme", "1001", 900, nil)
	complete := func() []event {
		return w.find(func(e event) bool { return e.Event == "recording" && e.Cause == "complete" })
	}
	for n, user := range []string{testCard, cardPhone} {
		eventually(t, "the agent is ready", func() bool { st, _ := w.state(0, "1001"); return st == acd.Ready })
		c := w.dial(w.phone("acme", user, nil), "9001")
		eventually(t, "they talk", func() bool { return c.ears.hears(900) })
		c.hangup()
		eventually(t, "recorded", func() bool { return len(complete()) == n+1 })
	}
	admin, err := w.node.sites[0].tenant.Operator(soon(t), "admin")
	require.NoError(t, err)
	log, err := w.dep.auditLog("acme")
	require.NoError(t, err)
	access, err := w.node.sites[0].vault.For(admin, log.As("admin"))
	require.NoError(t, err)
	var callers []string
	for info, err := range access.List(t.Context(), recording.Query{}) {
		require.NoError(t, err)
		callers = append(callers, info.Attributes["caller"])
		require.Equal(t, "9001", info.Attributes["dialed"])
	}
	require.Equal(t, []string{"[card]", cardPhone}, callers)

	file := filepath.Join(t.TempDir(), "call.wav")
	out, code := w.command("recordings", "export", complete()[0].Recording, "-o", file, "--tenant", "acme", "--as", "admin", "--reason", "card 4111 1111 1111 1111 disputed")
	require.Zero(t, code, out)
	for _, path := range []string{file + ".receipt", filepath.Join(w.cfg.Data, "tenants", "acme", "audit.log")} {
		text := readFile(t, path)
		require.Contains(t, text, "card [card] disputed", path)
		require.NotContains(t, text, "4111 1111", path)
	}
}
