package dtls_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/dtls"
)

const patience = 30 * time.Second

func everyProfile() []pion.SRTPProtectionProfile {
	return []pion.SRTPProtectionProfile{pion.SRTP_AES128_CM_HMAC_SHA1_80, pion.SRTP_AEAD_AES_128_GCM, pion.SRTP_AEAD_AES_256_GCM, pion.SRTP_AES128_CM_HMAC_SHA1_32}
}

// Both roles, every suite, a clean network and one that loses, doubles and reorders: both ends have the same keys, each direction its own.
func TestBothRolesWithAnotherImplementation(t *testing.T) {
	control.Proves(t, "ENC-09")
	for _, role := range []dtls.Setup{dtls.SetupActive, dtls.SetupPassive} {
		for _, loss := range []float64{0, 0.25} {
			for suite, profile := range map[srtp.Suite]pion.SRTPProtectionProfile{srtp.AEADAES256GCM: pion.SRTP_AEAD_AES_256_GCM,
				srtp.AEADAES128GCM: pion.SRTP_AEAD_AES_128_GCM, srtp.AESCM128HMACSHA1Tag80: pion.SRTP_AES128_CM_HMAC_SHA1_80} {
				t.Run(role.String()+"/"+suite.String(), func(t *testing.T) {
					cert := certificate(t, elliptic.P256())
					want := dtls.FingerprintOf(dtls.HashSHA256, cert.Certificate[0])
					_, keys, err, conn, theirErr := call(t, dtls.Config{Identity: identity(t), Role: role, Fingerprints: []dtls.Fingerprint{want},
						Policy: srtp.Policy{Announce: srtp.Announce{Lifetime: 1 << 20}}}, other{cert: &cert, profiles: []pion.SRTPProtectionProfile{profile}}, loss)
					require.NoError(t, err)
					require.NoError(t, theirErr)
					assert.Equal(t, suite, keys.Suite)
					assert.Equal(t, want, keys.Peer)
					assert.EqualValues(t, 1<<20, keys.Local.Keys[0].Lifetime)
					assert.False(t, keys.Local.SameKeys(keys.Remote))
					state, ok := conn.ConnectionState()
					require.True(t, ok)
					n, salt := suite.KeyLen(), suite.SaltLen()
					b, err := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 2*n)
					require.NoError(t, err)
					client := srtp.NewKey(append(bytes.Clone(b[:n-salt]), b[2*(n-salt):2*(n-salt)+salt]...))
					server := srtp.NewKey(append(bytes.Clone(b[n-salt:2*(n-salt)]), b[2*n-salt:]...))
					if role == dtls.SetupPassive {
						client, server = server, client
					}
					assert.True(t, keys.Local.Keys[0].Key.Equal(client))
					assert.True(t, keys.Remote.Keys[0].Key.Equal(server))
				})
			}
		}
	}
}

// Our order decides as a server, also when the client has another.
func TestServerFollowsThePolicy(t *testing.T) {
	cert := certificate(t, elliptic.P256())
	_, keys, err, _, _ := call(t, dtls.Config{Identity: identity(t), Role: dtls.SetupPassive,
		Fingerprints: []dtls.Fingerprint{dtls.FingerprintOf(dtls.HashSHA256, cert.Certificate[0])}}, other{cert: &cert, profiles: everyProfile()}, 0)
	require.NoError(t, err)
	assert.Equal(t, srtp.AEADAES256GCM, keys.Suite)
}

