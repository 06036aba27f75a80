package recording_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/recordingtest"
	"github.com/ringfence/ringfence/recording/sqlstore"
)

const (
	crashDirEnv = "RINGFENCE_RECORDING_CRASH_DIR"
	canary      = "PLAINTEXT-CANARY"
)

// canaryFrame is 20 ms of audio that spells the canary.
func canaryFrame() []byte { return []byte(strings.Repeat(canary, 160/len(canary))) }

func diskVault(dir string) (*recording.Vault, func() error, error) {
	blobs, err := filestore.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		return nil, nil, err
	}
	catalog, err := sqlstore.Open(context.Background(), filepath.Join(dir, "ringfence.db"))
	if err != nil {
		return nil, nil, err
	}
	keys := recordingtest.NewKeys(1)
	v, err := recording.New(recording.Config{Blobs: blobs, Catalog: catalog, Keys: keys, Signer: keys, Place: home, Authorizer: recordingtest.Allow{}, Auditor: &recordingtest.Audit{}})
	if err != nil {
		return nil, nil, errors.Join(err, catalog.Close())
	}
	return v, func() error { return errors.Join(v.Close(), catalog.Close()) }, nil
}

// recordUntilKilled is the child: it records two parties and one closed call, says "ready" after some seconds of audio, and goes on until it is killed.
func recordUntilKilled(dir string) {
	v, _, err := diskVault(dir)
	if err != nil {
		panic(err)
	}
	meta := func(id string) recording.Meta {
		return recording.Meta{ID: id, Call: canary, Parties: []string{canary, "agent"}, Attributes: map[string]string{"x": canary}}
	}
	done, err := v.Create(context.Background(), meta("finished"))
	if err != nil {
		panic(err)
	}
	done.PartyAt(0, 0).WriteFrame(0, recording.PCMU, canaryFrame())
	if err := done.Close(context.Background()); err != nil {
		panic(err)
	}
	tr, err := v.Create(context.Background(), meta("killed"))
	if err != nil {
		panic(err)
	}
	caller, agent := tr.PartyAt(0, 0), tr.PartyAt(1, 0)
	for n := 0; ; n++ {
		caller.WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMU, canaryFrame())
		agent.WriteFrame(time.Duration(n)*20*time.Millisecond, recording.PCMA, canaryFrame())
		// As fast as the disk, no faster: nothing is dropped. In a call, where a second takes a second, nothing is queued at all; so not at "ready" either.
		for limit := int64(1 << 20); v.Stats().Queued > limit || (n == 500 && v.Stats().Queued > 0); {
			runtime.Gosched()
		}
		if n == 500 {
			fmt.Println("ready", v.Stats().LostFrames)
		}
		if n > 500_000 {
			return // the parent is gone
		}
	}
}

func crash(t *testing.T, dir string, after int) {
	t.Helper()
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
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready 0\n" {
		t.Errorf("child said %q, %v", line, err)
	}
	for range after {
		runtime.Gosched() // a different moment each time
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child was not killed: %v", err)
	}
}

