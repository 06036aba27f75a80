package restricted_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording/restricted"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// corpus holds numbers that were published as specimens or as examples of their check digits, so that our arithmetic is not its own judge.
var corpus = map[string][]string{
	"card": {"4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6011000990139424", "3530111333300000", "4222222222222"},
	"iban": {"DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32", "FR14 2004 1010 0505 0001 3M02 606", "NL91ABNA0417164300", "CH93 0076 2011 6238 5295 7",
		"at611904300234573201"},
	"de-tax-id":          {"86095742719", "47 036 892 816"},
	"de-id-card":         {"L01X00T471"},
	"mrz":                {"L898902C36UTO7408122F1204159ZE184226B<<<<<10"},
	"fr-nir":             {"2 55 08 14 168 025 38"},
	"es-dni":             {"12345678Z", "X1234567L", "x-1234567-l"},
	"it-codice-fiscale":  {"RSSMRA85T10A562S", "rssmra85t10a562s"},
	"pl-pesel":           {"44051401359"},
	"be-national-number": {"85.07.30-033-28"},
	"se-personnummer":    {"811218-9876", "19811218-9876"},
	"at-svnr":            {"1237 010180"},
	"ch-ahv":             {"756.9217.0769.85"},
	"gb-nhs":             {"943 476 5919"},
	"us-ssn":             {"078-05-1120"},
	"br-cpf":             {"529.982.247-25"},
	"nl-bsn":             {"BSN: 111222333", "burgerservicenummer 111.222.333"},
}

func TestEveryNumberIsFoundMaskedAndRefused(t *testing.T) {
	control.Proves(t, "RDC-01")
	require.Len(t, restricted.Numbers(), len(corpus), "a format without a specimen is not tested")
	for _, n := range restricted.Numbers() {
		require.NotEmpty(t, n.Source)
		for _, s := range corpus[n.Name] {
			for _, text := range []string{s, "my number is " + s + ", thank you", "(" + s + ")", "Größe ß " + s + " 12/27 Bitte notieren"} {
				var scanner restricted.Scanner
				masked, found := scanner.Mask(text)
				require.Len(t, found, 1, "%s in %q", n.Name, text)
				assert.Equal(t, n.Name, found[0].Name, text)
				assert.Equal(t, n.Category, found[0].Category)
				assert.Equal(t, strings.Replace(text, s, "["+n.Name+"]", 1), masked)
				err := scanner.Check("reference", text)
				require.ErrorIs(t, err, restricted.ErrFound)
				assert.NotContains(t, err.Error(), s)
				assert.Contains(t, err.Error(), "reference")
				allowed := restricted.Scanner{Allow: []restricted.Category{n.Category}}
				for _, f := range allowed.Scan(text) {
					assert.NotEqual(t, n.Category, f.Category)
				}
			}
		}
	}
}

// A wrong digit makes another number of it: the check digits are checked. (A Social Security number has none.)
func TestAWrongCheckDigitIsNoNumber(t *testing.T) {
	for name, list := range corpus {
		if name == "us-ssn" {
			continue
		}
		for _, s := range list {
			at := strings.LastIndexAny(s, "0123456789")
			if name == "es-dni" || name == "it-codice-fiscale" {
				at = strings.IndexAny(s, "0123456789")
			}
			wrong := s[:at] + string('0'+(s[at]-'0'+1)%10) + s[at+1:]
			for _, f := range (restricted.Scanner{}).Scan(wrong) {
				assert.NotEqual(t, name, f.Name, wrong)
			}
		}
	}
}

// What a contact center writes all day is left alone.
func TestOrdinaryTextIsLeftAlone(t *testing.T) {
	for _, text := range []string{"", "+49 30 901820-123", "+4366012345678", "+1 (212) 555-0123", "order 20260131-7", "2026-11-22T10:15:00Z", "acme sales 1001", "sip:1001@acme.localhost",
		"b0a9c8d7e6f54321", "10.0.0.1:5061", "call 7f3a waited 00:01:23", "the customer asked for 3 items at 1 499,00 EUR", "ISO/IEC 7064 MOD 97-10"} {
		masked, found := restricted.Scanner{}.Mask(text)
		assert.Empty(t, found, text)
		assert.Equal(t, text, masked)
	}
}

