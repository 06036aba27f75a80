package speech_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/codec/speech"
)

func espeak(t testing.TB, cfg speech.EspeakConfig) *speech.Espeak {
	t.Helper()
	e, err := speech.NewEspeak(cfg)
	if err != nil {
		require.ErrorIs(t, err, speech.ErrMissing)
		if os.Getenv("RINGFENCE_PEERS") == "required" {
			t.Fatal("espeak-ng is not installed: run .ci/peers")
		}
		t.Skip("espeak-ng is not installed")
	}
	return e
}

// program writes a shell script that stands in for espeak-ng.
func program(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "espeak")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700))
	return path
}

func TestEspeakSpeaks(t *testing.T) {
	e := espeak(t, speech.EspeakConfig{})
	var last time.Duration
	for _, wpm := range []int{300, 0, 90} {
		wav, err := e.Synthesize(t.Context(), "en-us", "Please hold the line. We will be with you shortly.", wpm)
		require.NoError(t, err)
		assert.EqualValues(t, len(wav)-8, binary.LittleEndian.Uint32(wav[4:]), "the header has the right size")
		a, err := codec.ReadWAV(bytes.NewReader(wav))
		require.NoError(t, err)
		assert.Greater(t, a.Duration(), last)
		assert.Greater(t, codec.Level(a.PCM), -35.0)
		last = a.Duration()
	}
	for _, voice := range []string{"de", "en-us+f3", "fr-fr"} {
		_, err := e.Synthesize(t.Context(), voice, "Tür auf, naïve Ägypter 12.", 0)
		require.NoError(t, err, voice)
	}
}

// What espeak-ng would take for a command is spoken over: the audio is that of the words alone.
func TestEspeakTakesNoCommands(t *testing.T) {
	e := espeak(t, speech.EspeakConfig{})
	say := func(text string) []byte {
		wav, err := e.Synthesize(t.Context(), "en-us", text, 0)
		require.NoError(t, err)
		return wav
	}
	assert.Equal(t, say("hello  h@ll  world"), say("hello [[h@ll]] world"), "phonemes")
	assert.Equal(t, say("hello 50P world"), say("hello \x0150P world"), "a command for the pitch")
	assert.Equal(t, say("hello  b  world"), say("hello <b> world"), "markup")
	assert.Equal(t, say("minus minus help"), say("minus\u2028minus\x00help"))
	// An option in the text is text.
	assert.Greater(t, len(say("--version")), 10000)
}

func TestEspeakRefuses(t *testing.T) {
	e := espeak(t, speech.EspeakConfig{MaxText: 100})
	for _, voice := range []string{"", "-w", "../../etc/passwd", "en us", "en/us", "--stdout", "en+", "en+../x", "EN", "a\x00b", strings.Repeat("a", 33), "en--us"} {
		_, err := e.Synthesize(t.Context(), voice, "hello", 0)
		require.ErrorIs(t, err, speech.ErrVoice, "%q", voice)
	}
	_, err := e.Synthesize(t.Context(), "xx-none", "hello", 0)
	require.ErrorIs(t, err, speech.ErrVoice)
	for _, wpm := range []int{-1, 79, 451} {
		_, err = e.Synthesize(t.Context(), "en", "hello", wpm)
		require.ErrorIs(t, err, speech.ErrVoice)
	}
	for _, text := range []string{"", " ", "[[]]", "\x01\x02", "...", "\xff\xfe", strings.Repeat("a ", 51)} {
		_, err = e.Synthesize(t.Context(), "en", text, 0)
		require.ErrorIs(t, err, speech.ErrText, "%q", text)
	}
	small := espeak(t, speech.EspeakConfig{MaxAudio: 5000})
	_, err = small.Synthesize(t.Context(), "en", "This is a secret and longer than a tenth of a second.", 0)
	require.ErrorIs(t, err, speech.ErrEngine)
	assert.NotContains(t, err.Error(), "secret")
	_, err = speech.NewEspeak(speech.EspeakConfig{Path: "no-such-program-here"})
	require.ErrorIs(t, err, speech.ErrMissing)
}

// The program sees the text on its standard input only, fixed arguments, and nothing of our environment.
func TestEspeakSeesOnlyWhatItNeeds(t *testing.T) {
	t.Setenv("DATABASE_PASSWORD", "hunter2")
	dir := t.TempDir()
	path := program(t, `echo "$@" > `+dir+`/args; env > `+dir+`/env; cat > `+dir+`/text; head -c 100 /dev/zero`)
	e, err := speech.NewEspeak(speech.EspeakConfig{Path: path})
	require.NoError(t, err)
	_, err = e.Synthesize(t.Context(), "en-us", "four digits: 1234", 0)
	require.ErrorIs(t, err, speech.ErrEngine, "zeros are no WAV file")
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(b)
	}
	assert.Equal(t, "-b 1 --stdin --stdout -v en-us -s 160\n", read("args"))
	assert.Equal(t, "four digits: 1234", read("text"))
	assert.NotContains(t, read("env"), "hunter2")
	assert.NotContains(t, read("env"), "/root")
	_, err = exec.LookPath("false")
	require.NoError(t, err)
	e, err = speech.NewEspeak(speech.EspeakConfig{Path: "false"})
	require.NoError(t, err)
	_, err = e.Synthesize(t.Context(), "en-us", "hello", 0)
	require.ErrorIs(t, err, speech.ErrEngine)
}

// A program that hangs or floods is killed and gone when Synthesize returns.
func TestEspeakIsKilled(t *testing.T) {
	dir := t.TempDir()
	gone := func(name string) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		require.NoError(t, err)
		require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	}
	fifo := filepath.Join(dir, "started")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	hang, err := speech.NewEspeak(speech.EspeakConfig{Path: program(t, `echo $$ > `+dir+`/hang; echo > `+fifo+`; exec sleep 600`), Processes: 1})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { // ends with ctx; the test waits on done
		_, err := hang.Synthesize(ctx, "en", "hello", 0)
		done <- err
	}()
	_, err = os.ReadFile(fifo) // it runs
	require.NoError(t, err)
	soon, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	_, err = hang.Synthesize(soon, "en", "hello", 0) // the only process is taken
	require.ErrorIs(t, err, context.DeadlineExceeded)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	gone("hang")

	flood, err := speech.NewEspeak(speech.EspeakConfig{Path: program(t, `echo $$ > `+dir+`/flood; exec cat /dev/zero`), MaxAudio: 1 << 20})
	require.NoError(t, err)
	_, err = flood.Synthesize(t.Context(), "en", "hello", 0)
	require.ErrorIs(t, err, speech.ErrEngine)
	gone("flood")

	slow, err := speech.NewEspeak(speech.EspeakConfig{Path: program(t, `echo $$ > `+dir+`/slow; exec sleep 600`), Timeout: 300 * time.Millisecond})
	require.NoError(t, err)
	_, err = slow.Synthesize(t.Context(), "en", "hello", 0)
	require.ErrorIs(t, err, speech.ErrEngine)
	gone("slow")
}

// FuzzEspeakText: any text is refused or spoken as plain words: what reaches the program has no control character, bracket or markup.
func FuzzEspeakText(f *testing.F) {
	f.Add("hello [[x]] \x01 <b>")
	f.Add("\xff\u200d\ue000")
	f.Fuzz(func(t *testing.T, text string) {
		out, err := speech.Plain(text)
		if err != nil {
			require.Empty(t, out)
			return
		}
		require.NotContains(t, out, "[")
		require.NotContains(t, out, "<")
		for _, r := range out {
			require.True(t, r >= ' ' && r != 0x7f, "%q", out)
		}
	})
}
