package speech

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Synthesizer speaks.
type Synthesizer interface {
	// Synthesize returns a WAV file of text spoken by voice, at about wordsPerMinute, 80 to 450; zero means 160. What voices are called is the engine's matter; an
	// IETF language tag in lower case ("en-us", "de") is one for every engine. It returns when ctx ends at the latest. The WAV may be shared with
	// others and must not be changed. It may be called concurrently. The error wraps ErrText, ErrVoice, ErrEngine, ErrMissing or ctx's error.
	Synthesize(ctx context.Context, voice, text string, wordsPerMinute int) (wav []byte, err error)
}

var (
	// ErrText is returned for a text that is too long or has nothing that can be spoken.
	ErrText = errors.New("speech: unusable text")
	// ErrVoice is returned for a voice or speed that the engine does not have.
	ErrVoice = errors.New("speech: no such voice")
	// ErrEngine is returned when the engine failed, took too long or said too much.
	ErrEngine = errors.New("speech: engine failed")
	// ErrMissing is returned by NewEspeak when the program is not installed.
	ErrMissing = errors.New("speech: espeak-ng is not installed")
)

const (
	usualSpeed = 160
	slowest    = 80
	fastest    = 450
)

// checkVoice takes language tags with an optional variant: "en", "en-us", "zh-yue", "en-us+f3". Letters and digits only: the engine looks a voice up as a file.
func checkVoice(voice string) error {
	name, variant, has := strings.Cut(voice, "+")
	ok := len(voice) <= 32 && name != "" && (!has || word(variant))
	for _, part := range strings.Split(name, "-") {
		ok = ok && word(part)
	}
	if !ok || name[0] < 'a' {
		return fmt.Errorf("%w: %.32q", ErrVoice, voice)
	}
	return nil
}

func word(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 12
}

// plain leaves only what is to be spoken. Each command or markup character becomes a space, so that words stay apart: control characters, of which 0x01
// begins a command of espeak-ng; brackets, which hold its phonemes; angle brackets; and the private use area, where engines keep marks of their own.
func plain(text string) (string, error) {
	spoken := false
	out := strings.Map(func(r rune) rune {
		switch {
		case r == '\u200c', r == '\u200d': // joiners, which some scripts need inside words
			return r
		case r == '[', r == ']', r == '<', r == '>', r == utf8.RuneError, unicode.IsControl(r), unicode.In(r, unicode.Co, unicode.Cf, unicode.Zl, unicode.Zp):
			return ' '
		case unicode.IsLetter(r), unicode.IsDigit(r):
			spoken = true
		}
		return r
	}, text)
	if !spoken {
		return "", fmt.Errorf("%w: no word in it", ErrText)
	}
	return strings.TrimSpace(out), nil
}
