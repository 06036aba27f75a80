package voicemail_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/recording/voicemail"
	"github.com/ringfence/ringfence/recording/voicemail/voicemailtest"
)

const (
	crashDirEnv = "RINGFENCE_VOICEMAIL_CRASH_DIR"
	canary      = "PLAINTEXT-CANARY"
)

// canaryFrame is 20 ms of audio that spells the canary.
func canaryFrame(int) []byte { return []byte(strings.Repeat(canary, 160/len(canary))) }

// scan reads every byte of every file below dir for audio, the caller and the PIN.
func scan(t *testing.T, dir string) (files int) {
	t.Helper()
	pcm := make([]byte, 0, 2*len(canary)) // the same audio as linear samples
	for _, c := range []byte(canary) {
		v := uint16(int16(expand(c)))
		pcm = append(pcm, byte(v), byte(v>>8))
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		for name, x := range map[string][]byte{"audio": []byte(canary), "linear audio": pcm, "caller": []byte("+4930555"), "PIN": []byte(goodPIN)} {
			if bytes.Contains(b, x) {
				t.Errorf("%s holds %s in plaintext", path, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// paced hands over the audio of a message without a clock: what a caller says in a few seconds.
type paced struct {
	*voicemailtest.Phone
	frames int
}

func (p paced) Play(context.Context, string) error     { return nil }
func (p paced) PlayPCM(context.Context, []int16) error { return nil }
func (p paced) Record(_ context.Context, sink voicemail.Sink) error {
	for n := range p.frames {
		sink.WriteFrame(time.Duration(n)*20*time.Millisecond, "PCMU", canaryFrame(n))
	}
	return voicemail.ErrHangup
}

func (p paced) ReadDigit(ctx context.Context) (byte, error) { <-ctx.Done(); return 0, ctx.Err() }

// What a message or a greeting leaves on the disk, in the container, in the database, in its log, is ciphertext; and what is played is what was said.
func TestOnlyCiphertextOnTheDisk(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	boxes, store, _, closeAll, err := diskBoxes(dir)
	if err != nil {
		t.Fatal(err)
	}
	addBoxes(t, store)
	if r, err := boxes.Serve(ctx, paced{&voicemailtest.Phone{}, 500}, voicemail.Caller{Box: "1001", Name: "+4930555", Call: "c"}); err != nil || r != voicemail.ResultLeft {
		t.Fatalf("%v, %v", r, err)
	}
	var greeting []int16
	for n := range 300 {
		for _, c := range canaryFrame(n) {
			greeting = append(greeting, int16(expand(c)))
		}
	}
	if err := boxes.SetGreeting(ctx, "1001", greeting, voicemail.Schedule{}); err != nil {
		t.Fatal(err)
	}
	if n := scan(t, dir); n < 3 {
		t.Errorf("%d files: the scan sees nothing", n)
	}
	check := func() {
		t.Helper()
		s, err := boxes.Login(ctx, "1001", voicemail.NewPIN(goodPIN), false, "")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Finish(ctx)
		if len(s.Messages()) != 1 {
			t.Fatalf("%+v", s.Messages())
		}
		pcm, e, err := s.Hear(ctx, s.Messages()[0].ID)
		if err != nil || len(pcm) != 500*160 || e.Caller != "+4930555" {
			t.Fatalf("%d samples, %+v, %v", len(pcm), e, err)
		}
		for i, v := range pcm {
			if int(v) != expand(canary[i%len(canary)]) {
				t.Fatalf("sample %d is not what was said", i)
			}
		}
		ear := &voicemailtest.Phone{Script: []voicemailtest.Act{{Hear: "message", Hang: true}}}
		if _, err := boxes.Serve(ctx, ear, voicemail.Caller{Box: "1001"}); err != nil || len(ear.PCM()) != 1 {
			t.Fatalf("%v, %d", err, len(ear.PCM()))
		}
		for i, v := range ear.PCM()[0] {
			if v != greeting[i] {
				t.Fatalf("sample %d of the greeting is not what was recorded", i)
			}
		}
	}
	check()
	if err := closeAll(); err != nil { // a restart
		t.Fatal(err)
	}
	scan(t, dir)
	boxes, _, vault, closeAll, err := diskBoxes(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	if err := boxes.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	check()
	if err := closeAll(); err != nil {
		t.Fatal(err)
	}
	scan(t, dir)
	control.Proves(t, "ATR-02", "ATR-03")
}

// leaveUntilKilled is the child: it leaves one message, begins another and a greeting, and speaks until it is killed.
func leaveUntilKilled(dir string) {
	ctx := context.Background()
	boxes, store, vault, _, err := diskBoxes(dir)
	if err != nil {
		panic(err)
	}
	for number, pin := range map[string]string{"1001": goodPIN, "1002": otherPIN} {
		b, err := voicemail.NewBox(number, "", voicemail.NewPIN(pin), time.Now())
		if err == nil {
			err = store.CreateBox(ctx, b)
		}
		if err != nil {
			panic(err)
		}
	}
	if _, err := boxes.Serve(ctx, paced{&voicemailtest.Phone{}, 200}, voicemail.Caller{Box: "1001"}); err != nil {
		panic(err)
	}
	_, err = boxes.Serve(ctx, endless{paced{&voicemailtest.Phone{}, 0}, func(n int) {
		for vault.Stats().Queued > 1<<20 || (n == 500 && vault.Stats().Queued > 0) {
			runtime.Gosched()
		}
		if n == 500 {
			fmt.Println("ready")
		}
	}}, voicemail.Caller{Box: "1002", Name: "+4930555"})
	panic(errors.Join(errors.New("not killed"), err))
}

// endless speaks on, as fast as the disk takes it.
type endless struct {
	paced
	said func(n int)
}

func (p endless) Record(ctx context.Context, sink voicemail.Sink) error {
	for n := 0; ctx.Err() == nil; n++ {
		sink.WriteFrame(time.Duration(n)*20*time.Millisecond, "PCMU", canaryFrame(n))
		p.said(n)
	}
	return ctx.Err()
}

// A process killed while a message is left leaves the box whole, the message up to its last second, and no plaintext.
func TestKilledWhileAMessageIsLeft(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDirEnv+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Errorf("child said %q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed: %v", err)
	}
	scan(t, dir)
	boxes, store, vault, closeAll, err := diskBoxes(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := store.Counts(ctx, "1002"); err != nil || c.New != 0 {
		t.Errorf("before it is settled: %+v, %v", c, err)
	}
	if _, err := vault.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	if err := boxes.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	for box, pin := range map[string]string{"1001": goodPIN, "1002": otherPIN} {
		s, err := boxes.Login(ctx, box, voicemail.NewPIN(pin), false, "")
		if err != nil {
			t.Fatal(err)
		}
		m := s.Messages()
		if len(m) != 1 || m[0].Incomplete != (box == "1002") {
			t.Fatalf("%s: %+v", box, m)
		}
		pcm, _, err := s.Hear(ctx, m[0].ID)
		if err != nil || (box == "1002" && len(pcm) < 9*8000) {
			t.Errorf("%s: %d samples, %v", box, len(pcm), err)
		}
		if err := errors.Join(s.Save(ctx, m[0].ID), s.Finish(ctx)); err != nil {
			t.Error(err)
		}
	}
	// The box goes on.
	if r, err := boxes.Serve(ctx, paced{&voicemailtest.Phone{}, 200}, voicemail.Caller{Box: "1002"}); err != nil || r != voicemail.ResultLeft {
		t.Errorf("%v, %v", r, err)
	}
	if c, err := store.Counts(ctx, "1002"); err != nil || c != (voicemail.Counts{New: 1, Saved: 1}) {
		t.Errorf("%+v, %v", c, err)
	}
	if err := closeAll(); err != nil {
		t.Fatal(err)
	}
}
