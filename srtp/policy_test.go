package srtp_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/srtp"
)

func at(year int, month time.Month, day int) func() time.Time {
	return func() time.Time { return time.Date(year, month, day, 0, 0, 0, 0, time.UTC) }
}

// A suite past its date is no suite: not in a list, not in a peer's offer, not in an answer to an offer made before midnight.
func TestSuitesEndOnTheirDate(t *testing.T) {
	control.Proves(t, "ENC-24")
	before := func(d time.Time) func() time.Time { return func() time.Time { return d.Add(-time.Nanosecond) } }
	on := func(d time.Time) func() time.Time { return func() time.Time { return d } }
	var last time.Time
	for _, s := range []srtp.Suite{srtp.AESCM128HMACSHA1Tag32, srtp.AES256CMHMACSHA1Tag32, srtp.AESCM128HMACSHA1Tag80, srtp.AES256CMHMACSHA1Tag80,
		srtp.AEADAES128GCM} {
		d := s.Sunset()
		assert.False(t, d.Before(last), "%s: the weaker ends first", s)
		last = d
		p := only(s)
		p.Now = before(d)
		require.NoError(t, p.Validate())
		offered, err := p.Offer()
		require.NoError(t, err)
		answer, _, err := p.Answer(lines(offered))
		require.NoError(t, err)
		// the same policy a moment later
		p.Now = on(d)
		_, errOffer := p.Offer()
		_, _, errAnswer := p.Answer(lines(offered))
		_, _, errAccept := p.Accept(offered, []string{answer.ExportSecret()})
		_, errRekey := p.Rekey(offered[0])
		for i, err := range []error{p.Validate(), errOffer, errAnswer, errAccept, errRekey} {
			require.ErrorIs(t, err, srtp.ErrSunset, "%s step %d", s, i)
			assert.Contains(t, err.Error(), s.String())
			assert.Contains(t, err.Error(), d.Format(time.DateOnly))
		}
		// A peer that offers or chooses it meets the same date under a policy that lists other suites.
		other := srtp.Policy{Suites: []srtp.Suite{srtp.AEADAES256GCM}, Floor: srtp.StrengthShortTag, Now: on(d)}
		_, _, err = other.Answer(lines(offered))
		require.ErrorIs(t, err, srtp.ErrNoCommonSuite)
		require.ErrorIs(t, err, srtp.ErrSunset)
		_, _, err = other.Accept(offered, []string{answer.ExportSecret()})
		require.ErrorIs(t, err, srtp.ErrSunset)
		// The date is the operator's to move.
		p.Sunset = map[srtp.Suite]time.Time{s: d.AddDate(1, 0, 0)}
		require.NoError(t, p.Validate())
		p.Sunset = map[srtp.Suite]time.Time{s: {}}
		p.Now = at(2500, 1, 1)
		require.NoError(t, p.Validate())
	}
	assert.True(t, srtp.AEADAES256GCM.Sunset().IsZero())
	p := srtp.Policy{Sunset: map[srtp.Suite]time.Time{srtp.AEADAES256GCM: at(2030, 1, 1)()}, Suites: []srtp.Suite{srtp.AEADAES256GCM}, Now: at(2030, 1, 1)}
	require.ErrorIs(t, p.Validate(), srtp.ErrSunset)
}

// The default list is ours: it shrinks as dates pass and never comes up empty by the built-in dates.
func TestDefaultSuitesFollowTheDates(t *testing.T) {
	for year, want := range map[int]int{2026: 4, 2030: 4, 2031: 2, 2036: 1, 2400: 1} {
		offered, err := srtp.Policy{Now: at(year, 6, 1)}.Offer()
		require.NoError(t, err)
		assert.Len(t, offered, want, "year %d", year)
		assert.Equal(t, srtp.AEADAES256GCM, offered[0].Suite)
	}
	_, err := srtp.Policy{Now: at(2031, 1, 1), Floor: srtp.StrengthTop, Sunset: map[srtp.Suite]time.Time{srtp.AEADAES256GCM: at(2030, 1, 1)()}}.Offer()
	require.Error(t, err, "nothing left is an error")
}

