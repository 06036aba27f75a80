package speech

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// EspeakConfig describes an Espeak.
type EspeakConfig struct {
	// Path is the program. If empty, espeak-ng of the PATH.
	Path string
	// MaxText is the longest text in bytes. If zero, 4000: about five minutes.
	MaxText int
	// MaxAudio is the longest WAV file in bytes. If zero, 16 MiB: six minutes.
	MaxAudio int
	// Timeout is how long one text may take, waiting for others included. If zero, 15 s.
	Timeout time.Duration
	// Processes is how many run at a time; more wait. If zero, 2.
	Processes int
}

const (
	espeakText      = 4000
	espeakAudio     = 16 << 20
	espeakTimeout   = 15 * time.Second
	espeakProcesses = 2
	// espeakLinger is how long a killed program's pipes are waited for.
	espeakLinger = time.Second
	// wavHeader is what espeak-ng writes before the samples: RIFF, a format of 16 bytes, and the beginning of data.
	wavHeader = 44
)

// Espeak is a Synthesizer that runs espeak-ng once for each text: about 20 ms for a sentence. Its WAV files have one channel of 16 bits, at 22050 Hz
// with most voices. It is safe for concurrent use.
type Espeak struct {
	cfg   EspeakConfig
	slots chan struct{}
}

// NewEspeak finds the program. The error wraps ErrMissing.
func NewEspeak(cfg EspeakConfig) (*Espeak, error) {
	if cfg.Path == "" {
		cfg.Path = "espeak-ng"
	}
	path, err := exec.LookPath(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	cfg.Path = path
	if cfg.MaxText <= 0 {
		cfg.MaxText = espeakText
	}
	if cfg.MaxAudio <= 0 {
		cfg.MaxAudio = espeakAudio
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = espeakTimeout
	}
	if cfg.Processes <= 0 {
		cfg.Processes = espeakProcesses
	}
	return &Espeak{cfg: cfg, slots: make(chan struct{}, cfg.Processes)}, nil
}

// Synthesize runs the program. Voices are espeak-ng's: a language tag, and after a plus sign a variant, as in "en-us+f3".
func (e *Espeak) Synthesize(ctx context.Context, voice, text string, wordsPerMinute int) ([]byte, error) {
	if wordsPerMinute == 0 {
		wordsPerMinute = usualSpeed
	}
	if wordsPerMinute < slowest || wordsPerMinute > fastest {
		return nil, fmt.Errorf("%w: %d words a minute", ErrVoice, wordsPerMinute)
	}
	if err := checkVoice(voice); err != nil {
		return nil, err
	}
	if len(text) > e.cfg.MaxText {
		return nil, fmt.Errorf("%w: %d bytes", ErrText, len(text))
	}
	text, err := plain(text)
	if err != nil {
		return nil, err
	}
	own, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel()
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-own.Done():
		return nil, ended(ctx, "no process was free")
	}
	out := &bounded{max: e.cfg.MaxAudio, full: cancel}
	complaint := &bounded{max: 1 << 10, full: func() {}}
	cmd := exec.CommandContext(own, e.cfg.Path, "-b", "1", "--stdin", "--stdout", "-v", voice, "-s", strconv.Itoa(wordsPerMinute))
	cmd.Stdin = strings.NewReader(text)
	cmd.Stdout, cmd.Stderr = out, complaint
	cmd.Env = []string{"LANG=C.UTF-8", "LC_ALL=C.UTF-8", "HOME=/nonexistent"} // not nil, which would be ours with all that is in it
	cmd.Dir = "/"
	cmd.WaitDelay = espeakLinger
	err = cmd.Run()
	switch {
	case out.over:
		return nil, fmt.Errorf("%w: more than %d bytes of audio", ErrEngine, e.cfg.MaxAudio)
	case own.Err() != nil:
		return nil, ended(ctx, "it took too long")
	case bytes.Contains(complaint.b, []byte("voice does not exist")):
		return nil, fmt.Errorf("%w: %q", ErrVoice, voice)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrEngine, err)
	}
	return sized(out.b)
}

// ended tells the caller's end from our own limit.
func ended(ctx context.Context, why string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("speech: %w", err)
	}
	return fmt.Errorf("%w: %s", ErrEngine, why)
}

// sized puts the right sizes into the header, which the program could not know when it wrote it.
func sized(wav []byte) ([]byte, error) {
	if len(wav) <= wavHeader || string(wav[:4]) != "RIFF" || string(wav[36:40]) != "data" {
		return nil, fmt.Errorf("%w: %d bytes that are no WAV file", ErrEngine, len(wav))
	}
	wav = wav[:len(wav)-(len(wav)-wavHeader)%2]
	binary.LittleEndian.PutUint32(wav[4:], uint32(len(wav)-8))
	binary.LittleEndian.PutUint32(wav[40:], uint32(len(wav)-wavHeader))
	return wav, nil
}

var errFull = errors.New("speech: output is full")

// bounded keeps the first max bytes, and calls full when there are more.
type bounded struct {
	b    []byte
	max  int
	over bool
	full func()
}

func (w *bounded) Write(p []byte) (int, error) {
	if len(w.b)+len(p) > w.max {
		w.over = true
		w.full()
		return 0, errFull
	}
	w.b = append(w.b, p...)
	return len(p), nil
}
