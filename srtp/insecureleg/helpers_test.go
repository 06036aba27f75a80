package insecureleg_test

import (
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
	"github.com/ringfence/ringfence/srtp/srtptest"
)

// tap collects what a leg's recorder would hear.
type tap struct {
	mu    sync.Mutex
	pcm   []int16
	heard chan struct{}
}

func newTap() *tap { return &tap{heard: make(chan struct{}, 10000)} }

func (e *tap) WriteFrame(_ time.Duration, name string, payload []byte) {
	pcm := make([]int16, len(payload))
	if name == sdp.PCMA {
		codec.DecodeAlaw(pcm, payload)
	} else {
		codec.DecodeMulaw(pcm, payload)
	}
	e.mu.Lock()
	e.pcm = append(e.pcm, pcm...)
	e.mu.Unlock()
	select {
	case e.heard <- struct{}{}:
	default:
	}
}

func (e *tap) wait(t testing.TB, n int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for range n {
		select {
		case <-e.heard:
		case <-deadline:
			t.Fatal("heard too little")
		}
	}
}

func (e *tap) recording() *srtptest.Recording {
	e.mu.Lock()
	defer e.mu.Unlock()
	return &srtptest.Recording{PCM: append([]int16(nil), e.pcm...), Rate: 8000}
}
