package branch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/sip/branch"
)

// entry is a valid one.
func entry(n int) branch.CDR {
	return branch.CDR{
		ID: fmt.Sprintf("%032x", n), From: "1001", To: "1002", Route: branch.Internal, Start: noon, Answered: noon.Add(time.Second), End: noon.Add(time.Minute),
		Outcome: branch.Answered,
	}
}

func openJournal(t require.TestingT, path string) (*branch.Journal, branch.Recovery) {
	j, rec, err := branch.OpenJournal(path)
	require.NoError(t, err)
	return j, rec
}

// sinkFunc is a Sink that a test writes.
type sinkFunc func(cdrs []branch.CDR) error

func (f sinkFunc) Put(_ context.Context, cdrs []branch.CDR) error { return f(cdrs) }

// sent is what a journal would send.
func sent(t require.TestingT, j *branch.Journal) []string {
	ids, stop := []string{}, errors.New("not kept")
	err := j.Send(context.Background(), sinkFunc(func(cdrs []branch.CDR) error {
		for _, c := range cdrs {
			ids = append(ids, c.ID)
		}
		return stop
	}))
	if err != nil {
		require.ErrorIs(t, err, stop)
	}
	return ids
}

func TestJournalIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := openJournal(t, path)
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	_, _, err = branch.OpenJournal(path)
	require.ErrorContains(t, err, "in use", "two writers would tear each other's lines")
	require.NoError(t, j.Close())
	require.ErrorIs(t, j.End(entry(1)), branch.ErrBroken)

	require.NoError(t, os.Chmod(path, 0o640))
	_, _, err = branch.OpenJournal(path)
	require.ErrorContains(t, err, "only its owner")
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(path, link))
	_, _, err = branch.OpenJournal(link)
	require.Error(t, err)
	bad := entry(1)
	bad.To = "10\n02"
	j, _ = openJournal(t, filepath.Join(t.TempDir(), "k"))
	require.ErrorIs(t, j.End(bad), branch.ErrCDR)
	require.NoError(t, j.Close())
}

func TestCallsInProgressAreNotForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := openJournal(t, path)
	require.NoError(t, j.Begin(entry(1)))
	require.NoError(t, j.Begin(entry(2)))
	require.NoError(t, j.End(entry(2)))
	require.NoError(t, j.Close())

	for range 2 { // the second time they are not found interrupted once more
		j, rec := openJournal(t, path)
		require.Zero(t, rec.Torn+int64(rec.Damaged))
		require.Equal(t, 2, j.Pending())
		require.Equal(t, []string{entry(2).ID, entry(1).ID}, sent(t, j))
		require.NoError(t, j.Close())
	}
	j, _ = openJournal(t, path)
	var got []branch.CDR
	require.NoError(t, j.Send(context.Background(), sinkFunc(func(cdrs []branch.CDR) error { got = append(got, cdrs...); return nil })))
	require.Equal(t, branch.Interrupted, got[1].Outcome)
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Zero(t, st.Size(), "what was acknowledged does not stay here")
	require.NoError(t, j.Close())
}

// What was acknowledged before a refusal, or a crash, is not sent again.
func TestProgressIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := openJournal(t, path)
	for n := range 250 {
		require.NoError(t, j.End(entry(n)))
	}
	left := 2
	require.Error(t, j.Send(context.Background(), sinkFunc(func([]branch.CDR) error {
		if left--; left < 0 {
			return errors.New("refused")
		}
		return nil
	})))
	require.NoError(t, j.Close())
	j, _ = openJournal(t, path)
	require.Equal(t, 50, j.Pending())
	require.Equal(t, entry(200).ID, sent(t, j)[0])
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, j.Send(ctx, sinkFunc(func([]branch.CDR) error { return nil })), context.Canceled)
	require.Equal(t, 50, j.Pending())
	require.NoError(t, j.Close())
}

