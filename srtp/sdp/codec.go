package sdp

import (
	"slices"
	"strconv"
	"strings"
)

// Codec is one payload type of an RTP stream.
type Codec struct {
	// Name is one of the names this package negotiates, such as PCMU.
	Name string
	// PT is the payload type, 0 to 127.
	PT uint8
	// Clock is the rate of the RTP timestamps in Hz: 8000, or 48000 for opus and its events. It is not the rate of the audio: G722
	// samples at 16000 Hz and counts 8000 (RFC 3551 section 4.5.2). If zero in what we write, the clock of the name.
	Clock int
	// Params is the value of the fmtp attribute as the peer wrote it, such as "useinbandfec=1". If empty, there was none.
	Params string
}

// The codec names this package negotiates.
const (
	PCMU           = "PCMU"
	PCMA           = "PCMA"
	G722           = "G722"
	Opus           = "opus"
	CN             = "CN"              // comfort noise (RFC 3389), besides an audio codec with a clock of 8000 Hz
	TelephoneEvent = "telephone-event" // keys (RFC 4733), with the clock of the audio codec it stands beside
)

// known is what we write and read for a name: the payload type of RFC 3551 or, for dynamic types, the one most phones use.
var known = []struct {
	name   string
	clock  int
	pt     uint8
	static bool
	audio  bool
	rtpmap string // of the usual type
}{
	{PCMU, 8000, 0, true, true, "0 PCMU/8000"},
	{PCMA, 8000, 8, true, true, "8 PCMA/8000"},
	{G722, 8000, 9, true, true, "9 G722/8000"},
	{Opus, 48000, 111, false, true, "111 opus/48000/2"}, // whatever is encoded, RFC 7587 section 7
	{CN, 8000, 13, true, false, "13 CN/8000"},
	{TelephoneEvent, 8000, 101, false, false, "101 telephone-event/8000"},
	{TelephoneEvent, 48000, 110, false, false, "110 telephone-event/48000"},
}

// isAudio reports whether name is a codec that carries a voice.
func isAudio(name string) bool {
	for i := range known {
		if known[i].name == name {
			return known[i].audio
		}
	}
	return false
}

func clockOf(name string) int {
	for i := range known {
		if known[i].name == name {
			return known[i].clock
		}
	}
	return 8000
}

// Attrs returns the attributes that describe the payload type: rtpmap, and fmtp if it has parameters. Static types are described too, because
// some phones do not know them. telephone-event without Params gets 0-15, the keys of a phone (RFC 4733 section 2.4.1).
func (c Codec) Attrs() []Attr { return c.appendAttrs(nil) }

func (c Codec) appendAttrs(attrs []Attr) []Attr {
	clock := c.Clock
	if clock == 0 {
		clock = clockOf(c.Name)
	}
	attrs = append(attrs, Attr{"rtpmap", c.rtpmap(clock)})
	switch {
	case c.Params != "":
		attrs = append(attrs, Attr{"fmtp", strconv.Itoa(int(c.PT)) + " " + c.Params})
	case c.Name == TelephoneEvent:
		attrs = append(attrs, Attr{"fmtp", strconv.Itoa(int(c.PT)) + " 0-15"})
	}
	return attrs
}

func (c Codec) rtpmap(clock int) string {
	for i := range known {
		k := &known[i]
		if k.name != c.Name || k.clock != clock {
			continue
		}
		if k.pt == c.PT {
			return k.rtpmap
		}
		_, what, _ := strings.Cut(k.rtpmap, " ")
		return strconv.Itoa(int(c.PT)) + " " + what
	}
	return strconv.Itoa(int(c.PT)) + " " + c.Name + "/" + strconv.Itoa(clock)
}

// codecsOf returns the payload types of a stream that we know, in its order, each name and clock once and each number once.
func codecsOf(m *Media) []Codec {
	var out []Codec
	for _, f := range m.Formats {
		n, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			continue
		}
		c, ok := mapped(m, f, uint8(n))
		if !ok || slices.ContainsFunc(out, func(o Codec) bool { return o.PT == c.PT || o.Name == c.Name && o.Clock == c.Clock }) {
			continue
		}
		if out == nil {
			out = make([]Codec, 0, min(len(m.Formats), len(known)))
		}
		out = append(out, c)
	}
	return out
}

// mapped returns what payload type f of the stream means. A type without an rtpmap has its static meaning (RFC 3551 section 6).
func mapped(m *Media, f string, pt uint8) (Codec, bool) {
	v, ok := byType(m, "rtpmap", f)
	if !ok {
		for i := range known {
			if k := &known[i]; k.static && k.pt == pt {
				return Codec{Name: k.name, PT: pt, Clock: k.clock}, true
			}
		}
		return Codec{}, false
	}
	enc, rest, _ := strings.Cut(v, "/")
	clockText, channels, _ := strings.Cut(rest, "/")
	for i := range known {
		k := &known[i]
		if !strings.EqualFold(enc, k.name) || !clockFits(clockText, k.clock, k.static && k.pt == pt) {
			continue
		}
		// RFC 7587 asks for "/2" behind opus, and phones leave it out. Nothing else we know has two channels.
		if channels != "" && channels != "1" && (channels != "2" || k.name != Opus) {
			continue
		}
		c := Codec{Name: k.name, PT: pt, Clock: k.clock}
		c.Params, _ = byType(m, "fmtp", f)
		return c, true
	}
	return Codec{}, false
}

// clockFits forgives what can have only one meaning for a static type: no clock, and phones that write G722/16000 for payload type 9.
func clockFits(text string, clock int, static bool) bool {
	switch text {
	case "8000":
		return clock == 8000
	case "48000":
		return clock == 48000
	case "", "16000":
		return static && clock == 8000
	}
	return false
}

// byType returns the rest of the first attribute "name:<pt> rest".
func byType(m *Media, name, pt string) (string, bool) {
	for i := range m.Attrs {
		a := &m.Attrs[i]
		if !same(a.Name, name) {
			continue
		}
		if v, ok := strings.CutPrefix(a.Value, pt); ok && v != "" && isSpace(v[0]) {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// findCodec returns the codec of a list with the name and clock.
func findCodec(list []Codec, name string, clock int) (Codec, bool) {
	for _, c := range list {
		if c.Name == name && c.Clock == clock {
			return c, true
		}
	}
	return Codec{}, false
}

// best returns the audio codec of have that want names first.
func best(have []Codec, want []string) (Codec, bool) {
	for _, name := range want {
		for _, c := range have {
			if c.Name == name && isAudio(name) {
				return c, true
			}
		}
	}
	return Codec{}, false
}
