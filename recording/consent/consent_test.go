package consent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/consent"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestDecide(t *testing.T) {
	rules := consent.Defaults()
	person := func(place string, said consent.Said) consent.Person {
		return consent.Person{Name: "one in " + place, Place: place, Said: said}
	}
	for _, x := range []struct {
		name   string
		people []consent.Person
		ok     bool
		need   consent.Need
		place  string
	}{
		{"nobody", nil, false, 0, ""},
		{"everyone agreed", []consent.Person{person("DE", consent.Agreed), person("DE", consent.Agreed)}, true, consent.Everyone, "DE"},
		{"told is not agreed", []consent.Person{person("DE", consent.Told), person("DE", consent.Agreed)}, false, consent.Everyone, "DE"},
		{"told is enough", []consent.Person{person("GB", consent.Told), person("GB", consent.Agreed)}, true, consent.Notice, "GB"},
		{"one was not told", []consent.Person{person("GB", consent.Nothing), person("GB", consent.Agreed)}, false, consent.Notice, "GB"},
		{"one knows", []consent.Person{person("US-NY", consent.Nothing), person("US-NY", consent.Agreed)}, true, consent.OneParty, "US"},
		{"nobody knows", []consent.Person{person("US-NY", consent.Nothing), person("US-NY", consent.Nothing)}, false, consent.OneParty, "US"},
		{"the stricter place", []consent.Person{person("US-NY", consent.Agreed), person("US-CA", consent.Told)}, false, consent.Everyone, "US-CA"},
		{"somewhere in a divided country", []consent.Person{person("US", consent.Told)}, false, consent.Everyone, "US-CA"},
		{"an unknown part of a country with one rule", []consent.Person{person("DE-BY", consent.Agreed)}, true, consent.Everyone, "DE"},
		{"an unknown place", []consent.Person{person("XX", consent.Told), person("GB", consent.Agreed)}, false, consent.Everyone, ""},
		{"no place", []consent.Person{person("", consent.Agreed)}, true, consent.Everyone, ""},
		{"a place in small letters is unknown", []consent.Person{person("gb", consent.Told)}, false, consent.Everyone, ""},
		{"refused, though one would do", []consent.Person{person("US-NY", consent.Refused), person("US-NY", consent.Agreed)}, false, consent.OneParty, "US"},
		{"a word that is none", []consent.Person{person("US-NY", consent.Said(9))}, false, consent.OneParty, "US"},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := rules.Decide(x.people)
			assert.Equal(t, x.ok, d.Allowed, d.Reason)
			assert.Equal(t, x.need, d.Need)
			assert.Equal(t, x.place, d.Place)
			assert.NotEmpty(t, d.Reason)
			assert.Equal(t, x.place != "", d.Source != "")
		})
	}
	assert.False(t, consent.Table(nil).Decide([]consent.Person{person("US-NY", consent.Told)}).Allowed, "no table, no exceptions")
}

// Nobody who joins makes a recording more allowed, nor anything that is taken back, and a refusal is the end of it.
func TestDecideIsMonotonic(t *testing.T) {
	rules := consent.Defaults()
	places := []string{"", "DE", "GB", "US", "US-NY", "US-CA", "XX"}
	rapid.Check(t, func(t *rapid.T) {
		person := func(label string) consent.Person {
			return consent.Person{Name: "p", Place: rapid.SampledFrom(places).Draw(t, label+" place"), Said: consent.Said(rapid.IntRange(0, 3).Draw(t, label+" said"))}
		}
		people := make([]consent.Person, rapid.IntRange(1, 4).Draw(t, "people"))
		for i := range people {
			people[i] = person(fmt.Sprint(i))
		}
		d := rules.Decide(people)
		for _, p := range people {
			if p.Said == consent.Refused && d.Allowed {
				t.Fatalf("allowed against a refusal: %v", people)
			}
		}
		silent := person("newcomer")
		silent.Said = consent.Nothing
		if more := rules.Decide(append(people[:len(people):len(people)], silent)); more.Allowed && !d.Allowed {
			t.Fatalf("%v is allowed with a silent one more", people)
		} else if more.Need > d.Need {
			t.Fatalf("the need fell from %v to %v", d.Need, more.Need)
		}
		if d.Allowed {
			for i := range people {
				if people[i].Said = consent.Agreed; !rules.Decide(people).Allowed {
					t.Fatalf("an agreement took the permission away: %v", people)
				}
			}
		}
	})
}

