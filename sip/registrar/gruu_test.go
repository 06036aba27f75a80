package registrar_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/registrar/registrartest"
)

func device(instance string, reg uint32, flow, callID string, seq uint32) registrar.Binding {
	return registrar.Binding{
		Contact: "sip:1001@" + flow, Flow: flow, Instance: instance, RegID: reg, CallID: callID, CSeq: seq, Q: 1000, Expires: noon.Add(time.Hour),
	}
}

func TestFlowsOfOneDevice(t *testing.T) {
	r := registrar.New(registrar.Config{})
	up := func(b registrar.Binding, at time.Time) {
		_, err := r.Update("acme", "1001", []registrar.Binding{b}, at)
		require.NoError(t, err)
	}
	up(device("urn:uuid:1", 1, "f1", "c", 1), noon)
	up(device("urn:uuid:1", 2, "f2", "c", 2), noon.Add(time.Second))
	up(device("urn:uuid:2", 1, "f3", "d", 1), noon.Add(2*time.Second))
	ds := r.Devices("acme", "1001", noon.Add(3*time.Second))
	require.Len(t, ds, 2, "two devices, whatever their flows")
	require.Equal(t, "f3", ds[0][0].Flow)
	require.Equal(t, []string{"f2", "f1"}, []string{ds[1][0].Flow, ds[1][1].Flow}, "the flow that registered last first")

	up(device("urn:uuid:1", 1, "f4", "c", 3), noon.Add(3*time.Second))
	require.Len(t, r.Lookup("acme", "1001", noon.Add(3*time.Second)), 3, "the same reg-id takes the place of its flow")
	r.DropFlow("f4")
	require.Equal(t, "f2", r.Devices("acme", "1001", noon.Add(4*time.Second))[1][0].Flow)
}

func TestGRUU(t *testing.T) {
	r := registrar.New(registrar.Config{})
	up := func(user string, b registrar.Binding) registrar.Binding {
		bs, err := r.Update("acme", user, []registrar.Binding{b}, noon)
		require.NoError(t, err)
		for _, got := range bs {
			if got.Instance == b.Instance {
				return got
			}
		}
		return registrar.Binding{}
	}
	finds := func(uri string) string {
		user, flows, ok := r.Resolve("acme", uri, noon)
		if !ok {
			return "nobody"
		}
		for _, f := range flows {
			user += " " + f.Flow
		}
		return user
	}
	b := up("1001", device("urn:uuid:1", 1, "f1", "c", 1))
	up("1001", device("urn:uuid:2", 1, "f2", "d", 1))
	pub := registrar.PublicGRUU("1001", "acme.test", "urn:uuid:1")
	require.Equal(t, "sip:1001@acme.test;gr=urn:uuid:1", pub)
	require.Equal(t, "1001 f1", finds(pub), "one device of two")
	require.Equal(t, "nobody", finds("sip:1001@acme.test"))
	require.Equal(t, "nobody", finds("sip:1002@acme.test;gr=urn:uuid:1"), "the device of somebody else")
	require.Empty(t, registrar.PublicGRUU("1001", "acme.test", "urn:x;y>"), "what cannot stand in a URI")

	one, two := r.TemporaryGRUU(b, "acme.test"), r.TemporaryGRUU(b, "acme.test")
	require.NotEqual(t, one, two)
	require.NotContains(t, one, "1001")
	require.Equal(t, "1001 f1", finds(one))
	require.Equal(t, "1001 f1", finds(two))
	_, _, ok := r.Resolve("globex", one, noon)
	require.False(t, ok, "an address of another realm")
	for i := len("sip:"); i < strings.IndexByte(one, '@'); i++ {
		forged := []byte(one)
		forged[i] ^= 1
		require.Equal(t, "nobody", finds(string(forged)), "a changed address")
	}
	_, _, ok = registrar.New(registrar.Config{}).Resolve("acme", one, noon)
	require.False(t, ok, "sealed with another key")

	b = up("1001", device("urn:uuid:1", 1, "f1", "c", 2))
	require.Equal(t, "1001 f1", finds(one), "a refresh keeps what was handed out")
	r.DropFlow("f1")
	require.Equal(t, "1001", finds(one), "known, and not reachable")
	up("1001", device("urn:uuid:1", 1, "f3", "c", 3))
	require.Equal(t, "1001 f3", finds(one), "the same Call-ID over another connection")
	up("1001", device("urn:uuid:1", 1, "f4", "other", 1))
	require.Equal(t, "nobody", finds(one), "another Call-ID ends them (RFC 5627 section 3.1)")
	require.Equal(t, "1001 f4", finds(pub))
	require.Equal(t, "nobody", finds(r.TemporaryGRUU(b, "acme.test")), "made from a binding that is over")
	_, _, ok = r.Resolve("acme", pub, noon.Add(2*time.Hour))
	require.False(t, ok, "expired")
}

