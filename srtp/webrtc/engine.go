package webrtc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/ringfence/ringfence/srtp/internal/carrier"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// Config describes an Engine. It is copied by New; later changes to it have no effect.
type Config struct {
	// Media is the engine the legs live in: it paces, counts and closes them. required
	Media *media.Engine
	// Addr is the IP address of this host that media is received on. An unspecified address is refused. required
	Addr netip.Addr
	// PublicAddr is the address browsers reach Addr by, behind a one-to-one NAT. If zero, Addr.
	PublicAddr netip.Addr
	// PortMin and PortMax bound the UDP ports, both included; a leg takes one. If zero, ports the system picks.
	PortMin, PortMax uint16
	// TCP accepts media of browsers whose network blocks UDP (RFC 6544), on Addr. Engine.Close closes it. If nil, media is over UDP only.
	TCP net.Listener
	// Certificate proves to browsers that the media is ours; its key must be ECDSA P-256. All legs share it, so give engines that must not be
	// linked to each other one each. If nil, New makes one that nobody else has.
	Certificate *tls.Certificate
}

func (c Config) withDefaults() Config {
	c.Addr, c.PublicAddr = c.Addr.Unmap(), c.PublicAddr.Unmap()
	if !c.PublicAddr.IsValid() {
		c.PublicAddr = c.Addr
	}
	return c
}

func host(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a.Zone() == ""
}

func (c Config) validate() error {
	switch {
	case c.Media == nil:
		return fmt.Errorf("%w: Media is required", ErrConfig)
	case !host(c.Addr):
		return fmt.Errorf("%w: Addr must be one host's IP address", ErrConfig)
	case !host(c.PublicAddr) || c.PublicAddr.Is4() != c.Addr.Is4():
		return fmt.Errorf("%w: PublicAddr must be one host's IP address of the version of Addr", ErrConfig)
	case (c.PortMin == 0) != (c.PortMax == 0) || c.PortMax < c.PortMin:
		return fmt.Errorf("%w: ports %d to %d", ErrConfig, c.PortMin, c.PortMax)
	default:
		return nil
	}
}

// Engine opens legs for browsers. It is safe for concurrent use.
type Engine struct {
	cfg      Config
	cert     webrtc.Certificate
	settings webrtc.SettingEngine
	codecs   *webrtc.MediaEngine
	tcp      ice.TCPMux
}