// A process killed in the middle of a call leaves ciphertext only, readable to the last finished segment, and says that it is incomplete; a bit flipped
// in it is found when it is read.
func TestCrashMidCall(t *testing.T) {
	control.Proves(t, "ATR-04")
	ctx := context.Background()
	for round := range 3 {
		dir := t.TempDir()
		crash(t, dir, round*20_000)
		files := scanForCanary(t, dir)

		v, closeAll, err := diskVault(dir)
		if err != nil {
			t.Fatal(err)
		}
		a := access(t, v)
		// Before anyone recovers anything: readable, and not complete.
		rep, err := a.Verify(ctx, "killed")
		if err != nil || rep.Complete || rep.State != recording.StateOpen || rep.Segments == 0 {
			t.Fatalf("Verify = %+v, %v", rep, err)
		}
		recovered, err := v.Recover(ctx)
		if err != nil || len(recovered) != 1 || recovered[0].ID != "killed" || recovered[0].State != recording.StateIncomplete || recovered[0].Err != nil {
			t.Fatalf("Recover = %+v, %v", recovered, err)
		}
		rep, err = a.Verify(ctx, "killed")
		if err != nil || rep.Complete || rep.State != recording.StateIncomplete || !rep.Signed || rep.Segments != recovered[0].Segments {
			t.Fatalf("Verify = %+v, %v", rep, err)
		}
		if rep.Duration < 9*time.Second { // 10 s were written when it said ready, at most one may be lost
			t.Errorf("only %v of more than 10 s are readable", rep.Duration)
		}
		var out bytes.Buffer
		if _, err := a.Export(ctx, "killed", &out); err != nil {
			t.Fatal(err)
		}
		w := parseWAV(t, out.Bytes())
		for i, s := range w.left {
			if ulaw(s) != canary[i%len(canary)] {
				t.Fatalf("sample %d of the caller is not what was written", i)
			}
		}
		if rep, err := a.Verify(ctx, "finished"); err != nil || !rep.Complete {
			t.Errorf("the finished call: %+v, %v", rep, err)
		}
		for info, err := range a.List(ctx, recording.Query{}) {
			if err != nil || info.Call != canary {
				t.Errorf("List: %+v, %v", info, err)
			}
		}
		again, err := v.Recover(ctx)
		if err != nil || len(again) != 0 {
			t.Errorf("second Recover = %+v, %v", again, err)
		}
		// A flipped bit anywhere in what the crash left is found on read.
		for _, f := range files {
			if !strings.HasSuffix(f, "killed.rec") {
				continue
			}
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < int(rep.Bytes); i += max(1, len(b)/40) {
				flipped := slices.Clone(b)
				flipped[i] ^= 0x10
				if err := os.WriteFile(f, flipped, 0o600); err != nil {
					t.Fatal(err)
				}
				if n, err := a.Export(ctx, "killed", io.Discard); err == nil || n != 0 {
					t.Errorf("flip at %d: Export = %d, %v", i, n, err)
				}
			}
		}
		if err := closeAll(); err != nil {
			t.Fatal(err)
		}
	}
}

// scanForCanary reads every byte of every file below dir and returns the files.
func scanForCanary(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files = append(files, path)
		for _, needle := range []string{canary, "agent"} {
			if bytes.Contains(b, []byte(needle)) {
				t.Errorf("%s holds %q in the clear", path, needle)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 3 {
		t.Fatalf("only %v: nothing was scanned", files)
	}
	return files
}

// A process that died between the final segment and the row: the recording is provably complete, and Recover says so.
func TestRecoverSettlesEveryWayToDie(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	reopen := func(id string) {
		e, err := k.catalog.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		e.State, e.Closed, e.Segments, e.Samples, e.Manifest, e.Signature = recording.StateOpen, time.Time{}, 0, 0, nil, nil
		k.catalog.Replace(e)
	}
	for _, id := range []string{"row-missing", "torn", "header-only", "half-header", "no-blob", "altered"} {
		k.record(t, id, 3*time.Second)
		reopen(id)
	}
	cut := func(id string, n int) { k.blobs.Replace(id, k.blobs.Bytes(id)[:n]) }
	cut("torn", len(k.blobs.Bytes("torn"))-5)
	cut("header-only", headerBytes)
	cut("half-header", 10)
	if err := k.blobs.Remove(ctx, "no-blob"); err != nil {
		t.Fatal(err)
	}
	b := k.blobs.Bytes("altered")
	b[headerBytes+100] ^= 1
	k.blobs.Replace("altered", b)
	live := k.create(t, "live")
	got, err := k.vault.Recover(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]recording.State{"row-missing": recording.StateComplete, "torn": recording.StateIncomplete, "header-only": recording.StateIncomplete,
		"half-header": recording.StateIncomplete, "no-blob": recording.StateIncomplete, "altered": recording.StateOpen}
	if len(got) != len(want) {
		t.Errorf("%d recovered: %+v", len(got), got)
	}
	for _, r := range got {
		if r.State != want[r.ID] || (r.Err != nil) != (r.ID == "altered") {
			t.Errorf("%s: %v, %v", r.ID, r.State, r.Err)
		}
		if r.Err != nil {
			continue
		}
		rep, err := k.access(t).Verify(ctx, r.ID)
		if err != nil || rep.Complete != (r.ID == "row-missing") || !rep.Signed {
			t.Errorf("%s: %+v, %v", r.ID, rep, err)
		}
		if _, err := k.access(t).Export(ctx, r.ID, io.Discard); err != nil {
			t.Errorf("%s: Export: %v", r.ID, err)
		}
		if _, err := k.access(t).Destroy(ctx, r.ID, "test"); err != nil {
			t.Errorf("%s: Destroy: %v", r.ID, err)
		}
	}
	closeTrack(t, live)
	if rep, err := k.access(t).Verify(ctx, "live"); err != nil || !rep.Complete {
		t.Errorf("live: %+v, %v", rep, err)
	}
}