func TestFloor(t *testing.T) {
	for _, v := range []struct {
		floor srtp.Strength
		want  int
	}{{srtp.StrengthUnset, 4}, {srtp.StrengthShortTag, 4}, {srtp.StrengthStandard, 4}, {srtp.StrengthAEAD, 2}, {srtp.StrengthTop, 1}} {
		p := srtp.Policy{Floor: v.floor, Now: at(2026, 1, 1)}
		offered, err := p.Offer()
		require.NoError(t, err)
		assert.Len(t, offered, v.want, v.floor.String())
		for _, s := range suites() {
			p := srtp.Policy{Floor: v.floor, Suites: []srtp.Suite{s}, Now: at(2026, 1, 1)}
			low := s.Strength() < max(v.floor, srtp.StrengthShortTag) || v.floor == srtp.StrengthUnset && s.Strength() < srtp.StrengthStandard
			if low {
				require.ErrorIs(t, p.Validate(), srtp.ErrBelowFloor, "%s %s", v.floor, s)
			} else {
				require.NoError(t, p.Validate(), "%s %s", v.floor, s)
			}
		}
	}
	// A peer cannot get below the floor either.
	offered, err := only(srtp.AESCM128HMACSHA1Tag80).Offer()
	require.NoError(t, err)
	strict := srtp.Policy{Floor: srtp.StrengthAEAD}
	_, _, err = strict.Answer(lines(offered))
	require.ErrorIs(t, err, srtp.ErrBelowFloor)
	answer, _, err := only(srtp.AESCM128HMACSHA1Tag80).Answer(lines(offered))
	require.NoError(t, err)
	_, _, err = strict.Accept(offered, []string{answer.ExportSecret()})
	require.ErrorIs(t, err, srtp.ErrBelowFloor)
}

func TestPolicyRange(t *testing.T) {
	for name, p := range map[string]srtp.Policy{
		"floor":             {Floor: 99},
		"lifetime":          {Announce: srtp.Announce{Lifetime: 1<<48 + 1}},
		"mki":               {Announce: srtp.Announce{MKILength: 129}},
		"mki negative":      {Announce: srtp.Announce{MKILength: -1}},
		"wsh":               {Announce: srtp.Announce{WSH: 63}},
		"clear srtp":        {Params: srtp.ParamRules{UnencryptedSRTP: srtp.ParamAccept}},
		"clear srtcp":       {Params: srtp.ParamRules{UnencryptedSRTCP: srtp.ParamAccept}},
		"unauthenticated":   {Params: srtp.ParamRules{UnauthenticatedSRTP: srtp.ParamRequire}},
		"fec key":           {Params: srtp.ParamRules{FECKey: srtp.ParamAccept}},
		"kdr required":      {Params: srtp.ParamRules{KDR: srtp.ParamRequire}},
		"rule out of range": {Params: srtp.ParamRules{WSH: 9}},
	} {
		require.ErrorIs(t, p.Validate(), srtp.ErrBadPolicy, name)
	}
}

// Every rule of every parameter, and that no rule opens what the transform cannot do.
func TestParamRules(t *testing.T) {
	base := "1 AEAD_AES_256_GCM inline:" + b64(44)
	type r = srtp.ParamRules
	for _, v := range []struct {
		rules r
		line  string
		ok    bool
	}{
		{r{}, "", true}, {r{}, " WSH=64", true}, {r{WSH: srtp.ParamRefuse}, " WSH=64", false}, {r{WSH: srtp.ParamRequire}, "", false},
		{r{WSH: srtp.ParamRequire}, " WSH=1024", true}, {r{}, " FEC_ORDER=FEC_SRTP", false},
		{r{FECOrder: srtp.ParamAccept}, " FEC_ORDER=SRTP_FEC", true}, {r{FECOrder: srtp.ParamRequire}, "", false},
		{r{}, " KDR=0", false}, {r{KDR: srtp.ParamAccept}, " KDR=0", true}, {r{KDR: srtp.ParamAccept}, " KDR=1", false},
		{r{KDR: srtp.ParamAccept}, " KDR=24", false}, {r{}, " -x=1 -y", true}, {r{Dashed: srtp.ParamRefuse}, " -x", false},
		{r{Dashed: srtp.ParamRequire}, "", false}, {r{}, " NEW=1", false}, {r{Dashed: srtp.ParamAccept}, " NEW=1", false},
		{r{UnencryptedSRTP: srtp.ParamAccept}, " UNENCRYPTED_SRTP", false}, {r{UnencryptedSRTCP: srtp.ParamAccept}, " UNENCRYPTED_SRTCP", false},
		{r{UnauthenticatedSRTP: srtp.ParamAccept}, " UNAUTHENTICATED_SRTP", false}, {r{FECKey: srtp.ParamAccept}, " FEC_KEY=inline:" + b64(44), false},
	} {
		_, err := v.rules.ParseCrypto(base + v.line)
		if v.ok {
			require.NoError(t, err, "%+v %s", v.rules, v.line)
			continue
		}
		require.ErrorIs(t, err, srtp.ErrSessionParameter, "%+v %s", v.rules, v.line)
		assert.NotContains(t, err.Error(), "AQAA")
	}
	// What InspectCrypto shows makes no stream.
	for _, weak := range []string{" UNENCRYPTED_SRTP", " UNENCRYPTED_SRTCP", " UNAUTHENTICATED_SRTP", " KDR=3", " NEW", " FEC_KEY=inline:" + b64(44)} {
		c, err := srtp.InspectCrypto(base + weak)
		require.NoError(t, err)
		assert.Equal(t, base+weak, c.ExportSecret())
		assert.NotContains(t, c.String(), "AQAA", "every key is redacted")
		_, err = srtp.NewSender(c, srtp.SenderConfig{})
		require.ErrorIs(t, err, srtp.ErrSessionParameter, weak)
		_, err = srtp.NewReceiver(c, srtp.ReceiverConfig{})
		require.ErrorIs(t, err, srtp.ErrSessionParameter, weak)
	}
}

