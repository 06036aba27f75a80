package flac_test

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording/flac"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func encode(t testing.TB, rate, channels int, pcm []int16) []byte {
	t.Helper()
	var b bytes.Buffer
	err := flac.Encode(&b, rate, channels, int64(len(pcm)/channels), func(dst []int16, at int64) error {
		if n := copy(dst, pcm[int(at)*channels:]); n < len(dst) {
			return fmt.Errorf("asked for %d samples at %d", len(dst), at)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sounds are audio that takes every way through the encoder.
func sounds() map[string][]int16 {
	r := rand.New(rand.NewPCG(1, 2))
	make16 := func(n int, f func(i int) int) []int16 {
		s := make([]int16, n)
		for i := range s {
			s[i] = int16(f(i))
		}
		return s
	}
	sine := func(i int) int { return int(12000 * math.Sin(float64(i)*0.3)) }
	return map[string][]int16{
		"nothing":     {},
		"one":         {-5},
		"two":         {7, -32768},
		"five":        {1, 2, 4, 8, -16},
		"silence":     make([]int16, 20000),
		"tone":        make16(30000, sine),
		"decoded":     make16(30000, func(i int) int { return sine(i) &^ 7 }), // like G.711: the low bits are zero
		"noise":       make16(30000, func(int) int { return int(r.Uint32()) }),
		"soft noise":  make16(12288, func(int) int { return r.IntN(64) - 32 }),
		"extremes":    make16(9000, func(i int) int { return 32767 - i%2*65535 }),
		"lowest":      make16(4097, func(int) int { return -32768 }),
		"ramp":        make16(70000, func(i int) int { return i }),
		"bursts":      make16(40000, func(i int) int { return sine(i) * (i / 1000 % 2) }),
		"many blocks": make16(4096*130+6, func(i int) int { return i & 3 }), // frame numbers of two bytes
	}
}

// What was put in comes out, by a decoder that knows RFC 9639 and nothing of the encoder, and it takes less room than it did.
func TestRoundTrip(t *testing.T) {
	for name, pcm := range sounds() {
		for _, channels := range []int{1, 2} {
			pcm := pcm[:len(pcm)/channels*channels]
			b := encode(t, 8000, channels, pcm)
			if got, err := decode(b); err != nil || !slices.Equal(got, pcm) {
				t.Errorf("%s, %d channels: %d samples of %d, %v", name, channels, len(got), len(pcm), err)
			}
			most := map[string]float64{"silence": 0.01, "tone": 0.6, "decoded": 0.5, "noise": 1.01, "soft noise": 0.5, "bursts": 0.5, "ramp": 0.07}[name]
			if ratio := float64(len(b)) / float64(2*len(pcm)+100); most > 0 && channels == 1 && ratio > most {
				t.Errorf("%s: %.3f of what it was", name, ratio)
			}
		}
	}
}

func TestAnythingRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.IntRange(1, 8).Draw(t, "channels")
		shift := rapid.IntRange(0, 15).Draw(t, "shift")
		pcm := rapid.SliceOfN(rapid.Int16(), 0, 5000).Draw(t, "pcm")
		pcm = pcm[:len(pcm)/channels*channels]
		for i := range pcm {
			pcm[i] = pcm[i] >> shift << (shift / 2)
		}
		var b bytes.Buffer
		err := flac.Encode(&b, 48000, channels, int64(len(pcm)/channels), func(dst []int16, at int64) error {
			copy(dst, pcm[int(at)*channels:])
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decode(b.Bytes()); err != nil || !slices.Equal(got, pcm) {
			t.Fatalf("%d samples of %d, %v", len(got), len(pcm), err)
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(uint8(1), []byte{1, 2, 3, 4})
	f.Add(uint8(2), bytes.Repeat([]byte{0, 16}, 600))
	f.Fuzz(func(t *testing.T, channels uint8, raw []byte) {
		n := int(channels)%8 + 1
		pcm := make([]int16, len(raw)/2/n*n)
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		if got, err := decode(encode(t, 8000, n, pcm)); err != nil || !slices.Equal(got, pcm) {
			t.Fatalf("%d samples of %d, %v", len(got), len(pcm), err)
		}
	})
}

// The reference implementation finds every check sum right and the samples that were put in.
func TestReferenceDecoder(t *testing.T) {
	tool, err := exec.LookPath("flac")
	if err != nil {
		if os.Getenv("RINGFENCE_PEERS") == "required" {
			t.Fatal("flac is not installed: .ci/peers installs it")
		}
		t.Skip("flac is not installed")
	}
	dir := t.TempDir()
	for name, pcm := range sounds() {
		for _, channels := range []int{1, 2} {
			pcm := pcm[:len(pcm)/channels*channels]
			file := filepath.Join(dir, "x.flac")
			if err := os.WriteFile(file, encode(t, 8000, channels, pcm), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"-t", "-s", file}
			if len(pcm) > 0 { // a length of zero means that it is not known, and is warned of
				args = append(args, "-w")
			}
			if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
				t.Errorf("%s: flac -t: %v: %s", name, err, out)
			}
			var out, errs bytes.Buffer
			cmd := exec.Command(tool, "-d", "-s", "-c", "--force-raw-format", "--endian=little", "--sign=signed", file)
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := cmd.Run(); err != nil || !bytes.Equal(out.Bytes(), raw(pcm)) {
				t.Errorf("%s, %d channels: %d bytes of %d: %v %s", name, channels, out.Len(), 2*len(pcm), err, errs.String())
			}
		}
	}
}

func raw(pcm []int16) []byte {
	var b []byte
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

func TestErrors(t *testing.T) {
	ok := func([]int16, int64) error { return nil }
	for _, bad := range []struct {
		rate, channels int
		samples        int64
	}{{0, 1, 1}, {1 << 20, 1, 1}, {8000, 0, 1}, {8000, 9, 1}, {8000, 1, -1}, {8000, 1, 1 << 36}} {
		if err := flac.Encode(io.Discard, bad.rate, bad.channels, bad.samples, ok); !errors.Is(err, flac.ErrFormat) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	broken := errors.New("broken")
	var b bytes.Buffer
	if err := flac.Encode(&b, 8000, 1, 10, func([]int16, int64) error { return broken }); !errors.Is(err, broken) || b.Len() > 0 {
		t.Errorf("%v, after %d bytes", err, b.Len())
	}
	for n := range 2 {
		if err := flac.Encode(&full{n: n, err: broken}, 8000, 1, 10, ok); !errors.Is(err, broken) {
			t.Error(err)
		}
	}
}

// full takes n writes.
type full struct {
	n   int
	err error
}

func (f *full) Write(p []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, f.err
	}
	return len(p), nil
}

func ExampleEncode() {
	tone := make([]int16, 8000)
	for i := range tone {
		tone[i] = int16(10000 * math.Sin(2*math.Pi*440*float64(i)/8000))
	}
	var file bytes.Buffer
	err := flac.Encode(&file, 8000, 1, int64(len(tone)), func(dst []int16, at int64) error {
		copy(dst, tone[at:])
		return nil
	})
	fmt.Println(err, string(file.Bytes()[:4]), file.Len() < 2*len(tone))
	// Output: <nil> fLaC true
}

// decode reads what Encode can write, by RFC 9639, bit by bit.
func decode(b []byte) (pcm []int16, err error) {
	defer func() {
		if e := recover(); e != nil {
			pcm, err = nil, fmt.Errorf("cut off: %v", e)
		}
	}()
	if string(b[:8]) != "fLaC\x80\x00\x00\x22" {
		return nil, errors.New("no streaminfo")
	}
	info := binary.BigEndian.Uint64(b[18:])
	channels, total := int(info>>41&7)+1, int(info&(1<<36-1))
	for body := b[42:]; len(body) > 0; {
		r := &bitReader{b: body}
		if r.u(16) != 0xfff8 {
			return nil, errors.New("no sync")
		}
		size, _, ch, _ := r.u(4), r.u(4), r.u(4), r.u(4)
		for first := r.u(8); first&0xc0 == 0xc0; first <<= 1 {
			r.u(8)
		}
		n := 4096
		if size == 7 {
			n = int(r.u(16)) + 1
		}
		if sum := crc(8, 0x07, body[:r.pos/8]); sum != r.u(8) || int(ch)+1 != channels {
			return nil, errors.New("frame header")
		}
		frame := make([]int16, n*channels)
		for c := range channels {
			for i, s := range r.subframe(n) {
				frame[i*channels+c] = int16(s)
			}
		}
		r.pos = (r.pos + 7) / 8 * 8
		if sum := crc(16, 0x8005, body[:r.pos/8]); sum != r.u(16) {
			return nil, errors.New("frame check sum")
		}
		pcm, body = append(pcm, frame...), body[r.pos/8:]
	}
	if sum := md5.Sum(raw(pcm)); len(pcm) != total*channels || !bytes.Equal(sum[:], b[26:42]) {
		return nil, errors.New("streaminfo is of other audio")
	}
	return pcm, nil
}

type bitReader struct {
	b   []byte
	pos int
}

func (r *bitReader) u(n int) (v uint64) {
	for range n {
		v = v<<1 | uint64(r.b[r.pos/8]>>(7-r.pos%8)&1)
		r.pos++
	}
	return v
}

func (r *bitReader) s(n int) int64 { return int64(r.u(n)<<(64-n)) >> (64 - n) }

func (r *bitReader) unary() (n uint64) {
	for r.u(1) == 0 {
		n++
	}
	return n
}

func (r *bitReader) subframe(n int) []int64 {
	kind, wasted := int(r.u(7)), 0
	if r.u(1) == 1 {
		wasted = int(r.unary()) + 1
	}
	depth, out := 16-wasted, make([]int64, n)
	switch {
	case kind == 0:
		v := r.s(depth)
		for i := range out {
			out[i] = v
		}
	case kind == 1:
		for i := range out {
			out[i] = r.s(depth)
		}
	default:
		order := kind - 8
		for i := range order {
			out[i] = r.s(depth)
		}
		r.u(2)
		split := int(r.u(4))
		i := order
		for p := range 1 << split {
			k := int(r.u(4))
			for ; i < (p+1)*(n>>split); i++ {
				u := r.unary()<<k | r.u(k)
				res := int64(u>>1) ^ -int64(u&1)
				for j, c := range [][]int64{{}, {1}, {2, -1}, {3, -3, 1}, {4, -6, 4, -1}}[order] {
					res += c * out[i-1-j]
				}
				out[i] = res
			}
		}
	}
	for i := range out {
		out[i] <<= wasted
	}
	return out
}

func crc(width int, generator uint64, b []byte) (sum uint64) {
	for _, c := range b {
		for i := range 8 {
			top := sum>>(width-1)&1 ^ uint64(c>>(7-i)&1)
			sum = sum << 1 & (1<<width - 1)
			if top == 1 {
				sum ^= generator
			}
		}
	}
	return sum
}
