package registrar_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/sip/registrar"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func binding(contact, callID string, seq uint32, expires time.Time) registrar.Binding {
	return registrar.Binding{Contact: contact, Flow: "tls/" + contact, CallID: callID, CSeq: seq, Expires: expires}
}

func TestBindingsComeAndGo(t *testing.T) {
	var told []string
	r := registrar.New(registrar.Config{MaxBindings: 2, OnChange: func(realm, user string, up bool) { told = append(told, fmt.Sprint(realm, "/", user, " ", up)) }})
	up := func(user string, b registrar.Binding, now time.Time) error {
		_, err := r.Update("acme", user, []registrar.Binding{b}, now)
		return err
	}
	require.NoError(t, up("1001", binding("a", "c1", 1, noon.Add(time.Minute)), noon))
	require.NoError(t, up("1001", binding("b", "c2", 1, noon.Add(2*time.Minute)), noon))
	require.ErrorIs(t, up("1001", binding("c", "c3", 1, noon.Add(time.Minute)), noon), registrar.ErrTooMany)
	require.Equal(t, "b", r.Lookup("acme", "1001", noon)[0].Contact, "the one that lasts longest first")
	require.Empty(t, r.Lookup("globex", "1001", noon), "the same number of another realm is another user")

	require.ErrorIs(t, up("1001", binding("a", "c1", 1, noon.Add(time.Hour)), noon), registrar.ErrOutOfOrder, "a request that was overtaken must not win")
	require.NoError(t, up("1001", binding("a", "c1", 2, noon), noon), "expires=0 removes")
	require.Len(t, r.Lookup("acme", "1001", noon), 1)

	require.Empty(t, r.Lookup("acme", "1001", noon.Add(2*time.Minute)), "over at its time, not after it")
	r.Expire(noon.Add(2 * time.Minute))
	require.Zero(t, r.Len())

	require.NoError(t, up("1002", binding("d", "c4", 1, noon.Add(time.Minute)), noon))
	r.DropFlow("tls/d")
	require.Empty(t, r.Lookup("acme", "1002", noon), "a phone whose connection is gone cannot be rung")
	require.NoError(t, up("1002", binding("d", "c5", 1, noon.Add(time.Minute)), noon))
	r.Clear("acme", "1002")
	require.Equal(t, []string{"acme/1001 true", "acme/1001 false", "acme/1002 true", "acme/1002 false", "acme/1002 true", "acme/1002 false"}, told)
}

func TestDeviceReplacesItsOwnBinding(t *testing.T) {
	r := registrar.New(registrar.Config{})
	b := binding("sip:1001@10.0.0.1", "c1", 1, noon.Add(time.Minute))
	b.Instance = "urn:uuid:1"
	_, err := r.Update("acme", "1001", []registrar.Binding{b}, noon)
	require.NoError(t, err)
	b.Contact, b.CallID = "sip:1001@10.0.0.2", "c2"
	left, err := r.Update("acme", "1001", []registrar.Binding{b}, noon)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Equal(t, "sip:1001@10.0.0.2", left[0].Contact)
}

// What OnChange told must always be what Lookup says.
func TestNotificationsAgreeWithLookups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := map[string]bool{}
		r := registrar.New(registrar.Config{OnChange: func(realm, user string, up bool) {
			if state[user] == up {
				t.Fatalf("%s told %v twice", user, up)
			}
			state[user] = up
		}})
		now := noon
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			user := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "user")
			contact := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "contact")
			switch rapid.IntRange(0, 4).Draw(t, "verb") {
			case 0, 1:
				life := time.Duration(rapid.IntRange(0, 3).Draw(t, "life")) * time.Second
				_, _ = r.Update("x", user, []registrar.Binding{binding(contact, fmt.Sprint(i), 1, now.Add(life))}, now) // refused or not, the law must hold
			case 2:
				r.DropFlow("tls/" + contact)
			case 3:
				now = now.Add(time.Second)
				r.Expire(now)
			case 4:
				r.Clear("x", user)
			}
			r.Expire(now)
			for _, u := range []string{"1", "2"} {
				if got := len(r.Lookup("x", u, now)) > 0; got != state[u] {
					t.Fatalf("user %s: lookup says %v, told %v", u, got, state[u])
				}
			}
		}
	})
}