// Who cannot show the told certificate gets no key, in either role; neither does a peer without the means we require.
func TestWrongPeersGetNothing(t *testing.T) {
	leaktest.Check(t)
	cert, stranger := certificate(t, elliptic.P256()), certificate(t, elliptic.P256())
	told := []dtls.Fingerprint{dtls.FingerprintOf(dtls.HashSHA256, cert.Certificate[0])}
	strong := dtls.FingerprintOf(dtls.HashSHA512, cert.Certificate[0])
	middle := dtls.FingerprintOf(dtls.HashSHA256, stranger.Certificate[0])
	weakRight := dtls.FingerprintOf(dtls.HashSHA1, stranger.Certificate[0])
	both := []dtls.Setup{dtls.SetupActive, dtls.SetupPassive}
	for name, v := range map[string]struct {
		roles []dtls.Setup
		told  []dtls.Fingerprint
		peer  other
		want  error
	}{
		"another certificate":        {both, told, other{cert: &stranger, profiles: everyProfile()}, dtls.ErrFingerprint},
		"right by a weak hash only":  {both, append([]dtls.Fingerprint{weakRight}, told...), other{cert: &stranger, profiles: everyProfile()}, dtls.ErrFingerprint},
		"right by the weaker of two": {both, []dtls.Fingerprint{middle, strong}, other{cert: &stranger, profiles: everyProfile()}, dtls.ErrFingerprint},
		"the same told strong first": {both, []dtls.Fingerprint{strong, middle}, other{cert: &stranger, profiles: everyProfile()}, dtls.ErrFingerprint},
		"no client certificate":      {[]dtls.Setup{dtls.SetupPassive}, told, other{profiles: everyProfile()}, dtls.ErrHandshake},
		"no use_srtp":                {[]dtls.Setup{dtls.SetupPassive}, told, other{cert: &cert}, dtls.ErrProfile},
		"server without use_srtp":    {[]dtls.Setup{dtls.SetupActive}, told, other{cert: &cert}, dtls.ErrHandshake},
		"short tags only":            {both, told, other{cert: &cert, profiles: []pion.SRTPProtectionProfile{pion.SRTP_AES128_CM_HMAC_SHA1_32}}, dtls.ErrHandshake},
		"no extended master secret":  {both, told, other{cert: &cert, profiles: everyProfile(), ems: pion.DisableExtendedMasterSecret}, dtls.ErrHandshake},
		"CBC":                        {both, told, other{cert: &cert, profiles: everyProfile(), suites: []pion.CipherSuiteID{pion.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}}, dtls.ErrHandshake},
		"CCM with a short tag":       {both, told, other{cert: &cert, profiles: everyProfile(), suites: []pion.CipherSuiteID{pion.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8}}, dtls.ErrHandshake},
	} {
		for _, role := range v.roles {
			t.Run(name+"/"+role.String(), func(t *testing.T) {
				a, keys, err, _, _ := call(t, dtls.Config{Identity: identity(t), Role: role, Fingerprints: v.told}, v.peer, 0)
				require.ErrorIs(t, err, v.want)
				assert.Equal(t, dtls.Keys{}.Suite, keys.Suite)
				assert.Empty(t, keys.Local.Keys)
				assert.Empty(t, keys.Remote.Keys)
				<-a.Done()
				var typed error
				for _, e := range []error{dtls.ErrFingerprint, dtls.ErrProfile, dtls.ErrHandshake} {
					if errors.Is(err, e) {
						assert.Nil(t, typed, "one kind of error")
						typed = e
					}
				}
			})
		}
	}
}

// Every trusted hash, several certificates told, in any case of letters.
func TestEveryTrustedHash(t *testing.T) {
	cert, extra := certificate(t, elliptic.P256()), certificate(t, elliptic.P384())
	for _, h := range []dtls.Hash{dtls.HashSHA256, dtls.HashSHA384, dtls.HashSHA512} {
		f := dtls.FingerprintOf(h, cert.Certificate[0])
		told := []dtls.Fingerprint{dtls.FingerprintOf(dtls.HashSHA1, cert.Certificate[0]), dtls.FingerprintOf(h, extra.Certificate[0]), f}
		_, keys, err, _, _ := call(t, dtls.Config{Identity: identity(t), Role: dtls.SetupActive, Fingerprints: told}, other{cert: &cert, profiles: everyProfile()}, 0)
		require.NoError(t, err)
		assert.Equal(t, f, keys.Peer)
	}
}

// Two calls between the same two identities have nothing in common, and the goodbye of one side reaches the other.
func TestKeysAreOfOneCall(t *testing.T) {
	leaktest.Check(t)
	ours, theirs := identity(t), identity(t)
	seen := map[string]bool{}
	for range 3 {
		a, b, ka, kb := pair(t, ours, theirs)
		assert.True(t, ka.Local.SameKeys(kb.Remote))
		assert.True(t, kb.Local.SameKeys(ka.Remote))
		for _, k := range []srtp.Crypto{ka.Local, ka.Remote} {
			require.False(t, seen[k.Keys[0].Key.ExportSecret()])
			seen[k.Keys[0].Key.ExportSecret()] = true
		}
		select {
		case <-b.Done():
			t.Fatal("ended before the goodbye")
		default:
		}
		a.Close()
		select {
		case <-b.Done():
		case <-time.After(patience):
			t.Fatal("the goodbye did not arrive")
		}
	}
}

// An association with keys costs no goroutine, and still serves a client that did not get the last flight.
func TestLastFlightIsSentAgain(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ours, theirs := identity(t), identity(t)
	var served atomic.Bool
	var a, b *dtls.Association
	a, err := dtls.New(dtls.Config{Identity: ours, Role: dtls.SetupActive, Fingerprints: []dtls.Fingerprint{theirs.Fingerprint()}, Retransmit: 20 * time.Millisecond,
		Send: func(p []byte) error { b.Deliver(p); return nil }})
	require.NoError(t, err)
	b, err = dtls.New(dtls.Config{Identity: theirs, Role: dtls.SetupPassive, Fingerprints: []dtls.Fingerprint{ours.Fingerprint()}, Retransmit: 20 * time.Millisecond,
		Send: func(p []byte) error {
			if p[0] == 20 && !served.Load() {
				return nil // every last flight, it begins with a change of keys, until the server's Handshake has returned
			}
			a.Deliver(p)
			return nil
		}})
	require.NoError(t, err)
	defer b.Close()
	defer a.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { // ends with the handshake; waited for below
		_, err := b.Handshake(ctx)
		served.Store(true)
		done <- err
	}()
	_, err = a.Handshake(ctx)
	require.NoError(t, err)
	require.NoError(t, <-done)
	goleak.VerifyNone(t, before)
}

