package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/tenant/audit"
)

const childEnv = "RINGFENCE_AUDIT_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		appendUntilKilled(path) // this process is a child of one of the tests
		return
	}
	leaktest.Main(m)
}

var (
	ctx   = context.Background()
	epoch = time.Date(2026, 11, 22, 9, 0, 0, 123456789, time.UTC)
)

func open(t testing.TB, path string) *audit.Log {
	t.Helper()
	l, err := audit.Open(audit.Config{Path: path, Now: func() time.Time { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func write(t testing.TB, l *audit.Log, n int) {
	t.Helper()
	for i := range n {
		if err := l.As("1001").Audit(ctx, "recording.listen", fmt.Sprintf("r%d", i), slog.Int("n", i)); err != nil {
			t.Fatal(err)
		}
	}
}

func head(t testing.TB, l *audit.Log) audit.Head {
	t.Helper()
	h, err := l.Head()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lines(b []byte) [][]byte {
	l := bytes.SplitAfter(b, []byte("\n"))
	return l[:len(l)-1]
}

func join(l [][]byte) []byte { return bytes.Join(l, nil) }

func TestEntriesComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "audit.log")
	l := open(t, path)
	attrs := []slog.Attr{slog.String("reason", "quote \" and < and \u2028 and ü"), slog.Int("n", -1), slog.Bool("ok", true), slog.Duration("d", time.Second),
		slog.Time("t", epoch), slog.Group("g", slog.Float64("f", 1.5), slog.Any("list", []string{"a"})), slog.Any("err", io.EOF), slog.Any("secret", redacting{}), {}}
	if err := l.As("1001").Audit(ctx, "recording.export", "r1", attrs...); err != nil {
		t.Fatal(err)
	}
	write(t, l, 2)
	for _, e := range []struct {
		actor, action, object string
		attrs                 []slog.Attr
		want                  error
	}{
		{"", "a", "o", nil, audit.ErrInvalid}, {"x", "", "o", nil, audit.ErrInvalid}, {"x", "a", "", nil, audit.ErrInvalid}, {"x\xff", "a", "o", nil, audit.ErrInvalid},
		{"x", "a", "o", []slog.Attr{slog.Int("n", 1), slog.Int("n", 2)}, audit.ErrInvalid},
		{"x", "a", "o", []slog.Attr{slog.Any("f", func() {})}, audit.ErrInvalid},
		{"x", audit.ActionRepair, "log", nil, audit.ErrInvalid},
		{"x", "a", strings.Repeat("o", audit.MaxEntry), nil, audit.ErrTooLarge},
	} {
		if err := l.As(e.actor).Audit(ctx, e.action, e.object, e.attrs...); !errors.Is(err, e.want) {
			t.Errorf("%.20v: %v", e, err)
		}
	}
	var got []audit.Entry
	for e, err := range audit.Entries(bytes.NewReader(read(t, path))) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if len(got) != 3 || got[0].Seq != 1 || got[0].Actor != "1001" || got[0].Action != "recording.export" || got[0].Object != "r1" || !got[0].Time.Equal(epoch) || got[2].Prev != got[1].Hash {
		t.Errorf("%+v", got)
	}
	var m map[string]any
	if err := json.Unmarshal(got[0].Attrs, &m); err != nil || m["reason"] != "quote \" and < and \u2028 and ü" || m["err"] != "EOF" || m["d"] != "1s" || m["secret"] != "REDACTED" ||
		m["g"].(map[string]any)["f"] != 1.5 {
		t.Errorf("%s, %v", got[0].Attrs, err)
	}
	rep, err := audit.VerifyFile(path, head(t, l))
	if err != nil || rep.Head.Seq != 3 || rep.Torn != 0 || rep.Repairs != nil {
		t.Errorf("%+v, %v", rep, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

type redacting struct{}

func (redacting) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// Whatever is done to a log, Verify names the first entry that is no longer what was written.
func TestVerifyNamesTheFirstBadEntry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	write(t, l, 6)
	good := read(t, path)
	all := lines(good)
	known := head(t, l)
	check := func(what string, b []byte, first uint64) {
		t.Helper()
		_, err := audit.Verify(bytes.NewReader(b), known)
		var bad *audit.VerifyError
		if !errors.As(err, &bad) || bad.Seq != first {
			t.Errorf("%s: %v, want entry %d", what, err, first)
		}
	}
	offset := 0
	for i, line := range all {
		for j := range line {
			b := slices.Clone(good)
			b[offset+j] ^= 1
			want := uint64(i + 1)
			if i == len(all)-1 && j == len(line)-1 {
				// The last newline gone looks torn, as after a crash; the head that is known is missing.
				check("last newline", b, known.Seq)
				continue
			}
			check(fmt.Sprintf("byte %d of entry %d", j, i+1), b, want)
		}
		offset += len(line)
		if i < len(all)-1 {
			check(fmt.Sprintf("drop %d", i+1), join(slices.Delete(slices.Clone(all), i, i+1)), uint64(i+1))
			swapped := slices.Clone(all)
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			check(fmt.Sprintf("swap %d", i+1), join(swapped), uint64(i+1))
		}
		check(fmt.Sprintf("repeat %d", i+1), join(slices.Insert(slices.Clone(all), i, line)), uint64(i+2))
	}
	for n := range len(all) { // cut at the end of an entry: only the known head tells
		b := join(all[:n])
		if _, err := audit.Verify(bytes.NewReader(b), audit.Head{}); err != nil {
			t.Errorf("cut to %d entries: %v", n, err)
		}
		if _, err := audit.Verify(bytes.NewReader(b), known); !errors.Is(err, audit.ErrHead) {
			t.Errorf("cut to %d entries, with head: %v", n, err)
		}
	}
	// The whole file made anew by someone who knows the format: a sound chain, but not the one whose head is known.
	other := filepath.Join(t.TempDir(), "audit.log")
	o := open(t, other)
	if err := o.As("mallory").Audit(ctx, "x", "y"); err != nil {
		t.Fatal(err)
	}
	write(t, o, 7)
	if _, err := audit.VerifyFile(other, known); !errors.Is(err, audit.ErrHead) {
		t.Errorf("forged: %v", err)
	}
	if _, err := audit.Verify(bytes.NewReader(good), known); err != nil {
		t.Errorf("the original: %v", err)
	}
}

// A torn last line, cut anywhere, is reported, kept, and explained by the next entry; nothing is removed.
func TestTornTailIsRepairedHonestly(t *testing.T) {
	src := filepath.Join(t.TempDir(), "audit.log")
	write(t, open(t, src), 3)
	good := read(t, src)
	l := lines(good)
	start := len(good) - len(l[2])
	for cut := start + 1; cut < len(good)-1; cut += 3 {
		path := filepath.Join(t.TempDir(), "audit.log")
		if err := os.WriteFile(path, good[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		rep, err := audit.VerifyFile(path, audit.Head{})
		if err != nil || rep.Torn != int64(cut-start) || rep.Head.Seq != 2 {
			t.Fatalf("cut at %d: %+v, %v", cut, rep, err)
		}
		log := open(t, path)
		write(t, log, 2)
		b := read(t, path)
		if !bytes.HasPrefix(b, good[:cut]) {
			t.Fatal("something was removed")
		}
		rep, err = audit.VerifyFile(path, head(t, log))
		if err != nil || rep.Torn != 0 || rep.Head.Seq != 5 || len(rep.Repairs) != 1 || rep.Repairs[0] != (audit.Repair{Seq: 3, Offset: int64(start), Bytes: int64(cut - start + 1)}) {
			t.Fatalf("cut at %d: %+v, %v", cut, rep, err)
		}
		// The torn bytes cannot be changed afterwards either.
		b[start] ^= 1
		var bad *audit.VerifyError
		if _, err := audit.Verify(bytes.NewReader(b), audit.Head{}); !errors.As(err, &bad) || bad.Seq != 3 {
			t.Fatalf("torn bytes altered: %v", err)
		}
	}
}

// An entry that lacks only its newline is whole: it is completed, not repaired.
func TestEntryWithoutNewlineIsCompleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	write(t, open(t, path), 3)
	good := read(t, path)
	if err := os.WriteFile(path, good[:len(good)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, path)
	write(t, l, 1)
	if rep, err := audit.VerifyFile(path, head(t, l)); err != nil || rep.Head.Seq != 4 || rep.Repairs != nil || !bytes.HasPrefix(read(t, path), good) {
		t.Errorf("%+v, %v", rep, err)
	}
}

// A repair that is torn itself, at any byte, is repaired as well.
func TestTornRepair(t *testing.T) {
	src := filepath.Join(t.TempDir(), "audit.log")
	write(t, open(t, src), 2)
	good := read(t, src)
	torn := append(slices.Clone(good), good[:50]...)
	if err := os.WriteFile(src, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, open(t, src), 1)
	repaired := read(t, src)
	end := len(torn) + 1 + bytes.IndexByte(repaired[len(torn)+1:], '\n')
	for cut := len(torn); cut <= end; cut++ {
		path := filepath.Join(t.TempDir(), "audit.log")
		if err := os.WriteFile(path, repaired[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, path)
		write(t, l, 1)
		rep, err := audit.VerifyFile(path, head(t, l))
		if err != nil || len(rep.Repairs) != 1 || rep.Head.Seq != 4 {
			t.Fatalf("cut at %d: %+v, %v", cut, rep, err)
		}
	}
}

func TestBrokenLogTakesNoMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	write(t, l, 5)
	good := read(t, path)
	three := join(lines(good)[:3])
	if err := os.WriteFile(path, three, 0o600); err != nil { // cut while the log is open: this process remembers
		t.Fatal(err)
	}
	if err := l.As("1001").Audit(ctx, "a", "o"); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("after a cut: %v", err)
	}
	if got := read(t, path); !bytes.Equal(got, three) {
		t.Error("appended to a broken log")
	}
	noise := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(noise, bytes.Repeat([]byte("x"), 10*audit.MaxEntry), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(audit.Config{Path: noise}); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("noise: %v", err)
	}
	if _, err := audit.Open(audit.Config{}); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("no path: %v", err)
	}
}

func TestFailsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	write(t, l, 1)
	before := read(t, path)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := l.As("1001").Audit(cancelled, "a", "o"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if err := l.As("1001").Audit(ctx, "a", "o"); !errors.Is(err, audit.ErrClosed) {
		t.Error(err)
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("something was written")
	}
	if full, err := audit.Open(audit.Config{Path: "/dev/full"}); err == nil { // a disk without room
		defer full.Close()
		if err := full.As("1001").Audit(ctx, "a", "o"); err == nil {
			t.Error("an entry was kept on a full disk")
		}
	}
}

// appendUntilKilled is the child: it appends as fast as it can and says how far it got after each entry.
func appendUntilKilled(path string) {
	l, err := audit.Open(audit.Config{Path: path})
	if err != nil {
		panic(err)
	}
	for i := 0; i < 100_000; i++ {
		if err := l.As("child").Audit(ctx, "count", fmt.Sprint(i), slog.String("pad", strings.Repeat("x", 2000))); err != nil {
			panic(err)
		}
		fmt.Println(i)
	}
}

// A child is killed while this process appends to the same log: no entry that was acknowledged is lost, and the chain holds.
func TestTwoProcessesAndKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, path)
	acknowledged, mine := -1, 0
	for range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childEnv+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(out)
		for n := 0; n < 20 && in.Scan(); n++ {
			if err := l.As("parent").Audit(ctx, "count", fmt.Sprint(n)); err != nil {
				t.Fatal(err)
			}
			mine++
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		last := 19
		for in.Scan() { // what it had still said
			last++
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child was not killed")
		}
		acknowledged += last + 1
	}
	write(t, l, 1)
	rep, err := audit.VerifyFile(path, head(t, l))
	if err != nil {
		t.Fatal(err)
	}
	var child, parent int
	for e, err := range audit.Entries(bytes.NewReader(read(t, path))) {
		if err != nil {
			t.Fatal(err)
		}
		switch e.Actor {
		case "child":
			child++
		case "parent":
			parent++
		}
	}
	if child < acknowledged || parent != mine || rep.Head.Seq != uint64(child+parent+1+len(rep.Repairs)) {
		t.Errorf("%d of child's %d, %d of parent's %d, %+v", child, acknowledged, parent, mine, rep)
	}
}

func TestConcurrentAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	logs := []*audit.Log{open(t, path), open(t, path)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { write(t, logs[i%2], 25) })
	}
	wg.Wait()
	rep, err := audit.VerifyFile(path, head(t, logs[0]))
	if err != nil || rep.Head.Seq != 200 || head(t, logs[0]) != head(t, logs[1]) {
		t.Errorf("%+v, %v", rep, err)
	}
}

// What Verify accepts is a log: its entries are numbered, linked, and changing any byte is noticed. No input makes it panic.
func FuzzVerify(f *testing.F) {
	path := filepath.Join(f.TempDir(), "audit.log")
	write(f, open(f, path), 2)
	good := read(f, path)
	f.Add(good)
	f.Add(append(slices.Clone(good), "torn"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		rep, err := audit.Verify(bytes.NewReader(b), audit.Head{})
		n := uint64(0)
		for e, eerr := range audit.Entries(bytes.NewReader(b)) {
			if eerr != nil {
				if err == nil {
					t.Error(eerr)
				}
				return
			}
			if n++; e.Seq != n {
				t.Errorf("entry %d has number %d", n, e.Seq)
			}
		}
		if err != nil || n != rep.Head.Seq || rep.Torn > int64(len(b)) {
			t.Errorf("%+v, %v; %d entries", rep, err, n)
		}
	})
}

func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.log")
	log, err := audit.Open(audit.Config{Path: path})
	if err != nil {
		panic(err)
	}
	supervisor := log.As("boss") // fits the Auditor port of the other packages
	fmt.Println(supervisor.Audit(context.Background(), "recording.listen", "r1", slog.Bool("allowed", true)))
	head, err := log.Head() // to be kept somewhere else
	fmt.Println(head.Seq, err, log.Close())

	report, err := audit.VerifyFile(path, head)
	fmt.Println(report.Head.Seq, report.Torn, err)
	// Output:
	// <nil>
	// 1 <nil> <nil>
	// 1 0 <nil>
}