// call is a Gate over a vault in memory, with a clock that stands still unless moved.
type call struct {
	t       *testing.T
	vault   *recording.Vault
	blobs   *recordingtest.Blobs
	catalog *recordingtest.Catalog
	gate    *consent.Gate
	now     time.Time
	fail    error
	said    []consent.Decision
}

func newCall(t *testing.T) *call {
	t.Helper()
	c := &call{t: t, blobs: &recordingtest.Blobs{}, catalog: &recordingtest.Catalog{}, now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return c.now }
	var err error
	c.vault, err = recording.New(recording.Config{Blobs: c.blobs, Catalog: c.catalog, Keys: recordingtest.NewKeys(1), Place: recording.Place{Owner: "acme"},
		Authorizer: recordingtest.Allow{}, Auditor: &recordingtest.Audit{}, Now: clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.vault.Close()) })
	c.gate, err = consent.NewGate(consent.Config{Rules: consent.Defaults(), Parties: 2, Now: clock, Decided: func(d consent.Decision) { c.said = append(c.said, d) },
		Create: func(ctx context.Context) (*recording.Track, error) {
			if c.fail != nil {
				return nil, c.fail
			}
			return c.vault.Create(ctx, recording.Meta{ID: "r", Parties: []string{"caller", "agent"}})
		}})
	require.NoError(t, err)
	return c
}

func (c *call) join(name, place string, said consent.Said) int {
	c.t.Helper()
	n, err := c.gate.Join(context.Background(), consent.Person{Name: name, Place: place, Said: said})
	require.NoError(c.t, err)
	return n
}

// speak sends half a second of one byte from both parties.
func (c *call) speak(caller, agent *consent.Tap, from time.Duration, b byte) time.Duration {
	for range 25 {
		for _, tap := range []*consent.Tap{caller, agent} {
			tap.WriteFrame(from, recording.PCMU, bytes.Repeat([]byte{b}, 160))
		}
		from += 20 * time.Millisecond
		c.now = c.now.Add(20 * time.Millisecond)
	}
	return from
}

// stored returns the G.711 bytes of the recording, of each party, as they were on the wire.
func (c *call) stored() map[byte]int {
	c.t.Helper()
	a, err := c.vault.For(recordingtest.Allow{}, &recordingtest.Audit{})
	require.NoError(c.t, err)
	p, err := a.Because("test").Open(context.Background(), "r")
	require.NoError(c.t, err)
	defer p.Close()
	count := map[byte]int{}
	for party := range 2 {
		pcm := make([]int16, 8000*60)
		n, err := p.ReadPCM(party, pcm, 0)
		if !errors.Is(err, io.EOF) {
			require.NoError(c.t, err)
		}
		for _, s := range pcm[:n] {
			count[spoken(s)]++
		}
	}
	return count
}

// The bytes that are spoken in these tests and their linear values by G.711's table.
var words = map[int16]byte{-32124: 0x00, -15996: 0x10, -7932: 0x20, -3900: 0x30}

func spoken(s int16) byte {
	if b, ok := words[s]; ok {
		return b
	}
	return 0xff // silence
}