// A crash may cut the file anywhere: what stands before the cut is there afterwards, in order, and the journal can be written again.
func TestCrashAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "j")
	j, _ := openJournal(t, path)
	var ends []int64
	for n := range 4 {
		require.NoError(t, j.End(entry(n)))
		st, err := os.Stat(path)
		require.NoError(t, err)
		ends = append(ends, st.Size())
	}
	require.NoError(t, j.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	cut := filepath.Join(dir, "cut")
	for n := range len(whole) + 1 {
		require.NoError(t, os.WriteFile(cut, whole[:n], 0o600))
		want, last := []string{}, int64(0)
		for i, e := range ends {
			if int64(n) >= e {
				want, last = append(want, entry(i).ID), e
			}
		}
		j, rec := openJournal(t, cut)
		require.Equal(t, int64(n)-last, rec.Torn)
		require.Zero(t, rec.Damaged)
		require.NoError(t, j.End(entry(9)))
		require.NoError(t, j.Close())
		j, rec = openJournal(t, cut)
		require.Zero(t, rec.Torn)
		require.Equal(t, append(want, entry(9).ID), sent(t, j))
		require.NoError(t, j.Close())
	}
}

func TestDamageIsReportedAndTheRestKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := openJournal(t, path)
	for n := range 3 {
		require.NoError(t, j.End(entry(n)))
	}
	require.NoError(t, j.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
	j, rec := openJournal(t, path)
	require.Equal(t, 1, rec.Damaged)
	require.Equal(t, []string{entry(0).ID, entry(2).ID}, sent(t, j))
	require.NoError(t, j.Close())
}

// However calls, lost answers, refusals and crashes are mixed, also between an acknowledgement and its mark: every entry is kept exactly once, in order.
func TestExactlyOnce(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		path, kept := filepath.Join(dir, fmt.Sprint("j", run)), filepath.Join(dir, fmt.Sprint("s", run))
		j, _ := openJournal(t, path)
		store, _, err := branch.OpenFileStore(kept)
		require.NoError(t, err)
		written := 0
		crash := func(before []byte) { // the process ends; before, if not nil, is what had reached the disk
			require.NoError(t, j.Close())
			if before != nil {
				require.NoError(t, os.WriteFile(path, before, 0o600))
			}
			j, _ = openJournal(t, path)
			require.NoError(t, store.Close())
			store, _, err = branch.OpenFileStore(kept)
			require.NoError(t, err)
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				for range rapid.IntRange(1, 150).Draw(t, "calls") {
					written++
					require.NoError(t, j.End(entry(written)))
				}
			case 1:
				crash(nil)
			default:
				tries, fate := 0, rapid.IntRange(0, 2).Draw(t, "fate")
				var unmarked []byte
				sendErr := j.Send(context.Background(), sinkFunc(func(cdrs []branch.CDR) error {
					tries++
					if fate == 0 && tries == 2 {
						return errors.New("refused")
					}
					part := cdrs
					if fate == 1 && tries == 2 {
						part = cdrs[:len(cdrs)/2]
					}
					if len(part) > 0 {
						require.NoError(t, store.Add(context.Background(), "b", part))
					}
					if fate == 1 && tries >= 1 {
						return errors.New("the answer was lost")
					}
					if fate == 2 && tries == 1 {
						unmarked, err = os.ReadFile(path)
						require.NoError(t, err)
					}
					return nil
				}))
				_ = sendErr // what is left is checked below
				if unmarked != nil {
					crash(unmarked) // acknowledged, and ended before the mark was on disk
				}
			}
		}
		require.NoError(t, j.Send(context.Background(), sinkFunc(func(cdrs []branch.CDR) error { return store.Add(context.Background(), "b", cdrs) })))
		require.Zero(t, j.Pending())
		n := 0
		require.NoError(t, store.Each(func(from string, c branch.CDR) error {
			n++
			require.Equal(t, "b", from)
			require.Equal(t, entry(n), c)
			return nil
		}))
		require.Equal(t, written, n)
		require.Equal(t, written, store.Len())
		require.NoError(t, j.Close())
		require.NoError(t, store.Close())
	})
}

func FuzzOpenJournal(f *testing.F) {
	path := filepath.Join(f.TempDir(), "j")
	j, _ := openJournal(f, path)
	require.NoError(f, j.Begin(entry(1)))
	require.NoError(f, j.End(entry(2)))
	require.NoError(f, j.Close())
	seed, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(seed)
	f.Add(bytes.Repeat([]byte("x"), 70<<10))
	f.Add([]byte("00000000 \n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "j")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		j, _ := openJournal(t, path)
		want := append(sent(t, j), entry(77).ID)
		require.NoError(t, j.End(entry(77)))
		require.NoError(t, j.Close())
		j, rec := openJournal(t, path)
		require.Zero(t, rec.Torn, "what was torn was dropped the first time")
		require.Equal(t, want[:min(len(want), 100)], sent(t, j))
		require.NoError(t, j.Close())
	})
}
