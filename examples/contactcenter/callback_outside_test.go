package main

import (
	"crypto/tls"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
	"github.com/ringfence/ringfence/sip/toll"
)

func TestCallbacksToTheTelephoneNetwork(t *testing.T) {
	t.Parallel()
	ca := siptest.NewAuthority(t)
	network := startCarrier(t, ca, 1400, 0)
	certFile, keyFile, caFile := pemFiles(t, ca, ca.IssueClient(time.Time{}, "us.test"))
	const ours = "+4940987654"
	w := startWorld(t, func(c *config) {
		withCallbacks(c)
		one := carrierConfig{Name: "network", Domain: network.addr, Authorities: caFile, Certificate: certFile, Key: keyFile, ClientNames: []string{"carrier.test"}, Trusted: true}
		c.Carriers = &carriersConfig{Domain: "voice.localhost", Country: "49", Emergency: "DE", Carriers: []carrierConfig{one}}
		c.Toll = &tollConfig{Prices: map[string]float64{"national": 0.02, "premium": 2}}
		c.Tenants[0].Numbers = append(c.Tenants[0].Numbers, numberConfig{Number: ours, Flow: "sales"})
		limits := limitsConfig{Classes: []string{"national"}, MaxCalls: 2, PerMinute: 20, PerHour: 20, PerDay: 20, SpendHour: 1, SpendDay: 1, SpendMonth: 1}
		c.Tenants[0].Outbound = &outboundConfig{From: ours, Day: limits, Night: &limits}
		c.Tenants[0].Queues[0].Callback.Attempts = 5
	})
	agent := w.onBreak("acme", "1001")
	phone := w.phone("acme", "1009", nil)
	client, err := sip.ClientTLS(&tls.Config{Certificates: []tls.Certificate{ca.IssueClient(time.Time{}, "carrier.test")}}, w.roots)
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	t.Cleanup(func() { ep.Close() })
	// calls makes a call from outside that is waiting for an agent. The carrier stands for asserted; from is what the caller says.
	calls := func(from, asserted string) *softcall {
		t.Helper()
		n := len(w.find(named("enqueued")))
		c, err := phone.newLeg()
		require.NoError(t, err)
		dc := sip.DialConfig{Target: "sip:" + ours + "@acme.localhost", Address: w.node.sipAddr, From: "sip:" + from + "@carrier.test"}
		if asserted != "" {
			dc.Headers = []sip.Header{{Name: "P-Asserted-Identity", Value: "<sip:" + asserted + "@carrier.test>"}}
		}
		c.call, err = ep.Dial(soon(t), dc, c.leg)
		require.NoError(t, err)
		t.Cleanup(c.hangup)
		eventually(t, "in the queue", func() bool { return len(w.find(named("enqueued"))) > n })
		return c
	}
	press := func(c *softcall) { t.Helper(); require.NoError(t, c.leg.SendDigits(soon(t), "5")) }
	refusals := func() (out []string) {
		for _, e := range w.find(named("callback-refused")) {
			out = append(out, e.Cause)
		}
		return out
	}
	refused := func(from, why string) {
		t.Helper()
		n := len(refusals())
		c := calls(from, from)
		press(c)
		eventually(t, "refused", func() bool { return len(refusals()) > n })
		require.Equal(t, why, refusals()[n])
		require.NoError(t, c.call.Err(), "the caller goes on waiting")
		c.hangup()
	}

	refused("+499001234567", string(toll.ClassNotAllowed)) // expensive
	refused("+882161234567", string(toll.ClassNotAllowed)) // a satellite
	refused(ours, "our own number")
	c := calls("+4930123456", "") // who calls says so, and nobody else
	press(c)
	n, _ := c.ears.heard()
	eventually(t, "the music goes on", func() bool { m, _ := c.ears.heard(); return m > n+3*8000 })
	require.Empty(t, w.find(named("callback-requested")))
	require.NoError(t, c.call.Err())
	c.hangup()

	// The number that is called is the one the carrier stands for, whatever the caller says.
	c = calls("+499001234567", "+4930123456")
	press(c)
	select {
	case <-c.call.Done():
	case <-time.After(patience):
		t.Fatal("not promised")
	}
	refused("+4930123456", "already waits for a callback")

	// What was allowed when it was promised may not be any more when it is kept.
	w.node.toll.Stop(time.Now(), "acme", callbackUser, "test")
	require.Empty(t, network.called())
	w.back(agent)
	eventually(t, "the guard refuses", func() bool { return len(w.find(named("callback-failed"))) > 0 })
	require.Equal(t, "stopped", w.find(named("callback-failed"))[0].Cause)
	require.Empty(t, network.called())
	w.node.toll.Resume(time.Now(), "acme", callbackUser, "test")
	eventually(t, "they talk", func() bool {
		a := agent.answered()
		return network.hears(900) && len(a) > 1 && a[len(a)-1].ears.hears(1400)
	})
	require.Equal(t, []string{"+4930123456"}, network.called())
	require.Equal(t, []string{"<sip:" + ours + "@voice.localhost>"}, network.first.Header("P-Asserted-Identity"))
	taken := agent.answered()
	taken[len(taken)-1].hangup()
	eventually(t, "the far end is over", func() bool { return network.first.Err() != nil })
	sum := w.accounted()
	require.Equal(t, 1, sum[acd.Answered])
	spent := w.node.toll.Usage(time.Now(), "acme", callbackUser)
	require.Equal(t, 2, spent.CallsDay, "the promise and the call")
	require.NotZero(t, spent.SpentDay)
	eventually(t, "nothing is running", func() bool { return len(w.node.toll.Running()) == 0 })
}

