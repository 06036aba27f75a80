package dtls

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	pion "github.com/pion/dtls/v3"
	"github.com/pion/logging"

	"github.com/ringfence/ringfence/srtp"
)

const (
	// exporterLabel is of RFC 5764 section 4.2.
	exporterLabel = "EXTRACTOR-dtls_srtp"
	// maxQueued is how many datagrams wait for the handshake. The longest flight is six.
	maxQueued = 16
	// maxDatagram is the longest datagram looked at; certificates of phones fit several times.
	maxDatagram = 8192
	// defaultRetransmit is the first wait before a flight is sent again: RFC 6347 section 4.2.4.1 says a second and allows less where a call waits.
	defaultRetransmit = 400 * time.Millisecond
	minRetransmit     = 10 * time.Millisecond
	maxRetransmit     = 60 * time.Second
	// defaultMTU leaves room for tunnels.
	defaultMTU = 1200
	minMTU     = 256
)

// Config says who we are, whom we expect and how to reach it.
type Config struct {
	// Identity is our certificate. Required.
	Identity *Identity
	// Role is SetupActive to begin the handshake or SetupPassive to wait for it; see AnswerSetup and LocalRole. Required.
	Role Setup
	// Fingerprints are all that the peer's description told for this media. Required: one of SHA-256 or better at least.
	Fingerprints []Fingerprint
	// Send puts one datagram on the wire, to the address the description told. It must not block, and must not call the Association. It is called
	// from several goroutines, one at a time, also out of Deliver and Close, and never after Close has returned; it must not keep the slice. Required.
	Send func(pkt []byte) error
	// Policy says which suites are acceptable, best first. Of its suites DTLS knows AEAD_AES_256_GCM, AEAD_AES_128_GCM and the two of AES_CM_128.
	// If zero, the safest. Announce.Lifetime becomes the lifetime of our key.
	Policy srtp.Policy
	// Retransmit is the first wait before a flight is sent again, 10 ms to 60 s; it doubles with each. If zero, 400 ms.
	Retransmit time.Duration
	// MTU is the longest datagram to send in bytes, 256 to 8192. If zero, 1200.
	MTU int
}

// Keys is what a handshake yields. It holds secrets that do not print.
type Keys struct {
	// Local is for srtp.NewSender, Remote for srtp.NewReceiver.
	Local, Remote srtp.Crypto
	// Suite is the suite of both.
	Suite srtp.Suite
	// Peer is the told fingerprint that the peer's certificate matched.
	Peer Fingerprint
}

// Association is one DTLS connection of one media stream. Deliver, Done, Dropped and Close are safe for concurrent use; Handshake is called once.
type Association struct {
	conn    atomic.Pointer[pion.Conn] // nil once there are keys
	t       *transport
	client  bool
	want    []Fingerprint
	life    uint64
	begun   atomic.Bool
	verdict atomic.Pointer[error] // why the certificate was refused
}

// New checks everything that can be checked without the peer. It sends nothing and starts nothing. The errors are ErrConfig, ErrNoFingerprint,
// ErrWeakFingerprint, ErrProfile and those of srtp.Policy.Validate.
func New(cfg Config) (*Association, error) {
	if cfg.Retransmit == 0 {
		cfg.Retransmit = defaultRetransmit
	}
	if cfg.MTU == 0 {
		cfg.MTU = defaultMTU
	}
	switch {
	case cfg.Identity == nil || cfg.Identity.cert == nil:
		return nil, fmt.Errorf("%w: no identity", ErrConfig)
	case cfg.Role != SetupActive && cfg.Role != SetupPassive:
		return nil, fmt.Errorf("%w: role is active or passive", ErrConfig)
	case cfg.Send == nil:
		return nil, fmt.Errorf("%w: no way to send", ErrConfig)
	case cfg.Retransmit < minRetransmit || cfg.Retransmit > maxRetransmit:
		return nil, fmt.Errorf("%w: retransmission after %s", ErrConfig, cfg.Retransmit)
	case cfg.MTU < minMTU || cfg.MTU > maxDatagram:
		return nil, fmt.Errorf("%w: MTU %d", ErrConfig, cfg.MTU)
	}
	want, err := trusted(cfg.Fingerprints)
	if err != nil {
		return nil, err
	}
	profiles, err := profilesOf(cfg.Policy)
	if err != nil {
		return nil, err
	}
	a := &Association{t: newTransport(cfg.Send), client: cfg.Role == SetupActive, want: want, life: cfg.Policy.Announce.Lifetime}
	conn, err := a.open(cfg, profiles)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	a.conn.Store(conn)
	return a, nil
}

