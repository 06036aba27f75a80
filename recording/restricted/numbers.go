package restricted

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// sep is what people write between the groups of a number.
const sep = `[ .\-/]?`

var numbers = []Number{
	number("card", Account, 13, 19, "ISO/IEC 7812-1, annex B", `[2-6](?:`+sep+`[0-9]){12,18}`, card),
	number("iban", Account, 15, 31, "ISO 13616; ISO/IEC 7064 MOD 97-10", `[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}`, iban),
	number("de-tax-id", Identity, 11, 11, "§ 139b AO; ISO/IEC 7064 MOD 11,10", `[1-9](?:`+sep+`[0-9]){10}`, germanTaxID),
	number("de-id-card", Identity, 10, 10, "PAuswV; ICAO Doc 9303-3, 7-3-1 weights", `[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8} ?[0-9]`, weights731),
	number("mrz", Identity, 44, 44, "ICAO Doc 9303-4, line 2 of a passport", `[A-Z0-9<]{9}[0-9][A-Z<]{3}[0-9]{6}[0-9][MFX<][0-9]{6}[0-9][A-Z0-9<]{14}[0-9<][0-9]`, passport),
	number("fr-nir", Health, 15, 15, "INSEE, NIR: 97 minus the number modulo 97", `[12]`+sep+`[0-9]{2}`+sep+`(?:0[1-9]|1[0-2])`+sep+`(?:[0-9]{2}|2[AB])(?:`+sep+`[0-9]){8}`, frenchNIR),
	number("es-dni", Identity, 9, 9, "Real Decreto 1553/2005: letter by modulo 23", `(?:[0-9]{8}|[XYZ]-?[0-9]{7})[ -]?[A-Z]`, spanishDNI),
	number("it-codice-fiscale", Identity, 16, 16, "D.M. 23 dicembre 1976", `[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]`, codiceFiscale),
	number("pl-pesel", Identity, 11, 11, "Ustawa o ewidencji ludności: weights 1 3 7 9", `[0-9]{11}`, pesel),
	number("be-national-number", Identity, 11, 11, "Koninklijk besluit van 3 april 1984: modulo 97", `[0-9]{2}`+sep+`[0-9]{2}`+sep+`[0-9]{2}`+sep+`[0-9]{3}`+sep+`[0-9]{2}`, belgian),
	number("se-personnummer", Identity, 10, 12, "Folkbokföringslagen § 18: Luhn over the last ten digits", `(?:19|20)?[0-9]{6}[-+][0-9]{4}`, swedish),
	number("at-svnr", Health, 10, 10, "ASVG § 460d: weights 3 7 9 5 8 4 2 1 6", `[1-9][0-9]{3}`+sep+`[0-9]{6}`, austrian),
	number("ch-ahv", Identity, 13, 13, "AHVV Art. 133; EAN-13", `756`+sep+`[0-9]{4}`+sep+`[0-9]{4}`+sep+`[0-9]{2}`, swiss),
	number("gb-nhs", Health, 10, 10, "NHS Data Dictionary: modulo 11", `[0-9]{3}[ -][0-9]{3}[ -][0-9]{4}`, nhs),
	number("us-ssn", Identity, 9, 9, "SSA: no area 000, 666, 9xx, no group 00, no serial 0000", `[0-9]{3}-[0-9]{2}-[0-9]{4}`, ssn),
	number("br-cpf", Identity, 11, 11, "Receita Federal: two digits modulo 11", `[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}`, cpf),
	number("nl-bsn", Identity, 12, 28, "Besluit burgerservicenummer: 11-proef; only where it is named", `(?:BSN|SOFI(?:NUMMER)?|BURGERSERVICENUMMER)[ :.\-]{0,3}[0-9](?:`+sep+`[0-9]){8}`, bsn),
}

func number(name string, c Category, shortest, longest int, source, pattern string, valid func(string) bool) Number {
	return Number{Name: name, Category: c, Source: source, min: shortest, max: longest, pattern: regexp.MustCompile(pattern), whole: regexp.MustCompile("^(?:" + pattern + ")$"), valid: valid}
}

func digit(c byte) int { return int(c - '0') }

// sum adds the digits of s times the weights.
func sum(s string, weights ...int) (n int) {
	for i, w := range weights {
		n += w * digit(s[i])
	}
	return n
}