// New returns an Engine. With Config.TCP it starts the listener's goroutines, which Close ends. The error wraps ErrConfig.
func New(cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, codecs: &webrtc.MediaEngine{}}
	var err error
	if e.cert, err = certificate(cfg.Certificate); err != nil {
		return nil, err
	}
	for _, c := range []webrtc.RTPCodecParameters{
		// The numbers are the library's until a description says others.
		{RTPCodecCapability: capability(sdp.PCMU, 8000, 0), PayloadType: 0},
		{RTPCodecCapability: capability(sdp.PCMA, 8000, 0), PayloadType: 8},
		{RTPCodecCapability: capability(sdp.G722, 8000, 0), PayloadType: 9},
		{RTPCodecCapability: capability(sdp.Opus, 48000, 2), PayloadType: 111},
		{RTPCodecCapability: capability(sdp.TelephoneEvent, 8000, 0), PayloadType: 126},
		{RTPCodecCapability: capability(sdp.TelephoneEvent, 48000, 0), PayloadType: 110},
	} {
		if err := e.codecs.RegisterCodec(c, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if err := e.set(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return e, nil
}

func capability(name string, clock uint32, channels uint16) webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{MimeType: "audio/" + name, ClockRate: clock, Channels: channels, SDPFmtpLine: params[name]}
}

// set decides everything the library leaves open.
func (e *Engine) set() error {
	s, cfg := &e.settings, e.cfg
	s.LoggerFactory = quiet{}
	s.SetLite(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIPFilter(func(ip net.IP) bool {
		a, ok := netip.AddrFromSlice(ip)
		return ok && a.Unmap() == cfg.Addr
	})
	s.SetIncludeLoopbackCandidate(cfg.Addr.IsLoopback())
	udp, tcp := webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4
	if cfg.Addr.Is6() {
		udp, tcp = webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP6
	}
	networks := []webrtc.NetworkType{udp}
	s.DisableActiveTCP(true)
	if cfg.TCP != nil {
		networks = append(networks, tcp)
		e.tcp = webrtc.NewICETCPMux(quiet{}, cfg.TCP, tcpQueue)
		s.SetICETCPMux(e.tcp)
	}
	s.SetNetworkTypes(networks)
	// A socket of its own for each leg: on a shared one, closing a leg can cut another's write short (pion/ice issue 991).
	if cfg.PortMin != 0 {
		if err := s.SetEphemeralUDPPortRange(cfg.PortMin, cfg.PortMax); err != nil {
			return err
		}
	}
	if cfg.PublicAddr != cfg.Addr {
		if err := s.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{External: []string{cfg.PublicAddr.String()}, Local: cfg.Addr.String(),
			AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace}); err != nil {
			return err
		}
	}
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	s.SetSRTPReplayProtectionWindow(replayWindow)
	s.SetSRTCPReplayProtectionWindow(replayWindow)
	s.SetDTLSCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384)
	s.SetDTLSExtendedMasterSecret(dtls.RequireExtendedMasterSecret)
	// A source nobody declared is heard too: it is the verified peer's, and some stacks declare none.
	s.SetHandleUndeclaredSSRCWithoutAnswer(true)
	s.SetFireOnTrackBeforeFirstRTP(true)
	return s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer)
}

const (
	// replayWindow is how many packets behind the latest one may still come.
	replayWindow = 128
	// tcpQueue is how many packets wait for a leg on the ICE-TCP listener.
	tcpQueue = 20
)

// certificate checks the one given or makes one.
func certificate(given *tls.Certificate) (webrtc.Certificate, error) {
	if given == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return webrtc.Certificate{}, fmt.Errorf("%w: %w", ErrConfig, err)
		}
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
		if err != nil {
			return webrtc.Certificate{}, fmt.Errorf("%w: %w", ErrConfig, err)
		}
		// Its fingerprint vouches for it and nobody reads its dates, but the library refuses an expired one: the date is that of RFC 5280 for none.
		c, err := webrtc.NewCertificate(key, x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "WebRTC"},
			NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)})
		if err != nil {
			return webrtc.Certificate{}, fmt.Errorf("%w: %w", ErrConfig, err)
		}
		return *c, nil
	}
	key, ok := given.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() || len(given.Certificate) == 0 {
		return webrtc.Certificate{}, fmt.Errorf("%w: Certificate must have an ECDSA P-256 key", ErrConfig)
	}
	leaf, err := x509.ParseCertificate(given.Certificate[0])
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("%w: Certificate: %w", ErrConfig, err)
	}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return webrtc.Certificate{}, fmt.Errorf("%w: Certificate and its key do not belong together", ErrConfig)
	}
	return webrtc.CertificateFromX509(key, leaf), nil
}

// NewLeg returns a leg without media; its port opens with its first Offer or Answer. The errors are those of media.Engine.NewLeg. The caller closes
// the leg, or closes the media engine.
func (e *Engine) NewLeg(cfg media.LegConfig) (*media.Leg, error) {
	if len(cfg.Codecs) == 0 {
		cfg.Codecs = []string{sdp.PCMU, sdp.PCMA}
	}
	return e.cfg.Media.NewCarriedLeg(cfg, func(p carrier.Port) carrier.Carrier { return newNegotiator(e, p, cfg.Codecs) })
}

// Close closes Config.TCP and waits for its goroutines. Legs over TCP lose their media then; close the media engine first. It is safe to call
// again and always returns nil.
func (e *Engine) Close() error {
	if e.tcp != nil {
		_ = e.tcp.Close() // nothing to do about a listener that does not close
	}
	return nil
}
