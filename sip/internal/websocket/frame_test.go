package websocket_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/sip/internal/websocket"
)

// client writes a frame as a client does, from its description in RFC 6455 section 5.2 alone.
func client(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n <= 65535:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := [4]byte{0xa5, 0x00, 0x17, 0xff}
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

func text(s string) []byte { return client(0x81, []byte(s)) }

// decode writes the pieces one after the other and returns what comes out, as one line each.
func decode(max int, pieces ...[]byte) (out []string) {
	d := websocket.NewDecoder(max)
	for _, p := range pieces {
		d.Write(p)
		for {
			ev, ok, fault := d.Next()
			if fault != nil {
				return append(out, fmt.Sprintf("fault %d", fault.Code))
			}
			if !ok {
				break
			}
			out = append(out, fmt.Sprintf("%d %d %q", ev.Op, ev.Code, ev.Payload))
		}
	}
	return out
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

func TestFrames(t *testing.T) {
	long := strings.Repeat("x", 70000)
	for name, c := range map[string]struct {
		in   []byte
		want []string
	}{
		"text":                       {text("hello"), []string{`1 0 "hello"`}},
		"RFC 6455 section 5.7":       {[]byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}, []string{`1 0 "Hello"`}},
		"empty":                      {text(""), []string{`1 0 ""`}},
		"binary, any bytes":          {client(0x82, []byte{0xff, 0}), []string{`2 0 "\xff\x00"`}},
		"16 bit length":              {text(long[:300]), []string{`1 0 "` + long[:300] + `"`}},
		"64 bit length":              {text(long), []string{`1 0 "` + long + `"`}},
		"fragments, ping between":    {join(client(0x01, []byte("a")), client(0x89, []byte("p")), client(0, []byte("b")), client(0x80, []byte("c"))), []string{`9 0 "p"`, `1 0 "abc"`}},
		"two messages":               {join(text("a"), text("b")), []string{`1 0 "a"`, `1 0 "b"`}},
		"UTF-8 over two fragments":   {join(client(0x01, []byte{0xc3}), client(0x80, []byte{0xa4})), []string{`1 0 "ä"`}},
		"pong":                       {client(0x8a, []byte("p")), []string{`10 0 "p"`}},
		"close":                      {client(0x88, nil), []string{`8 1005 ""`}},
		"close with reason":          {client(0x88, []byte("\x03\xe8bye")), []string{`8 1000 "bye"`}},
		"nothing after close":        {join(client(0x88, nil), text("a")), []string{`8 1005 ""`}},
		"close with half a code":     {client(0x88, []byte{3}), []string{"fault 1002"}},
		"close with 1005":            {client(0x88, []byte{3, 0xed}), []string{"fault 1002"}},
		"close with 999":             {client(0x88, []byte{3, 0xe7}), []string{"fault 1002"}},
		"close, reason not UTF-8":    {client(0x88, []byte{3, 0xe8, 0xff}), []string{"fault 1007"}},
		"text not UTF-8":             {client(0x81, []byte{0xff}), []string{"fault 1007"}},
		"no mask":                    {[]byte{0x81, 0x01, 'a'}, []string{"fault 1002"}},
		"reserved bit":               {client(0xc1, []byte("a")), []string{"fault 1002"}},
		"reserved opcode":            {client(0x83, nil), []string{"fault 1002"}},
		"reserved control opcode":    {client(0x8b, nil), []string{"fault 1002"}},
		"ping in fragments":          {client(0x09, nil), []string{"fault 1002"}},
		"ping of 126":                {client(0x89, make([]byte, 126)), []string{"fault 1002"}},
		"continuation of nothing":    {client(0x80, nil), []string{"fault 1002"}},
		"message inside message":     {join(client(0x01, nil), text("a")), []string{"fault 1002"}},
		"16 bit length not needed":   {[]byte{0x81, 0xfe, 0, 125}, []string{"fault 1002"}},
		"64 bit length not needed":   {append([]byte{0x81, 0xff}, 0, 0, 0, 0, 0, 0, 0xff, 0xff), []string{"fault 1002"}},
		"64 bit length, sign":        {append([]byte{0x81, 0xff}, 0x80, 0, 0, 0, 0, 0, 0, 0), []string{"fault 1002"}},
		"too long, header alone":     {append([]byte{0x81, 0xff}, 0, 0, 0, 0, 0, 2, 0, 0), []string{"fault 1009"}},
		"too long in fragments":      {join(client(0x01, []byte(long)), client(0x80, []byte(long))), []string{"fault 1009"}},
		"the next frame is at fault": {join(text("a"), client(0xc1, nil)), []string{`1 0 "a"`, "fault 1002"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, decode(100_000, c.in))
			var bytewise [][]byte
			for i := range c.in {
				bytewise = append(bytewise, c.in[i:i+1])
			}
			require.Equal(t, c.want, decode(100_000, bytewise...), "byte by byte")
		})
	}
}

func TestLimitIsExact(t *testing.T) {
	require.Equal(t, []string{`1 0 "xxxxxxxx"`}, decode(8, text("xxxxxxxx")))
	require.Equal(t, []string{"fault 1009"}, decode(8, text("xxxxxxxxx")))
	require.Equal(t, []string{"fault 1009"}, decode(8, client(0x01, []byte("xxxxxxxx")), client(0x80, []byte("x"))))
}

func TestAppend(t *testing.T) {
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("x"), n)
		frame := websocket.Append(nil, websocket.Text, payload)
		want := client(0x81, payload) // but for mask bit and key
		head := len(want) - n - 4
		want[1] &= 0x7f
		require.Equal(t, want[:head], frame[:head])
		require.Equal(t, payload, frame[head:])
	}
	require.Equal(t, []byte{0x88, 2, 3, 0xe9}, websocket.AppendClose(nil, websocket.GoingAway))
	require.Equal(t, []byte{0x88, 0}, websocket.AppendClose(nil, websocket.NoStatus))
}

// TestAnyCutIsTheSame: messages come out as they went in, however they are cut into fragments and into pieces.
func TestAnyCutIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var wire []byte
		var want []string
		for range rapid.IntRange(1, 5).Draw(t, "messages") {
			payload := []byte(rapid.StringN(0, 400, -1).Draw(t, "payload"))
			want = append(want, fmt.Sprintf("1 0 %q", payload))
			first := byte(0x01)
			for len(payload) > 1 && rapid.Bool().Draw(t, "fragment") {
				n := rapid.IntRange(0, len(payload)).Draw(t, "n")
				wire = append(wire, client(first, payload[:n])...)
				payload, first = payload[n:], 0
			}
			wire = append(wire, client(first|0x80, payload)...)
		}
		var pieces [][]byte
		for rest := wire; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		require.Equal(t, want, decode(1<<16, pieces...))
	})
}

// FuzzDecoder: whatever arrives, nothing breaks, and how it was cut does not matter.
func FuzzDecoder(f *testing.F) {
	f.Add(join(text("hello"), client(0x89, []byte("p"))), 3)
	f.Add(join(client(0x01, []byte("a")), client(0x80, []byte("b"))), 1)
	f.Add([]byte{0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0}, 9)
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		whole := decode(1000, in)
		if cut = max(1, cut%64); cut > len(in) {
			return
		}
		var pieces [][]byte
		for rest := in; len(rest) > 0; {
			n := min(cut, len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		require.Equal(t, whole, decode(1000, pieces...))
	})
}
