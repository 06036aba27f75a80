package media

import (
	"fmt"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
)

// Tone makes a prompt of a sine of freq Hz at a quarter of full scale. The error is NewPrompt's.
func Tone(freq float64, d time.Duration) (*Prompt, error) {
	if d > maxPrompt*time.Second {
		return nil, fmt.Errorf("%w: tone of %v", ErrConfig, d)
	}
	return NewPrompt(codec.Tone(freq, d, 0.25))
}

// ToneSet is what callers of one country are used to hear, as prompts: Loop those that last, and Play the others.
type ToneSet struct {
	// Dial invites to dial; Ringback says that the other phone rings; Busy that it is in use; Congestion that no line is free.
	Dial, Ringback, Busy, Congestion *Prompt
	// CallWaiting says that another caller waits.
	CallWaiting *Prompt
	// SIT comes before an announcement of why a call failed. Beep says "speak now". Both play once.
	SIT, Beep *Prompt
}

// CountryTones makes the tones of a country by its ISO 3166-1 alpha-2 code; see codec.Tones for those that are known. For another code they are the ones ITU-T E.180
// recommends, and the result is false. Keep the set: each call makes its prompts anew.
func CountryTones(country string) (ToneSet, bool) {
	t, known := codec.Tones(country)
	var s ToneSet
	for _, x := range []struct {
		to   **Prompt
		from codec.CallTone
	}{{&s.Dial, t.Dial}, {&s.Ringback, t.Ringback}, {&s.Busy, t.Busy}, {&s.Congestion, t.Congestion}, {&s.CallWaiting, t.CallWaiting}, {&s.SIT, t.SIT}, {&s.Beep, t.Beep}} {
		p, err := NewCallTone(x.from)
		if err != nil {
			p = &Prompt{} // cannot happen: the tables hold none too long or too high
		}
		*x.to = p
	}
	return s, known
}

// NewCallTone makes a prompt of a tone at a quarter of full scale, of a length that loops without a seam. A part without end lasts at least a second. The errors are those of
// NewPrompt and of codec.CallTone.PCM.
func NewCallTone(t codec.CallTone) (*Prompt, error) {
	n := t.Loop(clockRate)
	if !t.Once && n > 0 {
		one := n
		for n%samplesPerFrame != 0 || n < clockRate {
			n += one // to whole packets, which the hour below bounds: the least common multiple is at most 160 times as long
		}
	}
	if n > maxPrompt*clockRate {
		return nil, fmt.Errorf("%w: tone of %d samples", ErrConfig, n)
	}
	pcm := make([]int16, n)
	t.Fill(pcm, 0, clockRate, 0.25)
	return NewPrompt(pcm)
}
