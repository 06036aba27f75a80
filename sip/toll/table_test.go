package toll_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/toll"
)

func TestDestinations(t *testing.T) {
	table, err := toll.BuiltIn()
	require.NoError(t, err)
	for _, c := range []struct {
		home, number, prefix string
		class                toll.Class
	}{
		{"49", "+4930123456", "49", toll.National},
		{"49", "+491511234567", "4915", toll.Mobile},
		{"49", "+49800123456", "49800", toll.Freephone},
		{"49", "+49180212345", "49180", toll.SharedCost},
		{"49", "+499001234567", "49900", toll.Premium},
		{"44", "+491511234567", "4915", toll.Zone1}, // a mobile elsewhere costs what its country costs
		{"44", "+499001234567", "49900", toll.Premium},
		{"44", "+447011234567", "4470", toll.Suspicious}, // a personal number, not a mobile
		{"44", "+447711234567", "447", toll.Mobile},
		{"44", "+447624123456", "447624", toll.Mobile}, // longer than the pagers around it
		{"43", "+436621234567", "43", toll.National},   // Salzburg among the mobiles
		{"1", "+12125550100", "1", toll.National},
		{"1", "+18765550100", "1876", toll.Zone3}, // looks national and is not
		{"1", "+19005550100", "1900", toll.Premium},
		{"49", "+881612345678", "8816", toll.Satellite},
		{"49", "+25261234567", "252", toll.Suspicious},
		{"49", "+2101234567", "210", toll.Suspicious}, // no such country
	} {
		d, ok := table.Lookup(c.number, c.home)
		require.True(t, ok, c.number)
		require.Equal(t, toll.Destination{Class: c.class, Prefix: c.prefix}, d, "%s from %s", c.number, c.home)
	}
	for _, bad := range []string{"", "+", "+4", "4930123456", "004930123456", "+49 30 1", "+49123456789012345", "+49a30", "sip:1@x", "+0123456", "+４９30123456", "+49301\r\n"} {
		_, ok := table.Lookup(bad, "49")
		require.False(t, ok, bad)
	}
}

func TestTableWithLinesOfTheOperator(t *testing.T) {
	table, err := toll.BuiltIn()
	require.NoError(t, err)
	mine, err := table.With(strings.NewReader("252 zone2  # a branch there\n4930 partner\n"))
	require.NoError(t, err)
	d, _ := mine.Lookup("+25261234567", "49")
	require.Equal(t, toll.Zone2, d.Class)
	d, _ = mine.Lookup("+4930123456", "49")
	require.Equal(t, toll.Class("partner"), d.Class)
	d, _ = table.Lookup("+25261234567", "49")
	require.Equal(t, toll.Suspicious, d.Class, "the table it was made from")
}

func TestTableRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for _, bad := range []string{
		"49", "49 country", "+49 zone1", "49 Zone1", "49 emergency", "49 country national", "49 country mobile", "49 zone1 extra words", "49 a zone1",
		"1234567890123456 zone1", "49 zone1\n49 zone2", "4\x0049 zone1", strings.Repeat("4", 70000) + " zone1",
	} {
		_, err := toll.ParseTable(strings.NewReader(bad))
		require.ErrorIs(t, err, toll.ErrTable, bad)
	}
}

// Whatever the table, an answer is the longest of its lines that begins the number, with a class.
func FuzzParseTable(f *testing.F) {
	f.Add("49 country zone1\n4915 mobile\n49900 premium # x", "+4915123456")
	f.Add("1 country zone1\n1876 country zone3", "+1876555")
	f.Add("4915 mobile", "+4915123")
	f.Fuzz(func(t *testing.T, text, number string) {
		table, err := toll.ParseTable(strings.NewReader(text))
		if err != nil {
			if table != nil {
				t.Fatal("a table with an error")
			}
			return
		}
		for _, home := range []string{"49", "1"} {
			d, ok := table.Lookup(number, home)
			if ok && (d.Class == "" || d.Class == toll.Emergency || d.Prefix == "" || !strings.HasPrefix(number, "+"+d.Prefix) || !strings.Contains(text, d.Prefix)) {
				t.Fatalf("%q: %+v", number, d)
			}
		}
	})
}