func TestNoFrameBeforeTheDecision(t *testing.T) {
	c := newCall(t)
	ctx := context.Background()
	caller, agent := c.gate.Tap(0), c.gate.Tap(1)
	at := c.speak(caller, agent, 0, 0x10)
	assert.Nil(t, c.gate.Track(), "there is no recording to put anything into")
	who := c.join("caller", "DE", consent.Nothing)
	c.join("agent", "DE", consent.Agreed)
	at = c.speak(caller, agent, at, 0x10)
	assert.False(t, c.gate.Decision().Allowed)
	require.NoError(t, c.gate.Say(ctx, who, consent.Told))
	at = c.speak(caller, agent, at, 0x10)
	require.NoError(t, c.gate.Say(ctx, who, consent.Agreed))
	require.True(t, c.gate.Decision().Allowed)
	// A packet that was on its way: what it holds was said before.
	caller.WriteFrame(at-100*time.Millisecond, recording.PCMU, bytes.Repeat([]byte{0x10}, 160))
	c.speak(caller, agent, at, 0x20)
	assert.EqualValues(t, 76, caller.Dropped())
	require.NoError(t, c.gate.Close(ctx))
	got := c.stored()
	assert.Zero(t, got[0x10], "heard before the decision")
	assert.Equal(t, 2*25*160, got[0x20])
	require.Len(t, c.said, 2, "each change is told once")
	assert.False(t, c.said[0].Allowed)
	assert.True(t, c.said[1].Allowed)
}

// A supervisor in a stricter place joins: nothing is stored until they have agreed, and then the recording goes on at the right time.
func TestWhoeverJoinsIsAskedFirst(t *testing.T) {
	c := newCall(t)
	ctx := context.Background()
	caller, agent := c.gate.Tap(0), c.gate.Tap(1)
	c.join("caller", "US-NY", consent.Told)
	c.join("agent", "US-NY", consent.Agreed)
	at := c.speak(caller, agent, 0, 0x10)
	boss := c.join("supervisor", "US-CA", consent.Nothing)
	assert.False(t, c.gate.Decision().Allowed)
	at = c.speak(caller, agent, at, 0x20)
	require.NoError(t, c.gate.Say(ctx, boss, consent.Agreed))
	assert.False(t, c.gate.Decision().Allowed, "California asks everyone, the caller included")
	at = c.speak(caller, agent, at, 0x20)
	require.NoError(t, c.gate.Leave(ctx, boss))
	assert.True(t, c.gate.Decision().Allowed)
	c.speak(caller, agent, at, 0x30)
	require.NoError(t, c.gate.Close(ctx))
	got := c.stored()
	assert.Equal(t, 2*25*160, got[0x10])
	assert.Zero(t, got[0x20])
	assert.Equal(t, 2*25*160, got[0x30])
	assert.Equal(t, 2*2*25*160, got[0xff], "the gap is as long as it was")
}

func TestWithdrawalPurges(t *testing.T) {
	c := newCall(t)
	ctx := context.Background()
	caller, agent := c.gate.Tap(0), c.gate.Tap(1)
	who := c.join("caller", "DE", consent.Agreed)
	c.join("agent", "DE", consent.Agreed)
	at := c.speak(caller, agent, 0, 0x10)
	require.NoError(t, c.gate.Say(ctx, who, consent.Refused))
	assert.Nil(t, c.gate.Track())
	d := c.gate.Decision()
	assert.False(t, d.Allowed)
	assert.Equal(t, "caller refused", d.Reason)
	c.speak(caller, agent, at, 0x10)
	e, err := c.catalog.Get(ctx, "r")
	require.NoError(t, err)
	assert.Equal(t, recording.StateDestroyed, e.State)
	assert.Empty(t, e.WrappedKey)
	_, err = c.blobs.Open(ctx, "r")
	require.ErrorIs(t, err, recording.ErrNotFound)
	// It is for good.
	require.ErrorIs(t, c.gate.Say(ctx, who, consent.Agreed), consent.ErrClosed)
	_, err = c.gate.Join(ctx, consent.Person{Name: "another", Said: consent.Agreed})
	require.ErrorIs(t, err, consent.ErrClosed)
	require.ErrorIs(t, c.gate.Close(ctx), consent.ErrClosed)
	require.NoError(t, c.gate.Withdraw(ctx, who), "again is no error")
}

// keepsKeys is a catalog that cannot destroy a key as often as fails says.
type keepsKeys struct {
	*recordingtest.Catalog
	fails int
}

var errCatalog = errors.New("database is locked")

func (k *keepsKeys) Shred(ctx context.Context, id string, at time.Time) error {
	if k.fails > 0 {
		k.fails--
		return errCatalog
	}
	return k.Catalog.Shred(ctx, id, at)
}