func luhn(s string) bool {
	n := 0
	for i := range s {
		d := digit(s[len(s)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		n += d
	}
	return n%10 == 0
}

func card(s string) bool {
	if strings.Count(s, s[:1]) == len(s) {
		return false
	}
	prefix, _ := strconv.Atoi(s[:4]) // of digits only
	for _, i := range issuers {
		if prefix >= i.from && prefix <= i.to && len(s) >= i.min && len(s) <= i.max {
			return luhn(s)
		}
	}
	return false
}

// issuers are the ranges of the first four digits in use, with the lengths of their cards.
var issuers = []struct{ from, to, min, max int }{
	{2200, 2204, 16, 19}, {2221, 2720, 16, 16}, {3000, 3059, 14, 19}, {3095, 3095, 14, 19}, {3400, 3499, 15, 15}, {3528, 3589, 16, 19}, {3600, 3699, 14, 19}, {3700, 3799, 15, 15},
	{3800, 3999, 14, 19}, {4000, 4999, 13, 19}, {5000, 5099, 13, 19}, {5100, 5599, 16, 16}, {5600, 5999, 13, 19}, {6000, 6999, 13, 19},
}

// ibanLength is how long the IBANs of a country are (SWIFT's registry). Without it every ninetieth word in capitals would be one.
var ibanLength = map[string]int{"AD": 24, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GI": 23,
	"GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24,
	"SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26}

func iban(s string) bool {
	n := ibanLength[s[:2]]
	if n == 0 || len(s) != n {
		return false
	}
	rest := 0
	for _, c := range []byte(s[4:] + s[:4]) {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + digit(c)) % 97
		}
	}
	return rest == 1
}

func germanTaxID(s string) bool {
	// Of the first ten digits exactly one comes twice or three times.
	var seen [10]int
	for i := range 10 {
		seen[digit(s[i])]++
	}
	repeated := 0
	for _, n := range seen {
		if n > 3 {
			return false
		}
		if n > 1 {
			repeated++
		}
	}
	if repeated != 1 {
		return false
	}
	p := 10
	for i := range 10 {
		m := (digit(s[i]) + p) % 10
		if m == 0 {
			m = 10
		}
		p = 2 * m % 11
	}
	return (11-p)%10 == digit(s[10])
}

// value is a character's in machine-readable zones.
func value(c byte) int {
	switch {
	case c == '<':
		return 0
	case c >= 'A':
		return int(c-'A') + 10
	}
	return digit(c)
}

// weights731 checks that the last digit is the check digit of what is before it.
func weights731(s string) bool {
	n := 0
	for i := range len(s) - 1 {
		n += value(s[i]) * [...]int{7, 3, 1}[i%3]
	}
	c := s[len(s)-1]
	return '0' <= c && c <= '9' && n%10 == digit(c)
}

func passport(s string) bool {
	return len(s) == 44 && weights731(s[:10]) && weights731(s[13:20]) && weights731(s[21:28]) && weights731(s[:10]+s[13:20]+s[21:43]+s[43:])
}

func frenchNIR(s string) bool {
	if len(s) != 15 {
		return false
	}
	body, minus := s[:13], uint64(0)
	switch s[5:7] { // Corsica
	case "2A":
		body, minus = s[:5]+"20"+s[7:13], 1_000_000
	case "2B":
		body, minus = s[:5]+"20"+s[7:13], 2_000_000
	}
	n, err := strconv.ParseUint(body, 10, 64)
	key, err2 := strconv.ParseUint(s[13:], 10, 64)
	return err == nil && err2 == nil && 97-(n-minus)%97 == key
}

func spanishDNI(s string) bool {
	body := s[:len(s)-1]
	if i := strings.IndexByte("XYZ", body[0]); i >= 0 {
		body = strconv.Itoa(i) + body[1:]
	}
	n, err := strconv.Atoi(body)
	return err == nil && "TRWAGMYFPDXBNJZSQVHLCKE"[n%23] == s[len(s)-1]
}

var codiceOdd = [36]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

func codiceFiscale(s string) bool {
	n := 0
	for i := range 15 {
		v := value(s[i])
		if i%2 == 0 { // the first is odd, counted from one
			n += codiceOdd[v]
		} else if v >= 10 {
			n += v - 10
		} else {
			n += v
		}
	}
	return byte('A'+n%26) == s[15]
}

// date reports that two digits each of year, month and day are a day in some century.
func date(yy, mm, dd string) bool {
	for _, century := range []string{"19", "20"} {
		if _, err := time.Parse("20060102", century+yy+mm+dd); err == nil {
			return true
		}
	}
	return false
}

func pesel(s string) bool {
	month := digit(s[2])*10 + digit(s[3]) // the century is added to the month: 80, 0, 20, 40, 60
	if m := month % 20; m < 1 || m > 12 || !date(s[:2], two(m), s[4:6]) {
		return false
	}
	return (10-sum(s, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10 == digit(s[10])
}

func two(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }

func belgian(s string) bool {
	// Unknown days are 00, and numbers given to people without a known birthday add 20 or 40 to the month.
	if m := (digit(s[2])*10 + digit(s[3])) % 20; m > 12 || s[4:6] > "31" {
		return false
	}
	key, _ := strconv.Atoi(s[9:])
	before, _ := strconv.Atoi(s[:9])
	after, _ := strconv.Atoi("2" + s[:9]) // born since 2000
	return 97-before%97 == key || 97-after%97 == key
}

func swedish(s string) bool {
	s = s[len(s)-10:]
	day := digit(s[4])*10 + digit(s[5])
	if day > 60 { // samordningsnummer
		day -= 60
	}
	return date(s[:2], s[2:4], two(day)) && luhn(s)
}

func austrian(s string) bool {
	// Day, month and year of birth; months 13 to 15 are given when a day's numbers are used up.
	if m := s[6:8]; s[4:6] < "01" || s[4:6] > "31" || m < "01" || m > "15" {
		return false
	}
	return (sum(s, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6))%11 == digit(s[3])
}

func swiss(s string) bool {
	return (10-sum(s, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3)%10)%10 == digit(s[12])
}

func nhs(s string) bool {
	c := 11 - sum(s, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11
	return c != 10 && c%11 == digit(s[9])
}

func ssn(s string) bool {
	return s[:3] != "000" && s[:3] != "666" && s[0] != '9' && s[3:5] != "00" && s[5:] != "0000"
}

func cpf(s string) bool {
	if strings.Count(s, s[:1]) == 11 {
		return false
	}
	check := func(n int) int { return n * 10 % 11 % 10 }
	return check(sum(s, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == digit(s[9]) && check(sum(s, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == digit(s[10])
}

func bsn(s string) bool {
	s = s[len(s)-9:]
	return sum(s, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0 && s != "000000000"
}
