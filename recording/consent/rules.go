package consent

import (
	"maps"
	"strings"
)

// Need is what a place asks for. The zero Need is the strictest. A smaller Need is stricter.
type Need int

// The needs there are.
const (
	Everyone Need = iota // every person agrees, before anything is recorded
	Notice               // every person is told, and stays
	OneParty             // one of those who take part knows
)

// String returns the need's name.
func (n Need) String() string {
	switch n {
	case Everyone:
		return "everyone"
	case Notice:
		return "notice"
	case OneParty:
		return "one-party"
	}
	return "invalid"
}

// Rule is what holds in one place.
type Rule struct {
	Need   Need
	Source string // the provision that says so
}

// Table says what holds where: by ISO 3166-1 alpha-2 ("DE"), or ISO 3166-2 where a part of a country has its own rule ("US-CA"), in capitals. The nil Table knows
// no place, so that every call needs everyone's consent.
type Table map[string]Rule

// Defaults returns a table to begin with, as of 2026-06. It is what the provisions say on their face and errs to the strict side where courts differ; it is no
// legal advice. It concerns the secrecy of the spoken word only: what data protection asks for besides (a purpose, a notice, a period) is for the operator,
// and in the European Union that means telling everybody, whatever the rule here.
func Defaults() Table { return maps.Clone(defaults) }

var defaults = Table{
	"AT": {Everyone, "StGB § 120"},
	"AU": {Everyone, "Surveillance Devices Acts of the states; Telecommunications (Interception and Access) Act 1979 s 7"},
	"BE": {Everyone, "Code pénal art. 314bis; Loi relative aux communications électroniques art. 124"},
	"CA": {Notice, "Criminal Code s. 184(2)(a); PIPEDA principle 4.3"},
	"CH": {Everyone, "StGB Art. 179bis, 179ter"},
	"DE": {Everyone, "StGB § 201"},
	"DK": {Everyone, "Straffeloven § 263; Datatilsynet, TDC decision of 2019"},
	"ES": {Notice, "Código Penal art. 197; GDPR art. 6"},
	"FR": {Everyone, "Code pénal art. 226-1"},
	"GB": {Notice, "Investigatory Powers Act 2016 s. 46; IP (Interception by Businesses etc.) Regulations 2018"},
	"IE": {Notice, "Postal and Telecommunications Services Act 1983 s. 98; GDPR art. 6"},
	"IT": {Notice, "Codice penale art. 617; GDPR art. 6"},
	"NL": {Notice, "Wetboek van Strafrecht art. 139c; GDPR art. 6"},
	"PL": {Notice, "Kodeks karny art. 267; GDPR art. 6"},
	"PT": {Everyone, "Código Penal art. 199"},
	"SE": {Notice, "Brottsbalken 4 kap. 9 a §; GDPR art. 6"},
	"US": {OneParty, "18 U.S.C. § 2511(2)(d)"},

	"US-CA": {Everyone, "Cal. Penal Code § 632"},
	"US-CT": {Everyone, "Conn. Gen. Stat. § 52-570d"},
	"US-DE": {Everyone, "11 Del. Code § 1335"},
	"US-FL": {Everyone, "Fla. Stat. § 934.03"},
	"US-IL": {Everyone, "720 ILCS 5/14-2"},
	"US-MA": {Everyone, "Mass. Gen. Laws ch. 272 § 99"},
	"US-MD": {Everyone, "Md. Code, Cts. & Jud. Proc. § 10-402"},
	"US-MI": {Everyone, "Mich. Comp. Laws § 750.539c"},
	"US-MT": {Notice, "Mont. Code § 45-8-213"},
	"US-NH": {Everyone, "N.H. Rev. Stat. § 570-A:2"},
	"US-NV": {Everyone, "Nev. Rev. Stat. § 200.620"},
	"US-OR": {Notice, "Or. Rev. Stat. § 165.540"},
	"US-PA": {Everyone, "18 Pa. Cons. Stat. §§ 5703, 5704(4)"},
	"US-WA": {Notice, "Wash. Rev. Code § 9.73.030(3)"},
}

// rule finds what holds in a place: its own rule, its country's if that has no rules for its parts, or the strictest. Whoever is somewhere in a country whose
// parts differ is taken to be in the strictest part.
func (t Table) rule(place string) (Rule, string) {
	if r, ok := t[place]; ok && (strings.Contains(place, "-") || !t.divided(place)) {
		return r, place
	}
	if country, part, ok := strings.Cut(place, "-"); ok && part != "" {
		if r, ok := t[country]; ok {
			return r, country
		}
		return Rule{}, ""
	}
	if t.divided(place) {
		strictest, where := t[place], place
		for p, r := range t {
			if strings.HasPrefix(p, place+"-") && (r.Need < strictest.Need || r.Need == strictest.Need && strings.Contains(where, "-") && p < where) {
				strictest, where = r, p
			}
		}
		return strictest, where
	}
	return Rule{}, ""
}

func (t Table) divided(country string) bool {
	for p := range t {
		if strings.HasPrefix(p, country+"-") {
			return true
		}
	}
	return false
}
