package codec

import (
	"strings"
	"time"
)

// ToneSet is what callers of one country are used to hear.
type ToneSet struct {
	// Country is the ISO 3166-1 alpha-2 code; empty for the ITU's recommendation.
	Country string
	// Dial invites to dial; Ringback says that the other phone rings; Busy that it is in use; Congestion that no line is free.
	Dial, Ringback, Busy, Congestion CallTone
	// CallWaiting is laid over a conversation when another caller waits.
	CallWaiting CallTone
	// SIT is the special information tone that comes before an announcement of why a call failed.
	SIT CallTone
	// Beep says "speak now": one tone, the same everywhere, and not from the tables of the ITU.
	Beep CallTone
}

// Tones returns the tones of a country by its ISO 3166-1 alpha-2 code, in either case, and whether it is known: US, UK (or GB), DE, FR, IT,
// ES, NL, AT, CH, SE, JP, AU and IN. For any other code they are those that ITU-T E.180 recommends, and false; for the empty code, and true.
//
// The figures follow ITU-T E.180/Q.35 and its Supplement 2 ("Various tones used in national networks"). Where a country lists several, it is the one that
// its public switches use most; where it gives a range of frequencies, one inside it; where it has no tone of a kind, the one that E.180 recommends.
func Tones(country string) (ToneSet, bool) {
	code := strings.ToUpper(country)
	if code == "GB" {
		code = "UK"
	}
	set := ToneSet{
		Dial: steady(425), Ringback: every(425, 1000, 4000), Busy: every(425, 500, 500), Congestion: every(425, 200, 200),
		CallWaiting: every(425, 200, 200, 200, 9000), SIT: sit(950, 1400, 1800), Beep: beep(),
	}
	switch code {
	case "":
		return set, true
	case "US":
		set.Dial, set.Ringback = pair(350, 440), pair(440, 480, 2000, 4000)
		set.Busy, set.Congestion = pair(480, 620, 500, 500), pair(480, 620, 250, 250)
		set.CallWaiting = every(440, 300, 9700)
	case "UK":
		set.Dial, set.Ringback = pair(350, 440), pair(400, 450, 400, 200, 400, 2000)
		set.Busy, set.Congestion = every(400, 375, 375), every(400, 400, 350, 225, 525)
		set.CallWaiting = every(400, 100, 4000)
	case "DE":
		set.Busy, set.Congestion = every(425, 480, 480), every(425, 240, 240)
		set.CallWaiting = every(425, 200, 200, 200, 5000)
	case "FR":
		set.Dial, set.Ringback = steady(440), every(440, 1500, 3500)
		set.Busy, set.Congestion = every(440, 500, 500), every(440, 250, 250)
		set.CallWaiting = every(440, 300, 10000)
	case "IT":
		set.Dial, set.CallWaiting = every(425, 200, 200, 600, 1000), every(425, 400, 100, 250, 100, 150, 14000)
	case "ES":
		set.Ringback, set.Busy = every(425, 1500, 3000), every(425, 200, 200)
		set.Congestion = every(425, 200, 200, 200, 200, 200, 600)
		set.CallWaiting = every(425, 175, 175, 175, 3500)
	case "NL":
		set.Congestion, set.CallWaiting = every(425, 250, 250), every(425, 500, 9500)
	case "AT":
		set.Dial, set.Ringback = steady(420), every(420, 1000, 5000)
		set.Busy, set.Congestion = every(420, 400, 400), every(420, 200, 200)
		set.CallWaiting = every(420, 40, 1960)
		set.SIT = sit(950, 1450, 1850)
	case "CH":
		set.CallWaiting = every(425, 200, 200, 200, 4000)
	case "SE":
		set.Ringback = every(425, 1000, 5000)
		set.Busy, set.Congestion = every(425, 250, 250), every(425, 250, 750)
		set.CallWaiting = every(425, 200, 500, 200, 9100)
	case "JP":
		set.Dial, set.Ringback = steady(400), modulated(400, 16, 1000, 2000)
		set.Busy, set.Congestion = every(400, 500, 500), every(400, 500, 500)
		set.CallWaiting = modulated(400, 16, 500, 8000)
	case "AU":
		set.Dial, set.Ringback = modulated(425, 25), modulated(425, 25, 400, 200, 400, 2000)
		set.Busy, set.Congestion = every(425, 375, 375), every(425, 375, 375)
		set.CallWaiting = every(425, 200, 200, 200, 4400)
	case "IN":
		set.Dial, set.Ringback = modulated(400, 25), modulated(400, 25, 400, 200, 400, 2000)
		set.Busy, set.Congestion = every(400, 750, 750), every(400, 250, 250)
		set.CallWaiting = every(400, 200, 100, 200, 7500)
	default:
		return set, false
	}
	set.Country = code
	return set, true
}

func steady(f int) CallTone { return cadence(TonePart{F1: f}) }

// every makes a tone of one frequency with a cadence in milliseconds: on, off, on, off.
func every(f int, ms ...int) CallTone { return cadence(TonePart{F1: f}, ms...) }

func pair(f1, f2 int, ms ...int) CallTone { return cadence(TonePart{F1: f1, F2: f2}, ms...) }

func modulated(f, by int, ms ...int) CallTone {
	return cadence(TonePart{F1: f, F2: by, Modulated: true}, ms...)
}

func cadence(on TonePart, ms ...int) CallTone {
	if len(ms) == 0 {
		return CallTone{Parts: []TonePart{on}}
	}
	t := CallTone{Parts: make([]TonePart, len(ms))}
	for i, d := range ms {
		if i%2 == 0 {
			t.Parts[i] = on
		}
		t.Parts[i].For = time.Duration(d) * time.Millisecond
	}
	return t
}

// sit is three rising tones of 330 ms and a second of silence (E.180 section 10).
func sit(f ...int) CallTone {
	t := CallTone{}
	for _, v := range f {
		t.Parts = append(t.Parts, TonePart{F1: v, For: 330 * time.Millisecond})
	}
	t.Parts = append(t.Parts, TonePart{For: time.Second})
	return t
}

func beep() CallTone {
	return CallTone{Parts: []TonePart{{F1: 1000, For: 250 * time.Millisecond}}, Once: true}
}
