package recording_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

const (
	crashManyEnv = "RINGFENCE_RECORDING_CRASH_MANY"
	kills        = 100
	callSeconds  = 4 // of each call of the child
)

// recordManyUntilKilled is the child: call after call of callSeconds, one of them always in the middle, saying what it has just done, until it is killed.
func recordManyUntilKilled(dir string) {
	v, _, err := diskVault(dir)
	if err != nil {
		panic(err)
	}
	out := bufio.NewWriter(os.Stdout)
	say := func(what string, n int) {
		fmt.Fprintln(out, what, n)
		out.Flush()
	}
	for n := range 10_000 {
		tr, err := v.Create(context.Background(), recording.Meta{ID: fmt.Sprint("call", n), Parties: []string{"caller", "agent"}})
		if err != nil {
			panic(err)
		}
		say("created", n)
		a, b := tr.PartyAt(0, 0), tr.PartyAt(1, 0)
		for f := range callSeconds * 50 {
			at := time.Duration(f) * 20 * time.Millisecond
			a.WriteFrame(at, recording.PCMU, canaryFrame())
			b.WriteFrame(at, recording.PCMA, canaryFrame())
			if f%50 == 49 {
				for v.Stats().Queued > 0 {
					runtime.Gosched()
				}
				say("second", f/50)
			}
		}
		if err := tr.Close(context.Background()); err != nil {
			panic(err)
		}
		say("closed", n)
	}
}

// killAtRandom runs the child and kills it somewhere behind its nth line. It returns the recordings that were closed, as far as the child could say.
func killAtRandom(t *testing.T, dir string, seed uint64) (closed int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDirEnv+"="+dir, crashManyEnv+"=1")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 1 + rnd.IntN(3*(callSeconds+2)) {
		if !lines.Scan() {
			break
		}
		if strings.HasPrefix(lines.Text(), "closed") {
			closed++
		}
	}
	for range rnd.IntN(4000) {
		runtime.Gosched()
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it said before it died
		if strings.HasPrefix(lines.Text(), "closed") {
			closed++
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed: %v", err)
	}
	return closed
}

// Killed a hundred times at any moment, every recording opens up to its last finished segment with just what was said, the one that was cut off says so, none
// is complete that was not closed whole, and none that was closed is not complete.
func TestKilledAHundredTimes(t *testing.T) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		tally = map[string]int{}
	)
	dir := t.TempDir()
	rounds := make(chan uint64)
	for range 2 { // ended by closing rounds, waited for below
		wg.Go(func() {
			for round := range rounds {
				got := killedOnce(t, filepath.Join(dir, fmt.Sprint(round)), round)
				mu.Lock()
				for k, n := range got {
					tally[k] += n
				}
				mu.Unlock()
			}
		})
	}
	for round := range uint64(kills) {
		rounds <- round
	}
	close(rounds)
	wg.Wait()
	t.Logf("after %d kills: %v", kills, tally)
	if tally["complete"] == 0 || tally["incomplete"] < kills/5 {
		t.Errorf("the kills proved too little: %v", tally)
	}
}

func killedOnce(t *testing.T, dir string, round uint64) map[string]int {
	ctx := context.Background()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Error(err)
		return nil
	}
	defer os.RemoveAll(dir)
	closed := killAtRandom(t, dir, round)
	v, closeAll, err := diskVault(dir)
	if err != nil {
		t.Errorf("round %d: %v", round, err)
		return nil
	}
	defer func() {
		if err := closeAll(); err != nil {
			t.Error(err)
		}
	}()
	a, err := because(v.For(recordingtest.Allow{}, &recordingtest.Audit{}))
	if err != nil {
		t.Error(err)
		return nil
	}
	before := map[string]recording.Report{} // as the crash left them
	for info := range a.List(ctx, recording.Query{}) {
		rep, err := a.Verify(ctx, info.ID)
		if err != nil {
			t.Errorf("round %d: %s as it was left: %+v, %v", round, info.ID, rep, err)
		}
		before[info.ID] = rep
	}
	recovered, err := v.Recover(ctx)
	if err != nil {
		t.Errorf("round %d: %v", round, err)
	}
	for _, r := range recovered {
		if r.Err != nil {
			t.Errorf("round %d: %+v", round, r)
		}
	}
	if len(recovered) > 1 {
		t.Errorf("round %d: %d recordings were open", round, len(recovered))
	}
	tally := map[string]int{}
	for id, was := range before {
		rep, err := a.Verify(ctx, id)
		whole := rep.Duration == callSeconds*time.Second && rep.Frames == 2*callSeconds*50
		if err != nil || !rep.Signed || rep.Segments < was.Segments || rep.Complete != (rep.State == recording.StateComplete) || rep.Complete && !whole || was.Complete && !rep.Complete {
			t.Errorf("round %d: %s: %+v, %v; before %+v", round, id, rep, err, was)
		}
		var n int
		if _, err := fmt.Sscanf(id, "call%d", &n); err != nil || n < closed && !rep.Complete {
			t.Errorf("round %d: %s was closed and is %v", round, id, rep.State)
		}
		tally[rep.State.String()]++
		var out bytes.Buffer
		if _, err := a.Export(ctx, id, &out); err != nil {
			t.Errorf("round %d: %s: %v", round, id, err)
			continue
		}
		samples := out.Bytes()[44:]
		if len(samples) != 4*int(rep.Duration/(time.Second/recording.SampleRate)) {
			t.Errorf("round %d: %s: %d bytes for %v", round, id, len(samples), rep.Duration)
		}
		for i := 0; i+4 <= len(samples); i += 4 {
			if l, r := int16(samples[i])|int16(samples[i+1])<<8, int16(samples[i+2])|int16(samples[i+3])<<8; ulaw(l) != canary[i/4%len(canary)] || alaw(r) != canary[i/4%len(canary)] {
				t.Errorf("round %d: %s: sample %d is not what was said", round, id, i/4)
				break
			}
		}
	}
	return tally
}