// open makes the library's connection. The chain and names of certificates prove nothing here: the fingerprint does, and it is checked in the handshake
// and once more after it.
func (a *Association) open(cfg Config, profiles []pion.SRTPProtectionProfile) (*pion.Conn, error) {
	shared := []pion.Option{
		pion.WithCertificates(*cfg.Identity.cert()),
		// Ephemeral Diffie-Hellman and AEAD only: the theft of an identity later opens no call of today.
		pion.WithCipherSuites(pion.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, pion.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			pion.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, pion.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
		pion.WithSRTPProtectionProfiles(profiles...),
		pion.WithExtendedMasterSecret(pion.RequireExtendedMasterSecret),
		pion.WithFlightInterval(cfg.Retransmit),
		pion.WithMTU(cfg.MTU),
		pion.WithInsecureSkipVerify(true),
		pion.WithVerifyPeerCertificate(a.check),
		pion.WithLoggerFactory(&logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}),
	}
	if a.client {
		var opts []pion.ClientOption
		for _, o := range shared {
			opts = append(opts, o)
		}
		return pion.ClientWithOptions(a.t, addr{}, opts...)
	}
	// HelloVerifyRequest stays on, which is the library's default: a ClientHello from a forged address costs no signature.
	opts := []pion.ServerOption{pion.WithClientAuth(pion.RequireAnyClientCert)}
	for _, o := range shared {
		opts = append(opts, o)
	}
	return pion.ServerWithOptions(a.t, addr{}, opts...)
}

// check is called by the library with the certificate whose key signed the handshake.
func (a *Association) check(raw [][]byte, _ [][]*x509.Certificate) error {
	var der []byte
	if len(raw) > 0 {
		der = raw[0]
	}
	_, err := verify(a.want, der)
	if err != nil {
		a.verdict.Store(&err)
	}
	return err
}

// Deliver hands in a datagram that came from the peer's address; see IsDTLS. It copies what it keeps and never blocks; it may call Send. Datagrams from another address are for
// the caller to drop: whoever gets here takes part in the handshake, though without the certificate it cannot end it.
func (a *Association) Deliver(pkt []byte) { a.t.deliver(pkt) }

// Dropped returns how many datagrams were dropped, in either direction, because they had no place here, the queue was full or Send failed.
func (a *Association) Dropped() uint64 { return a.t.drops.Load() }

