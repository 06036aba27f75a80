package trunk_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/trunk"
)

var (
	germany = trunk.Plan{Country: "49", International: "00", National: "0", Short: []string{"112", "116117"}}
	nanp    = trunk.Plan{Country: "1", International: "011"}
	bare    = trunk.Plan{Bare: true}
)

func TestNormalize(t *testing.T) {
	for _, c := range []struct {
		plan     trunk.Plan
		in, want string // empty: refused
	}{
		{germany, "+4930123456", "+4930123456"},
		{germany, "004930123456", "+4930123456"},
		{germany, "030 / 123456", ""},
		{germany, "(030) 123-456", "+4930123456"},
		{germany, "tel:+49-30-123.456", "+4930123456"},
		{germany, "TEL:030123456;phone-context=+49", "+4930123456"},
		{germany, "tel:123456;phone-context=+4930", "+4930123456"},
		{germany, "tel:123456;phone-context=example.com", ""},
		{germany, "sip:+4930123456;ext=7@carrier.test;user=phone", "+4930123456"},
		{germany, "112", "112"},
		{germany, "116117", "116117"},
		{germany, "30123456", ""},
		{germany, "00", ""},
		{germany, "+0123456", ""},
		{germany, "+4930123456789012", ""},
		{germany, "*21#", ""},
		{germany, "", ""},
		{germany, "+", ""},
		{germany, "++49301234", ""},
		{germany, "tel:+4930123456;phone-context=+49", ""},
		{germany, "tel:030;ext=1;ext=2", ""},
		{germany, "+4930\r\n1234", ""},
		{germany, "sip:+4930123456", ""},
		{germany, "http:+4930123456", ""},
		{germany, "\u0660\u0661\u0662\u0663\u0664\u0665", ""},
		{nanp, "2125550100", "+12125550100"},
		{nanp, "0114930123456", "+4930123456"},
		{bare, "4930123456", "+4930123456"},
		{trunk.Plan{}, "+4930123456", "+4930123456"},
		{trunk.Plan{}, "030123456", ""},
	} {
		got, err := c.plan.Normalize(c.in)
		if c.want == "" {
			require.ErrorIs(t, err, trunk.ErrNumber, "%q", c.in)
			continue
		}
		require.NoError(t, err, "%q", c.in)
		require.Equal(t, c.want, got, "%q", c.in)
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"+4930123456", "tel:030-1;phone-context=+49", "sip:030@x", "0049", "112", "tel:7;ext=3;isub=a;phone-context=a.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range []trunk.Plan{germany, nanp, bare, {}} {
			n, err := p.Normalize(s)
			if err != nil {
				continue
			}
			// What comes out is safe in a URI, and is a fixed point.
			if strings.Trim(strings.TrimPrefix(n, "+"), "0123456789") != "" || len(n) > 16 {
				t.Fatalf("%q became %q", s, n)
			}
			if again, err := p.Normalize(n); err != nil || again != n {
				t.Fatalf("%q became %q and then %q, %v", s, n, again, err)
			}
		}
	})
}