// Whom a callback may call follows from what was proved, and from nothing the caller says.
func TestWhomACallbackReaches(t *testing.T) {
	t.Parallel()
	for want, as := range map[string][]arrival{
		"1009":        {{caller: "1009"}},
		"+4930123456": {{caller: "+4930123456", number: "+4930123456", carrier: "c", asserted: true}, {caller: "+4930123456", carrier: "c", asserted: true, proved: "TN-Validation-Passed/A"}},
		"":            {{caller: "+4930123456", carrier: "c"}, {caller: "anonymous", number: "+4930123456", carrier: "c", asserted: true}, {caller: "112", carrier: "c", asserted: true}, {caller: "+4930123456", carrier: "c", asserted: true, proved: "TN-Validation-Failed"}},
	} {
		for _, a := range as {
			require.Equal(t, want, a.reach(), "%+v", a)
			require.Equal(t, want, a.attributes()[reachAttribute])
		}
	}
}

func TestCallbackConfiguration(t *testing.T) {
	t.Parallel()
	good := callbackConfig{Key: "5", Attempts: 3, Retry: "5m", Expires: "8h", Hours: "Mo-Fr 08:00-20:00, Sat 09:00-24:00", Zone: "Asia/Tokyo"}
	require.NoError(t, good.check())
	r := good.rules(time.Now())
	require.Equal(t, acd.Callback{Expiry: 8 * time.Hour, Attempts: 3, Retry: 5 * time.Minute, Hours: []acd.Hours{
		{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 8 * time.Hour, Until: 20 * time.Hour, Offset: 9 * time.Hour},
		{Days: []time.Weekday{6}, From: 9 * time.Hour, Until: 24 * time.Hour, Offset: 9 * time.Hour},
	}}, r)
	for _, bad := range []func(*callbackConfig){
		func(c *callbackConfig) { c.Key = "" }, func(c *callbackConfig) { c.Key = "55" }, func(c *callbackConfig) { c.Key = "*" },
		func(c *callbackConfig) { c.Attempts = 21 }, func(c *callbackConfig) { c.Attempts = -1 }, func(c *callbackConfig) { c.MaxActive = -1 },
		func(c *callbackConfig) { c.Retry = "soon" }, func(c *callbackConfig) { c.Expires = "-1h" }, func(c *callbackConfig) { c.DialTimeout = "0s" },
		func(c *callbackConfig) { c.Hours = "always" }, func(c *callbackConfig) { c.Hours = "Mo-Fr 20:00-08:00" }, func(c *callbackConfig) { c.Hours = "Mo-Xx 08:00-20:00" },
		func(c *callbackConfig) { c.Zone = "Nowhere/Town" },
	} {
		c := good
		bad(&c)
		require.Error(t, c.check(), "%+v", c)
	}
	// What the demo's configuration shows in comments can be used as it is.
	text, rest, _ := strings.Cut(string(demoConfig), `queue "support"`)
	text = regexp.MustCompile(`(?m)^    # ((?:strategy|callback|  [a-z_]+ +=|\}).*)$`).ReplaceAllString(text, "    $1")
	path := filepath.Join(t.TempDir(), "c.hcl")
	writeFile(t, path, text+`queue "support"`+rest)
	c, err := loadConfig(path)
	require.NoError(t, err)
	sales := c.Tenants[0].Queues[0]
	require.Equal(t, "ring-all", sales.Strategy)
	require.Equal(t, callbackConfig{Key: "5", Attempts: 3, Retry: "15m", Expires: "8h", DialTimeout: "45s", Hours: "Mo-Fr 08:00-20:00, Sa 09:00-13:00", Zone: "Europe/Berlin"}, *sales.Callback)
	require.Nil(t, c.Tenants[0].Queues[1].Callback)

	w := &world{t: t, cfg: testConfig(t, func(c *config) {
		withCallbacks(c)
		c.Tenants[0].Queues[0].Callback.Notice = "nothing-of-that-name"
	}), passwords: map[string]string{}}
	require.ErrorContains(t, w.failToStart(), "nothing-of-that-name.wav is missing")
}