func TestAnnounce(t *testing.T) {
	p := srtp.Policy{Announce: srtp.Announce{Lifetime: 1 << 20, MKILength: 4, WSH: 128}}
	offered, err := p.Offer()
	require.NoError(t, err)
	for _, c := range offered {
		assert.True(t, strings.HasSuffix(c.ExportSecret(), "|2^20|1:4 WSH=128"), c)
	}
	s, err := srtp.NewSender(offered[0], srtp.SenderConfig{})
	require.NoError(t, err)
	assert.EqualValues(t, 1<<20, s.Remaining(), "we hold to what we announce")
	assert.Equal(t, 20, s.Overhead())

	key := "1 AEAD_AES_256_GCM inline:" + b64(44)
	for _, v := range []struct {
		policy       srtp.Policy
		offer, shape string
	}{
		{srtp.Policy{}, key, ""},
		{srtp.Policy{}, key + "|2^20", "|2^31"},
		{srtp.Policy{}, key + "|2^31|1:1", "|2^31|1:1"},
		{srtp.Policy{}, key + "|77:3", "|1:3"},
		{p, key, "|2^20 WSH=128"},              // no MKI to a peer without one
		{p, key + "|9:2", "|2^20|1:2 WSH=128"}, // its length, not ours
	} {
		local, remote, err := v.policy.Answer([]string{v.offer})
		require.NoError(t, err)
		_, shape, _ := strings.Cut(local.String(), "REDACTED")
		assert.Equal(t, v.shape, shape, v.offer)
		assert.False(t, local.Keys[0].Key.Equal(remote.Keys[0].Key))
	}
}

// Two calls, forks, directions or suites never share a key.
func TestKeysAreFresh(t *testing.T) {
	seen := map[string]bool{}
	add := func(c srtp.Crypto) {
		for _, k := range c.Keys {
			require.False(t, seen[k.Key.ExportSecret()])
			seen[k.Key.ExportSecret()] = true
		}
	}
	for range 50 {
		offered, err := srtp.Policy{}.Offer()
		require.NoError(t, err)
		for _, c := range offered {
			add(c)
		}
		for range 3 { // three forks answer the same offer
			local, _, err := srtp.Policy{}.Answer(lines(offered))
			require.NoError(t, err)
			add(local)
		}
	}
}

func TestRekeyAttribute(t *testing.T) {
	plain, err := srtp.Policy{}.Offer()
	require.NoError(t, err)
	next, err := srtp.Policy{}.Rekey(plain[0])
	require.NoError(t, err)
	require.Len(t, next.Keys, 1)
	assert.False(t, next.SameKeys(plain[0]))
	assert.Equal(t, plain[0].Tag, next.Tag)

	p := srtp.Policy{Announce: srtp.Announce{MKILength: 1, Lifetime: 1000}}
	offered, err := p.Offer()
	require.NoError(t, err)
	c := offered[0]
	for i := range 6 {
		next, err := p.Rekey(c)
		require.NoError(t, err)
		require.Len(t, next.Keys, min(i+2, 4))
		last := next.Keys[len(next.Keys)-1]
		assert.Equal(t, []byte{byte(i + 2)}, last.MKI)
		assert.EqualValues(t, 1000, last.Lifetime)
		assert.True(t, next.Keys[len(next.Keys)-2].Key.Equal(c.Keys[len(c.Keys)-1].Key), "the key in force stays announced")
		_, err = srtp.ParseCrypto(next.ExportSecret())
		require.NoError(t, err)
		c.Zero() // the copies are the result's own
		assert.False(t, last.Key.IsZero())
		c = next
	}
	c.Keys[3].MKI = []byte{math.MaxUint8}
	_, err = p.Rekey(c)
	require.ErrorIs(t, err, srtp.ErrMalformed, "MKI values do not start over")
	_, err = p.Rekey(srtp.Crypto{})
	require.Error(t, err)
}

// An answer that repeats any key of ours, under any tag, is refused.
func TestReflectedKeys(t *testing.T) {
	offered, err := srtp.Policy{}.Offer()
	require.NoError(t, err)
	for _, mine := range offered {
		_, _, err := srtp.Policy{}.Accept(offered, []string{mine.ExportSecret()})
		require.ErrorIs(t, err, srtp.ErrKeyReflected)
	}
}
