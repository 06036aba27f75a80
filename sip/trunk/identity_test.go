package trunk_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
	"github.com/ringfence/ringfence/sip/trunk"
)

func table(numbers ...string) func(context.Context, string) ([]string, error) {
	return func(_ context.Context, owner string) ([]string, error) {
		if owner != "acme" {
			return nil, nil
		}
		return numbers, nil
	}
}

func TestIdentityOnTheWire(t *testing.T) {
	const pai, ppi = "P-Asserted-Identity", "P-Preferred-Identity"
	for _, c := range []struct {
		name               string
		trusted, preferred bool
		call               trunk.Call
		from               string // part of From
		want               map[string]string
	}{
		{"untrusted", false, false, trunk.Call{Owner: "acme", From: "+4930111", FromName: `A "B" \C`}, "sip:+4930111@example.test", map[string]string{pai: "", ppi: "", "Privacy": ""}},
		{"untrusted, private", false, false, trunk.Call{Owner: "acme", From: "+4930111", Private: true}, "sip:anonymous@anonymous.invalid", map[string]string{pai: "", ppi: "", "Privacy": "id"}},
		{"trusted", true, false, trunk.Call{Owner: "acme", From: "+4930111", FromName: `A "B" \C`}, "sip:+4930111@example.test",
			map[string]string{pai: `"A \"B\" \\C" <sip:+4930111@example.test>`, ppi: "", "Privacy": ""}},
		{"trusted, private", true, false, trunk.Call{Owner: "acme", From: "+4930111", Private: true}, "sip:anonymous@anonymous.invalid",
			map[string]string{pai: "<sip:+4930111@example.test>", ppi: "", "Privacy": "id"}},
		{"preferred, private", false, true, trunk.Call{Owner: "acme", From: "+4930111", Private: true}, "sip:anonymous@anonymous.invalid",
			map[string]string{pai: "", ppi: "<sip:+4930111@example.test>", "Privacy": "id"}},
		{"nobody", true, false, trunk.Call{}, "sip:anonymous@anonymous.invalid", map[string]string{pai: "", ppi: "", "Privacy": "id"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, func(cfg *trunk.Config, _ *bench) {
				cfg.Carriers[0].Trusted, cfg.Carriers[0].Preferred, cfg.CallerID = c.trusted, c.preferred, trunk.CallerIDs(table("+4930111"), nil)
			})
			call, err := b.call(t, c.call)
			require.NoError(t, err)
			m := b.a.last("INVITE")
			require.Contains(t, m.Header.Get("From"), c.from)
			require.Contains(t, m.Start, "sip:+4930123456@a.test;user=phone")
			for name, want := range c.want {
				require.Equal(t, want, m.Header.Get(name), name)
			}
			hangup(t, call)
		})
	}
}

func TestCallerIDPolicy(t *testing.T) {
	b := setup(t, func(cfg *trunk.Config, _ *bench) {
		cfg.CallerID = trunk.CallerIDs(table("+4930111"), table("+4930222"))
	})
	for _, c := range []trunk.Call{
		{Owner: "acme", From: "+4930333"}, {Owner: "globex", From: "+4930111"}, {From: "+4930111"}, {Owner: "acme", From: "+4930333", Private: true},
	} {
		_, err := b.call(t, c)
		require.ErrorIs(t, err, trunk.ErrCallerID, "%+v", c)
	}
	for _, c := range []trunk.Call{
		{From: "4930111"}, {From: "+4930111\r\nX: y"}, {From: "+4930111@evil.test"}, {To: "sip:x@evil.test"}, {To: "+4930@evil.test"}, {To: "+49301234\r\n"}, {To: "*21#"},
	} {
		c.Owner = "acme"
		_, err := b.call(t, c)
		require.ErrorIs(t, err, trunk.ErrNumber, "%+v", c)
	}
	_, err := b.call(t, trunk.Call{FromName: "a\r\nX-Evil: 1"})
	require.ErrorIs(t, err, sip.ErrMalformed)
	require.Zero(t, b.a.count("INVITE"), "no carrier heard of any of them")

	down := errors.New("database is down")
	d := setup(t, func(cfg *trunk.Config, _ *bench) {
		cfg.CallerID = trunk.CallerIDs(func(context.Context, string) ([]string, error) { return nil, down }, nil)
	})
	_, err = d.call(t, trunk.Call{Owner: "acme", From: "+4930111"})
	require.ErrorIs(t, err, trunk.ErrCallerID)
	require.ErrorIs(t, err, down)
	ok, err := b.call(t, trunk.Call{Owner: "acme", From: "+4930222"})
	require.NoError(t, err)
	hangup(t, ok)
}

func TestFormats(t *testing.T) {
	for format, want := range map[trunk.Format]string{trunk.Plus: "+4930123456", trunk.Digits: "4930123456", trunk.DoubleZero: "004930123456"} {
		b := setup(t, func(cfg *trunk.Config, _ *bench) { cfg.Carriers[0].Format = format })
		b.a.set(func() { b.a.script = func(_ siptest.Message, reply func(int, ...string)) { reply(486) } })
		_, err := b.call(t, trunk.Call{})
		require.Equal(t, 486, status(err))
		require.Contains(t, b.a.last("INVITE").Start, "sip:"+want+"@")
	}
}
