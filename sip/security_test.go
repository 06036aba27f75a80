package sip_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
)

// Each kind of suspicious traffic yields a typed event: once, however often it is repeated, and with nothing of what the stranger wrote.
func TestSuspiciousTrafficIsReported(t *testing.T) {
	events := make(chan sip.SecurityEvent, 100)
	l := newLab(t, sip.Config{Realm: realms, LockAfter: 2, OnSecurity: func(e sip.SecurityEvent) { events <- e }})
	want := func(kind sip.SecurityKind) {
		t.Helper()
		select {
		case e := <-events:
			require.Equal(t, kind, e.Kind)
			require.Equal(t, "127.0.0.1", e.Source)
			require.Equal(t, 1, e.Count)
			require.NotContains(t, e.Detail, "secret")
			require.WithinDuration(t, time.Now(), e.Time, time.Minute)
		case <-time.After(10 * time.Second):
			t.Fatalf("no event of kind %s", kind)
		}
	}
	p := l.peer(t)
	for range 3 {
		p.Send("", "INVITE sip:secret@acme.test SIP/2.0", "Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKbad", "From: <sip:secret@acme.test>", "To: no address <", "Call-ID: x", "CSeq: 1 INVITE")
		p.Want("400")
	}
	want(sip.SecurityMalformed)
	p.Send("", registerLines("nobody.test", "secret", "", 1)...)
	p.Want("404")
	want(sip.SecurityDomain)
	wrong := func() {
		p.Send("", registerLines("acme.test", "1001", "", 1)...)
		c := p.Want("401")
		p.Send("", registerLines("acme.test", "1001", answer(challenges(c)[0], "SHA-256", "1001", "secret", "REGISTER", "sip:acme.test", 1), 2)...)
		p.Want("401")
	}
	wrong()
	want(sip.SecurityLogin)
	wrong()
	wrong()
	want(sip.SecurityLocked)

	scan := l.peer(t)
	scan.Send("", append(optionsLines(), "User-Agent: friendly-scanner")...)
	_, err := scan.Read(5 * time.Second)
	require.Error(t, err, "no answer is what it learns least from")
	want(sip.SecurityScan)
	require.Empty(t, events)
}
