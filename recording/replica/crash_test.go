package replica_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/replica"
)

// childEnv makes this test program the one that is killed: it writes recordings under the folder that it names, and prints what was acknowledged.
const childEnv = "RINGFENCE_REPLICA_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	leaktest.Main(m)
}

func child(dir string) error {
	first, err1 := filestore.Open(filepath.Join(dir, "first"))
	second, err2 := filestore.Open(filepath.Join(dir, "second"))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s, err := replica.Open(replica.Config{Primary: first, Secondary: second})
	if err != nil {
		return err
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ { // until it is killed
				id := fmt.Sprintf("r%d-%d", k, i)
				w, err := s.Create(context.Background(), id)
				if err != nil {
					return
				}
				sum := sha256.New()
				for range rand.IntN(20) {
					p := segment(rand.IntN(256))
					sum.Write(p)
					if _, err := w.Write(p); err != nil {
						return
					}
				}
				if w.Sync() == nil && w.Close() == nil {
					out.Lock()
					fmt.Printf("%s %x\n", id, sum.Sum(nil))
					out.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return errors.New("not killed")
}

// The machine with the primary dies for good, again and again: whatever was acknowledged is whole in the other place.
func TestTheAcknowledgedSurvivesTheLossOfAPlace(t *testing.T) {
	control.Proves(t, "AVA-08")
	for range 10 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		acknowledged := map[string]string{}
		killed := false
		when := 5 + rand.IntN(60) // so many acknowledgements later
		for lines := bufio.NewScanner(out); lines.Scan(); {
			id, sum, _ := strings.Cut(lines.Text(), " ")
			if acknowledged[id] = sum; len(acknowledged) >= when && !killed {
				require.NoError(t, cmd.Process.Kill())
				killed = true
			}
		}
		_ = cmd.Wait() // killed
		require.True(t, killed)
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "first")))
		second, err := filestore.Open(filepath.Join(dir, "second"))
		require.NoError(t, err)
		for id, sum := range acknowledged {
			require.Equal(t, sum, fmt.Sprintf("%x", sha256.Sum256(content(t, second, id))), id)
		}
	}
}

// A process that died is followed by one that brings the second place up to date.
func TestAfterACrashTheSecondPlaceCatchesUp(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for range 20 {
		require.True(t, lines.Scan())
	}
	require.NoError(t, cmd.Process.Kill())
	for lines.Scan() { // Wait must not close the pipe under the reader
	}
	_ = cmd.Wait() // killed
	first, err := filestore.Open(filepath.Join(dir, "first"))
	require.NoError(t, err)
	second, err := filestore.Open(filepath.Join(dir, "second"))
	require.NoError(t, err)
	s, err := replica.Open(replica.Config{Primary: first, Secondary: second})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.CatchUp(context.Background()))
	require.NoError(t, s.Flush(within(t, 20*time.Second)))
	n := 0
	for b, err := range first.List(context.Background()) {
		require.NoError(t, err)
		require.Equal(t, content(t, first, b.ID), content(t, second, b.ID), b.ID)
		n++
	}
	require.GreaterOrEqual(t, n, 20)
}

// A recording that is made while a hundred old ones are caught up with is acknowledged before them.
func TestCatchingUpHoldsNoCallUp(t *testing.T) {
	p := newPlaces(t, replica.Config{})
	require.NoError(t, p.Store.Close())
	for k := range 100 {
		w := create(t, p.first, fmt.Sprintf("old%d", k))
		write(t, w, segment(k))
		require.NoError(t, w.Close())
	}
	p.second.slow = make(chan struct{})
	p.open(t, replica.Config{Copiers: 1})
	t.Cleanup(func() { close(p.second.slow) }) // before the store is closed, which waits for the copier
	require.NoError(t, p.CatchUp(context.Background()))
	w := create(t, p.Store, "new")
	write(t, w, segment(1))
	synced := make(chan error, 1)
	go func() { synced <- w.Sync() }() // ends with the second write of the copier, or by Sync's own time
	for writes, acknowledged := 0, false; !acknowledged; {
		patience := time.Duration(0) // for the old one that the copier has, and the new one
		if writes >= 2 {             // the copier took another old one before it was known that somebody waits for the new one
			patience = time.Second
		}
		select {
		case err := <-synced:
			require.NoError(t, err)
			acknowledged = true
		case <-time.After(patience):
			require.Less(t, writes, 5, "the new one waits for the old ones")
			select {
			case p.second.slow <- struct{}{}:
				writes++
			case <-time.After(30 * time.Second):
				t.Fatal("the copier does not write")
			}
		}
	}
	require.GreaterOrEqual(t, p.Lag().Recordings, 94)
	require.NoError(t, w.Close())
}
