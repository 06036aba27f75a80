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
var known = [...]struct {
	name   string
	clock  int
	pt     uint8
	static bool
	audio  bool
	format string // the usual type as it is written
	rtpmap string
	fmtp   string
}{
	{PCMU, 8000, 0, true, true, "0", "0 PCMU/8000", ""},
	{PCMA, 8000, 8, true, true, "8", "8 PCMA/8000", ""},
	{G722, 8000, 9, true, true, "9", "9 G722/8000", ""},
	{Opus, 48000, 111, false, true, "111", "111 opus/48000/2", ""}, // whatever is encoded, RFC 7587 section 7
	{CN, 8000, 13, true, false, "13", "13 CN/8000", ""},
	{TelephoneEvent, 8000, 101, false, false, "101", "101 telephone-event/8000", "101 0-15"},
	{TelephoneEvent, 48000, 110, false, false, "110", "110 telephone-event/48000", "110 0-15"},
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
func (c Codec) Attrs() []Attr {
	_, attrs := c.write(nil)
	return attrs
}

// write returns the payload type as it stands in the media line, and attrs with what describes it.
func (c *Codec) write(attrs []Attr) (format string, out []Attr) {
	clock := c.Clock
	if clock == 0 {
		clock = clockOf(c.Name)
	}
	what, usual := "", ""
	for i := range known {
		k := &known[i]
		if k.name != c.Name || k.clock != clock {
			continue
		}
		if k.pt == c.PT && c.Params == "" {
			attrs = append(attrs, Attr{"rtpmap", k.rtpmap})
			if k.fmtp != "" {
				attrs = append(attrs, Attr{"fmtp", k.fmtp})
			}
			return k.format, attrs
		}
		_, what, _ = strings.Cut(k.rtpmap, " ")
		_, usual, _ = strings.Cut(k.fmtp, " ")
	}
	if what == "" { // not one of ours, so Marshal has the last word on it
		what = c.Name + "/" + strconv.Itoa(clock)
	}
	format = strconv.Itoa(int(c.PT))
	attrs = append(attrs, Attr{"rtpmap", format + " " + what})
	if params := or(c.Params, usual); params != "" {
		attrs = append(attrs, Attr{"fmtp", format + " " + params})
	}
	return format, attrs
}

// types are where a stream describes its payload types: the first rtpmap and fmtp of each, by number, counted from 1.
type types struct{ rtpmap, fmtp [128]uint16 }

func (t *types) read(m *Media) {
	for i := range m.Attrs {
		a := &m.Attrs[i]
		switch {
		case same(a.Name, "rtpmap"):
			add(&t.rtpmap, a.Value, i)
		case same(a.Name, "fmtp"):
			add(&t.fmtp, a.Value, i)
		}
	}
}

func add(list *[128]uint16, value string, i int) {
	format, rest := field(value)
	if n, ok := payloadType(format); ok && rest != "" && list[n] == 0 {
		list[n] = uint16(i) + 1
	}
}

// payloadType reads a number below 128 in the only way to write it: the answer repeats it.
func payloadType(s string) (uint8, bool) {
	if len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if c := s[i]; c < '0' || c > '9' || i == 3 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return uint8(n), s != "" && n < 128
}

// codecsOf returns the payload types of a stream that we know, in its order, each name and clock once and each number once.
func codecsOf(m *Media) []Codec {
	var t types
	t.read(m)
	var out []Codec
	for _, f := range m.Formats {
		pt, ok := payloadType(f)
		if !ok {
			continue
		}
		c, ok := t.meaning(m, pt)
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

// meaning returns what a payload type of the stream is. A type without an rtpmap has its static meaning (RFC 3551 section 6).
func (t *types) meaning(m *Media, pt uint8) (Codec, bool) {
	at := t.rtpmap[pt]
	if at == 0 {
		for i := range known {
			if k := &known[i]; k.static && k.pt == pt {
				return Codec{Name: k.name, PT: pt, Clock: k.clock}, true
			}
		}
		return Codec{}, false
	}
	_, v := field(m.Attrs[at-1].Value)
	enc, rest, _ := strings.Cut(trimLeft(v), "/")
	clockText, channels, _ := strings.Cut(rest, "/")
	for i := range known {
		k := &known[i]
		if !same(enc, k.name) || !clockFits(clockText, k.clock, k.static && k.pt == pt) {
			continue
		}
		// RFC 7587 asks for "/2" behind opus, and phones leave it out. Nothing else we know has two channels.
		if channels != "" && channels != "1" && (channels != "2" || k.name != Opus) {
			continue
		}
		c := Codec{Name: k.name, PT: pt, Clock: k.clock}
		if at := t.fmtp[pt]; at != 0 {
			_, c.Params = field(m.Attrs[at-1].Value)
			c.Params = trimLeft(c.Params)
		}
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