func TestKeyIsNotPrinted(t *testing.T) {
	cfg := registrar.Config{Key: registrar.Key{0xAB, 0xCD}}
	j, err := json.Marshal(cfg.Key)
	require.NoError(t, err)
	for _, s := range []string{fmt.Sprint(cfg.Key), fmt.Sprintf("%x", cfg.Key), fmt.Sprintf("%#v", cfg.Key), fmt.Sprintf("%+v", struct{ K registrar.Key }{cfg.Key}), string(j), slog.AnyValue(cfg.Key).Resolve().String()} {
		require.Contains(t, s, "[redacted]")
		require.NotContains(t, strings.ToLower(s), "abcd")
	}
}

func TestEvents(t *testing.T) {
	var told []string
	r := registrar.New(registrar.Config{OnEvent: func(e registrar.Event) { told = append(told, fmt.Sprint(e.User, " ", e.Binding.Contact, " ", e.Kind)) }})
	up := func(b registrar.Binding) {
		_, err := r.Update("acme", "1", []registrar.Binding{b}, noon)
		require.NoError(t, err)
	}
	up(binding("a", "c", 1, noon.Add(time.Minute)))
	up(binding("a", "c", 2, noon.Add(time.Minute)))
	r.DropFlow("tls/a")
	up(binding("a", "c", 3, noon.Add(time.Minute)))
	up(binding("a", "c", 4, noon))
	up(binding("b", "d", 1, noon.Add(time.Minute)))
	up(binding("c", "e", 1, noon.Add(time.Hour)))
	r.Expire(noon.Add(time.Minute))
	r.Deactivate("acme", "1")
	require.Equal(t, []string{
		"1 a registered", "1 a refreshed", "1 a deactivated", "1 a registered", "1 a unregistered", "1 b registered", "1 c registered", "1 b expired", "1 c deactivated",
	}, told)
}

func TestLifetimes(t *testing.T) {
	r := registrar.New(registrar.Config{MinExpires: time.Minute, MaxExpires: time.Hour})
	for asked, want := range map[time.Duration]time.Duration{0: 0, time.Minute: time.Minute, 30 * time.Minute: 30 * time.Minute, 1<<63 - 1: time.Hour} {
		got, err := r.Grant(asked)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	least, err := r.Grant(time.Minute - 1)
	require.ErrorIs(t, err, registrar.ErrTooBrief)
	require.Equal(t, time.Minute, least)
}

// A write that fails is made good by the next, and never undoes a newer one.
func TestFlushTriesAgain(t *testing.T) {
	ctx, store := context.Background(), &registrartest.Memory{Fail: errors.New("disk full")}
	r, err := registrar.Open(ctx, registrar.Config{}, store, noon)
	require.NoError(t, err)
	_, err = r.Update("acme", "1", []registrar.Binding{binding("a", "c", 1, noon.Add(time.Hour))}, noon)
	require.NoError(t, err, "a phone does not wait for the disk")
	require.ErrorIs(t, r.Flush(ctx), store.Fail)
	store.Fail = nil
	require.NoError(t, r.Flush(ctx))
	again, err := registrar.Open(ctx, registrar.Config{}, store, noon)
	require.NoError(t, err)
	require.Len(t, again.Known("acme", "1", noon), 1)
	later, err := registrar.Open(ctx, registrar.Config{}, store, noon.Add(2*time.Hour))
	require.NoError(t, err)
	require.Empty(t, later.Known("acme", "1", noon), "over before the start")
	require.NoError(t, later.Flush(ctx))
	for range store.Load(ctx) {
		t.Fatal("what is over stays in the store")
	}
}

func FuzzResolve(f *testing.F) {
	r := registrar.New(registrar.Config{})
	bs, err := r.Update("acme", "1001", []registrar.Binding{device("urn:uuid:1", 1, "f1", "c", 1)}, noon)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(registrar.PublicGRUU("1001", "acme.test", "urn:uuid:1"))
	f.Add("sip:@;gr")
	f.Add("sips:1001@acme.test;gr;x=y?h=v")
	sealed := r.TemporaryGRUU(bs[0], "acme.test")
	f.Fuzz(func(t *testing.T, uri string) {
		user, flows, ok := r.Resolve("acme", uri, noon)
		if !ok {
			return
		}
		if user != "1001" || len(flows) != 1 {
			t.Fatalf("%q is %q %v", uri, user, flows)
		}
		token, _, _ := strings.Cut(strings.TrimPrefix(sealed, "sip:"), "@")
		if !strings.Contains(uri, "gr=urn:uuid:1") && !strings.Contains(strings.ToLower(uri), "gr=urn:uuid:1") && !strings.Contains(uri, token) {
			t.Fatalf("%q resolves", uri)
		}
	})
}