// Nobody but the peer ends an association that has keys: not with alerts in the clear, nor with junk.
func TestForgedGoodbye(t *testing.T) {
	a, b, _, _ := pair(t, identity(t), identity(t))
	dropped := a.Dropped()
	for _, pkt := range [][]byte{
		{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0},                      // close_notify in the clear
		{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40},                     // a fatal alert in the clear
		{21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 2, 1, 0},                     // said to be protected
		{23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 1, 1},                         // application data
		{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 3, 1, 2, 3},                   // a shred of a handshake
		{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0xff, 0xff}, {22}, {}, {0x80, 0}, // shreds
		make([]byte, 20000),
	} {
		for range 40 {
			a.Deliver(pkt)
			b.Deliver(pkt)
		}
	}
	assert.Greater(t, a.Dropped(), dropped)
	select {
	case <-a.Done():
		t.Fatal("ended by a stranger")
	case <-b.Done():
		t.Fatal("ended by a stranger")
	default:
	}
	a.Close()
	select {
	case <-b.Done():
	case <-time.After(patience):
		t.Fatal("the real goodbye did not arrive")
	}
}

// A ClientHello from anybody is answered with a cookie to bring back, in fewer bytes than it took, and with nothing else.
func TestClientHelloCostsACookie(t *testing.T) {
	cert := certificate(t, elliptic.P256())
	sent := make(chan []byte, 10)
	a, err := dtls.New(dtls.Config{Identity: identity(t), Role: dtls.SetupPassive, Fingerprints: []dtls.Fingerprint{dtls.FingerprintOf(dtls.HashSHA256, cert.Certificate[0])},
		Send: func(p []byte) error { sent <- bytes.Clone(p); return nil }})
	require.NoError(t, err)
	defer a.Close()
	w := newWire()
	hello := make(chan []byte, 10)
	w.to = func(p []byte) { hello <- p }
	conn, err := other{cert: &cert, profiles: everyProfile()}.client(w)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() { _, _ = a.Handshake(ctx); done <- struct{}{} }()        // ends with ctx; waited for below
	go func() { _ = conn.HandshakeContext(ctx); done <- struct{}{} }() // ends with ctx; waited for below
	first := <-hello
	a.Deliver(first)
	reply := <-sent
	assert.EqualValues(t, 22, reply[0])
	assert.EqualValues(t, 3, reply[13], "HelloVerifyRequest")
	assert.Less(t, len(reply), len(first))
	assert.Empty(t, sent)
	cancel()
	<-done
	<-done
	_ = conn.Close()
	_ = w.Close()
}

// FuzzDeliver: whatever a stranger sends from the peer's address, before or after the handshake, nothing panics, ends or is sent more than a client may ask.
func FuzzDeliver(f *testing.F) {
	f.Add([]byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1})
	f.Add(append([]byte{21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 26}, make([]byte, 26)...))
	f.Fuzz(func(t *testing.T, pkt []byte) {
		id := identity(t)
		fresh, err := dtls.New(dtls.Config{Identity: id, Role: dtls.SetupPassive, Fingerprints: []dtls.Fingerprint{id.Fingerprint()}, Send: func([]byte) error { return nil }})
		require.NoError(t, err)
		a, b, _, _ := pair(t, id, id)
		for range 40 {
			fresh.Deliver(pkt)
			a.Deliver(pkt)
			b.Deliver(pkt)
		}
		for _, x := range []*dtls.Association{fresh, a, b} {
			select {
			case <-x.Done():
				t.Fatal("ended by a stranger")
			default:
			}
		}
		fresh.Close()
	})
}

func TestHandshakeEnds(t *testing.T) {
	leaktest.Check(t)
	id := identity(t)
	cfg := dtls.Config{Identity: id, Role: dtls.SetupActive, Fingerprints: []dtls.Fingerprint{id.Fingerprint()}}
	sent := make(chan struct{}, 100)
	cfg.Send = func([]byte) error { sent <- struct{}{}; return errors.New("no route") }
	// by its context
	a, err := dtls.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("caller hung up")
	go func() { <-sent; cancel(why) }() // ends with the first datagram
	_, err = a.Handshake(ctx)
	require.ErrorIs(t, err, dtls.ErrHandshake)
	require.ErrorIs(t, err, why)
	<-a.Done()
	// by Close
	a, err = dtls.New(cfg)
	require.NoError(t, err)
	go func() { <-sent; a.Close() }() // ends with the first datagram
	_, err = a.Handshake(context.Background())
	require.Error(t, err)
	<-a.Done()
	assert.NotZero(t, a.Dropped(), "failed sends are counted")
}
