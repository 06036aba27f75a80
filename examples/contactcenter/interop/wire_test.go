package interop

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
)

// datagram is a UDP packet of a capture.
type datagram struct {
	from, to netip.AddrPort
	payload  []byte
}

// capture reads a pcap file of Ethernet frames: every frame, the UDP packets among them, and how many bytes of TCP came from a port.
func capture(t *testing.T, file []byte, tcpPort uint16) (frames [][]byte, udp []datagram, tcp int) {
	t.Helper()
	require.Greater(t, len(file), 24)
	le, be := binary.LittleEndian, binary.BigEndian
	require.EqualValues(t, 0xa1b2c3d4, le.Uint32(file), "pcap")
	for at := 24; at+16 <= len(file); {
		n := int(le.Uint32(file[at+8:]))
		if at+16+n > len(file) {
			break // the last record, being written
		}
		frame := file[at+16 : at+16+n]
		at += 16 + n
		frames = append(frames, frame)
		if len(frame) < 14+20 || be.Uint16(frame[12:]) != 0x0800 {
			continue // ARP, IPv6 of the cable itself
		}
		ip := frame[14:]
		head := int(ip[0]&15) * 4
		src, _ := netip.AddrFromSlice(ip[12:16])
		dst, _ := netip.AddrFromSlice(ip[16:20])
		body := ip[head:min(int(be.Uint16(ip[2:])), len(ip))]
		switch ip[9] {
		case 17:
			udp = append(udp, datagram{netip.AddrPortFrom(src, be.Uint16(body)), netip.AddrPortFrom(dst, be.Uint16(body[2:])), body[8:]})
		case 6:
			if be.Uint16(body) == tcpPort {
				tcp += len(body)
			}
		}
	}
	return frames, udp, tcp
}

// What crosses the cable between a real phone and the server is ciphertext: no word of SIP, no sample of the tone. That the tone was there is
// proved with the key from the phone's own trace.
func TestNothingIsReadableOnTheWire(t *testing.T) {
	need(t, "baresip", "socat", "ip", "tcpdump")
	needLibsrtp(t)
	t.Parallel()
	l := newLAN(t)
	s := startServer(t, siteConfig{Namespace: l.server, IP: l.serverIP, SIP: 5061, Management: 8444})
	require.Len(t, listening(t, s), 2, "signalling and management, both TLS, and no third")
	pcap := filepath.Join(t.TempDir(), "wire.pcap")
	// -Z root: tcpdump would give root up and then be unable to write here.
	log := background(t, in(l.phones, "tcpdump", "-i", l.wire, "-U", "-s", "0", "-Z", "root", "-w", pcap))
	eventually(t, "tcpdump listens", func() bool { return strings.Contains(log.String(), "listening on") })

	caller := newPhone(t, l, s, phoneConfig{user: "1009", index: 1, freq: 600, codec: "PCMU"})
	caller.dial("9003")
	caller.await("CALL_CLOSED", 1) // the server plays three seconds of 1 kHz and hangs up
	m := cryptoLine.FindStringSubmatch(caller.answered())
	require.NotNil(t, m, caller.answered())
	requireTone(t, middle(t, readWAV(t, caller.file(1))[0]), 1000, "what the caller heard")

	var frames, fromServer, fromPhone [][]byte
	require.Eventually(t, func() bool {
		file, err := os.ReadFile(pcap)
		require.NoError(t, err)
		all, udp, tcp := capture(t, file, uint16(s.site.SIP))
		frames = all
		fromServer, fromPhone = nil, nil
		for _, d := range udp {
			if len(d.payload) < 12 || d.payload[1] >= 192 && d.payload[1] <= 223 { // RTCP (RFC 5761 section 4)
				continue
			}
			if d.from.Addr().String() == l.serverIP {
				fromServer = append(fromServer, d.payload)
			} else {
				fromPhone = append(fromPhone, d.payload)
			}
		}
		return tcp > 2000 && len(fromServer) > 140 && len(fromPhone) > 100
	}, patience, 100*time.Millisecond, "signalling and both directions of media are in the capture")

	spoken := requireDecrypts(t, m[2], m[3], fromServer, 1000)
	canaries := map[string][]byte{
		"the caller's number": []byte("1009"), "the number dialed": []byte("9003"), "a SIP start line": []byte("SIP/2.0"), "the domain in a URI": []byte("@acme.localhost"),
		"a description": []byte("m=audio"), "our key": []byte(m[3]), "a sample of the tone": spoken[len(spoken)/2][:16],
	}
	farewells := 0
	for _, frame := range frames {
		// baresip 1.0.0 closes SRTP before it says goodbye: its last RTCP packet, and the ICMP error that quotes it, are in the clear and name its
		// user. That is the phone's own doing, which a server cannot undo; ours must not do it.
		if bytes.Contains(frame, []byte("\x04Adjo")) {
			farewells++
			continue
		}
		for what, canary := range canaries {
			require.False(t, bytes.Contains(frame, canary), "%s is readable on the wire", what)
		}
	}
	require.LessOrEqual(t, farewells, 2)
	control.Proves(t, "ENC-04")
}