func TestApprovals(t *testing.T) {
	control.Proves(t, "RDC-02")
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	good := restricted.Approval{ID: "A-17", Category: restricted.Health, Scope: []string{"nurse-line"}, Signatory: "J. Doe", Signed: day(2), Expires: day(20)}
	r, err := restricted.NewRegister(good)
	require.NoError(t, err)
	for _, x := range []struct {
		name  string
		where string
		now   time.Time
		tags  []restricted.Category
		ok    bool
	}{
		{"nothing to approve", "sales", day(5), nil, true},
		{"approved", "nurse-line", day(5), []restricted.Category{restricted.Health}, true},
		{"from its signature", "nurse-line", day(2), []restricted.Category{restricted.Health}, true},
		{"not before", "nurse-line", day(2).Add(-1), []restricted.Category{restricted.Health}, false},
		{"not at its end", "nurse-line", day(20), []restricted.Category{restricted.Health}, false},
		{"elsewhere", "sales", day(5), []restricted.Category{restricted.Health}, false},
		{"another category", "nurse-line", day(5), []restricted.Category{restricted.Account}, false},
		{"one of two", "nurse-line", day(5), []restricted.Category{restricted.Health, restricted.Identity}, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			got, err := r.Permits(x.where, x.now, x.tags...)
			if !x.ok {
				require.ErrorIs(t, err, restricted.ErrBarred)
				assert.Empty(t, got)
				return
			}
			require.NoError(t, err)
			assert.Len(t, got, len(x.tags))
		})
	}
	var none *restricted.Register
	_, err = none.Permits("nurse-line", day(5), restricted.Health)
	require.ErrorIs(t, err, restricted.ErrBarred)
	for name, change := range map[string]func(*restricted.Approval){
		"no document":      func(a *restricted.Approval) { a.ID = "" },
		"nobody signed":    func(a *restricted.Approval) { a.Signatory = "" },
		"no category":      func(a *restricted.Approval) { a.Category = "" },
		"unknown category": func(a *restricted.Approval) { a.Category = "weather" },
		"no scope":         func(a *restricted.Approval) { a.Scope = nil },
		"everywhere":       func(a *restricted.Approval) { a.Scope = []string{"*"} },
		"no date":          func(a *restricted.Approval) { a.Signed = time.Time{} },
		"no end":           func(a *restricted.Approval) { a.Expires = time.Time{} },
		"too long":         func(a *restricted.Approval) { a.Expires = a.Signed.AddDate(2, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			_, err := restricted.NewRegister(good, bad)
			require.ErrorIs(t, err, restricted.ErrApproval)
		})
	}
}

// Whatever the text, scanning ends, and what is found lies in order inside it and is found alone too.
func FuzzScan(f *testing.F) {
	for _, list := range corpus {
		for _, s := range list {
			f.Add("a " + s + " b")
		}
	}
	f.Add("ſ ı K ÿ ß 4111111111111111")
	f.Fuzz(func(t *testing.T, text string) {
		var s restricted.Scanner
		last := 0
		for _, x := range s.Scan(text) {
			if x.From < last || x.To <= x.From || x.To > len(text) {
				t.Fatalf("%v in %q", x, text)
			}
			last = x.To
			if alone := s.Scan(text[x.From:x.To]); len(alone) != 1 || alone[0].Category != x.Category {
				t.Fatalf("%v in %q, but %v alone", x, text, alone)
			}
		}
	})
}

// A text made to take long: every place in it may begin a number of every length.
func BenchmarkScanOfTheWorst(b *testing.B) {
	text := strings.Repeat("4 1-1.", 1<<14)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		restricted.Scanner{}.Scan(text)
	}
}

func ExampleScanner_Mask() {
	note := "Caller paid with 4111 1111 1111 1111 and asked for a receipt."
	masked, found := restricted.Scanner{}.Mask(note)
	fmt.Println(masked)
	fmt.Println(found[0].Category)
	// Output:
	// Caller paid with [card] and asked for a receipt.
	// account
}