// A purge that fails is said to have failed, and tried again: by another Withdraw, or by Close at the latest.
func TestAPurgeThatFailsIsTriedAgain(t *testing.T) {
	ctx := context.Background()
	for name, again := range map[string]func(g *consent.Gate, who int) error{
		"Withdraw": func(g *consent.Gate, who int) error { return g.Withdraw(ctx, who) },
		"Close":    func(g *consent.Gate, _ int) error { return g.Close(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCall(t)
			catalog := &keepsKeys{Catalog: c.catalog, fails: 3} // Discard tries twice
			v, err := recording.New(recording.Config{Blobs: c.blobs, Catalog: catalog, Keys: recordingtest.NewKeys(1), Place: recording.Place{Owner: "acme"},
				Authorizer: recordingtest.Allow{}, Auditor: &recordingtest.Audit{}})
			require.NoError(t, err)
			require.NoError(t, c.vault.Close())
			c.vault = v // closed with the call
			who := c.join("caller", "GB", consent.Told)
			require.ErrorIs(t, c.gate.Withdraw(ctx, who), errCatalog)
			require.ErrorIs(t, again(c.gate, who), errCatalog)
			require.NotNil(t, c.gate.Track(), "it is not purged")
			require.NoError(t, again(c.gate, who))
			require.Nil(t, c.gate.Track())
			e, err := c.catalog.Get(ctx, "r")
			require.NoError(t, err)
			assert.Empty(t, e.WrappedKey)
			require.ErrorIs(t, c.gate.Close(ctx), consent.ErrClosed)
		})
	}
}

// A refusal before anything was stored leaves nothing behind, not even a row, and stands though the person leaves.
func TestARefusalBeforeTheRecording(t *testing.T) {
	c := newCall(t)
	ctx := context.Background()
	who := c.join("caller", "US-NY", consent.Nothing)
	require.NoError(t, c.gate.Say(ctx, who, consent.Refused))
	_, err := c.catalog.Get(ctx, "r")
	require.ErrorIs(t, err, recording.ErrNotFound)
}

func TestARecordingThatCannotBeMade(t *testing.T) {
	c := newCall(t)
	ctx := context.Background()
	c.fail = errors.New("no key service")
	caller, agent := c.gate.Tap(0), c.gate.Tap(1)
	_, err := c.gate.Join(ctx, consent.Person{Name: "caller", Place: "GB", Said: consent.Told})
	require.ErrorIs(t, err, c.fail)
	at := c.speak(caller, agent, 0, 0x10)
	assert.EqualValues(t, 25, caller.Dropped())
	c.fail = nil
	require.NoError(t, c.gate.Say(ctx, 0, consent.Agreed), "tried again with the next decision")
	c.speak(caller, agent, at, 0x20)
	require.NoError(t, c.gate.Close(ctx))
	assert.Zero(t, c.stored()[0x10])
	require.ErrorIs(t, c.gate.Say(ctx, 7, consent.Agreed), consent.ErrClosed)
	_, err = consent.NewGate(consent.Config{})
	require.ErrorIs(t, err, consent.ErrConfig)
}

// Once Withdraw has returned no frame is on its way, however many were being written.
func TestWithdrawalInTheMiddleOfIt(t *testing.T) {
	c := newCall(t)
	ctx := context.Background()
	taps := []*consent.Tap{c.gate.Tap(0), c.gate.Tap(1)}
	who := c.join("caller", "GB", consent.Told)
	track := c.gate.Track()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, tap := range taps {
		wg.Go(func() {
			for at := time.Duration(0); ; at += 20 * time.Millisecond {
				select {
				case <-stop:
					return
				default:
					tap.WriteFrame(at, recording.PCMU, make([]byte, 160))
				}
			}
		})
	}
	require.Eventually(t, func() bool { return track.Stats().Frames > 100 }, 5*time.Second, time.Millisecond)
	require.NoError(t, c.gate.Withdraw(ctx, who))
	before := taps[0].Dropped()
	require.Eventually(t, func() bool { return taps[0].Dropped() > before+100 }, 5*time.Second, time.Millisecond)
	close(stop)
	wg.Wait()
	assert.Zero(t, track.Stats().Late, "a frame reached the recording after the withdrawal")
}