// Handshake runs the handshake, sending flights again as needed, until it is done or ctx is. It returns keys only when the peer proved to hold the
// private key of a certificate with a told fingerprint and both agree on a suite; on any error the association is closed and Done with it. The errors
// are ErrFingerprint, ErrProfile, ErrHandshake, ErrState and ErrClosed; the first three wrap their cause, ctx's among them.
func (a *Association) Handshake(ctx context.Context) (Keys, error) {
	if !a.begun.CompareAndSwap(false, true) {
		return Keys{}, ErrState
	}
	keys, err := a.handshake(ctx)
	if err != nil {
		closed := a.t.done()
		a.Close()
		switch verdict := a.verdict.Load(); {
		case verdict != nil:
			return Keys{}, *verdict
		case errors.Is(err, ErrProfile) || errors.Is(err, ErrFingerprint) || errors.Is(err, ErrClosed):
			return Keys{}, err
		case closed && ctx.Err() == nil && errors.Is(err, context.Canceled):
			return Keys{}, ErrClosed
		case ctx.Err() != nil:
			return Keys{}, fmt.Errorf("%w: %w", ErrHandshake, context.Cause(ctx))
		}
		return Keys{}, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	return keys, nil
}

func (a *Association) handshake(ctx context.Context) (Keys, error) {
	conn := a.conn.Load()
	if err := conn.HandshakeContext(ctx); err != nil {
		return Keys{}, err
	}
	peer, suite, err := a.judge(conn)
	if err != nil {
		return Keys{}, err
	}
	// From here on the library has nothing to do that is worth its goroutines.
	last := a.t.park()
	_ = conn.Close()
	state, ok := conn.ConnectionState()
	if !ok {
		return Keys{}, errors.New("no state")
	}
	local, remote, err := a.export(&state, suite)
	if err != nil {
		return Keys{}, err
	}
	k, err := newKeeper(&state, a.client, last)
	if err != nil {
		local.Zero()
		remote.Zero()
		return Keys{}, err
	}
	a.t.takeOver(k)
	a.conn.Store(nil)
	if a.t.done() { // by Close or the peer's goodbye, in the meantime
		local.Zero()
		remote.Zero()
		return Keys{}, ErrClosed
	}
	return Keys{Local: local, Remote: remote, Suite: suite, Peer: peer}, nil
}

// judge says again what the callback said: no road through the library leads to keys without it. It also insists on a suite.
func (a *Association) judge(conn *pion.Conn) (Fingerprint, srtp.Suite, error) {
	state, ok := conn.ConnectionState()
	if !ok {
		return Fingerprint{}, 0, errors.New("no state")
	}
	var der []byte
	if len(state.PeerCertificates) > 0 {
		der = state.PeerCertificates[0]
	}
	peer, err := verify(a.want, der)
	if err != nil {
		return Fingerprint{}, 0, err
	}
	profile, ok := conn.SelectedSRTPProtectionProfile()
	if !ok {
		return Fingerprint{}, 0, fmt.Errorf("%w: the peer named none", ErrProfile)
	}
	suite := suiteOf(profile)
	if suite == srtp.SuiteInvalid {
		return Fingerprint{}, 0, ErrProfile
	}
	return peer, suite, nil
}

// export draws the keys of both directions and cuts them as RFC 5764 section 4.2 says: client key, server key, client salt, server salt.
func (a *Association) export(state *pion.State, suite srtp.Suite) (local, remote srtp.Crypto, err error) {
	salt := suite.SaltLen()
	key := suite.KeyLen() - salt
	b, err := state.ExportKeyingMaterial(exporterLabel, nil, 2*(key+salt))
	if err != nil {
		return srtp.Crypto{}, srtp.Crypto{}, fmt.Errorf("exporting keys: %w", err)
	}
	defer clear(b)
	cut := func(i int) srtp.Key {
		ks := append(append(make([]byte, 0, key+salt), b[i*key:(i+1)*key]...), b[2*key+i*salt:2*key+(i+1)*salt]...)
		defer clear(ks)
		return srtp.NewKey(ks)
	}
	mine := 1
	if a.client {
		mine = 0
	}
	local = srtp.Crypto{Suite: suite, Keys: []srtp.InlineKey{{Key: cut(mine), Lifetime: a.life}}}
	remote = srtp.Crypto{Suite: suite, Keys: []srtp.InlineKey{{Key: cut(1 - mine)}}}
	return local, remote, nil
}

// Done is closed when the association has ended: by Close, by a failed handshake, or because the peer said goodbye. Media keys stay good; whether
// the call ends with it is for the call to decide.
func (a *Association) Done() <-chan struct{} { return a.t.closed }

// Close says goodbye to a peer with which the handshake was done, and ends the association. When it returns, a Handshake under way has returned or is
// about to, Send is not called any more, and the library's goroutines have nothing left to wait for. It may be called twice.
func (a *Association) Close() {
	if conn := a.conn.Load(); conn != nil {
		_ = conn.Close() // tells the peer, if the handshake got that far, and ends one under way
	}
	a.t.shutdown(a.t.keep.Load())
}

// profiles are the suites that both RFC 5764 or RFC 7714 and this package know.
func profiles() map[srtp.Suite]pion.SRTPProtectionProfile {
	return map[srtp.Suite]pion.SRTPProtectionProfile{
		srtp.AEADAES256GCM: pion.SRTP_AEAD_AES_256_GCM, srtp.AEADAES128GCM: pion.SRTP_AEAD_AES_128_GCM,
		srtp.AESCM128HMACSHA1Tag80: pion.SRTP_AES128_CM_HMAC_SHA1_80, srtp.AESCM128HMACSHA1Tag32: pion.SRTP_AES128_CM_HMAC_SHA1_32,
	}
}

func profilesOf(p srtp.Policy) ([]pion.SRTPProtectionProfile, error) {
	suites, err := p.Usable()
	if err != nil {
		return nil, err
	}
	var out []pion.SRTPProtectionProfile
	known := profiles()
	for _, s := range suites {
		if profile, ok := known[s]; ok {
			out = append(out, profile)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: of the policy's suites DTLS knows none", ErrProfile)
	}
	return out, nil
}

func suiteOf(profile pion.SRTPProtectionProfile) srtp.Suite {
	for s, p := range profiles() {
		if p == profile {
			return s
		}
	}
	return srtp.SuiteInvalid
}
