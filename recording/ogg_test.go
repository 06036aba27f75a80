package recording_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// oggPacket is a packet of a logical stream.
type oggPacket struct {
	data []byte
	at   int64 // where it begins, in samples at 48 kHz from the start of the recording
}

// oggStream is what a file has of one logical stream.
type oggStream struct {
	head, tags []byte
	packets    []oggPacket
	end        int64 // of the last page's granule position, from the start of the recording
}

// parseOgg reads a file by RFC 3533 and RFC 7845 and checks what they demand.
func parseOgg(t testing.TB, b []byte) []*oggStream {
	t.Helper()
	le := binary.LittleEndian
	var out []*oggStream
	bySerial, begun, granule, ended := map[uint32]*oggStream{}, map[uint32]uint32{}, map[uint32]uint64{}, map[uint32]bool{}
	data := false
	for len(b) > 0 {
		if len(b) < 27 || string(b[:4]) != "OggS" || b[4] != 0 {
			t.Fatalf("no page: %q", b[:min(len(b), 30)])
		}
		n, size := int(b[26]), 0
		for _, l := range b[27 : 27+n] {
			size += int(l)
		}
		page := bytes.Clone(b[:27+n+size])
		b = b[len(page):]
		kind, pos, serial, number := page[5], le.Uint64(page[6:]), le.Uint32(page[14:]), le.Uint32(page[18:])
		sum := le.Uint32(page[22:])
		copy(page[22:], []byte{0, 0, 0, 0})
		if got := oggSum(page); got != sum {
			t.Fatalf("page %d of %x: CRC %08x, says %08x", number, serial, got, sum)
		}
		s := bySerial[serial]
		if (kind&2 != 0) != (s == nil) || kind&1 != 0 || number != begun[serial] || ended[serial] || (s == nil && data) {
			t.Fatalf("page %d of %x: kind %d", number, serial, kind)
		}
		begun[serial]++
		if s == nil {
			s = &oggStream{head: page[28:]}
			bySerial[serial], out = s, append(out, s)
			if pos != 0 || n != 1 || len(s.head) != 19 || string(s.head[:9]) != "OpusHead\x01" || s.head[18] != 0 {
				t.Fatalf("OpusHead %x", s.head)
			}
			continue
		}
		if s.tags == nil {
			if s.tags = page[27+n:]; pos != 0 || string(s.tags[:8]) != "OpusTags" {
				t.Fatalf("OpusTags %q", s.tags)
			}
			continue
		}
		data = true
		preskip := int64(le.Uint16(s.head[10:]))
		body, packet := page[27+n:], []byte{}
		for _, l := range page[27 : 27+n] {
			packet, body = append(packet, body[:l]...), body[l:]
			if l < 255 {
				s.packets = append(s.packets, oggPacket{packet, int64(granule[serial]) - preskip})
				granule[serial] += opusSamples(packet)
				packet = []byte{}
			}
		}
		ended[serial] = kind&4 != 0
		// The position of a page is what its packets add up to, and less only at the end.
		if pos != granule[serial] && (!ended[serial] || pos > granule[serial]) || len(packet) > 0 {
			t.Fatalf("page %d of %x: granule position %d, its packets end at %d", number, serial, pos, granule[serial])
		}
		s.end = int64(pos) - preskip
	}
	if len(ended) != len(out) || slices.Contains(slicesOf(ended), false) {
		t.Fatalf("streams without an end: %v", ended)
	}
	return out
}

func slicesOf(m map[uint32]bool) (out []bool) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func oggSum(b []byte) (sum uint32) {
	for _, c := range b {
		for i := range 8 {
			top := sum>>31 ^ uint32(c>>(7-i)&1)
			if sum <<= 1; top == 1 {
				sum ^= 0x04c11db7
			}
		}
	}
	return sum
}

// opusSamples is the length of a packet at 48 kHz, for packets of one frame (RFC 6716 section 3.1).
func opusSamples(p []byte) uint64 {
	switch config := p[0] >> 3; {
	case config < 12:
		return []uint64{480, 960, 1920, 2880}[config&3]
	case config < 16:
		return []uint64{480, 960}[config&1]
	default:
		return []uint64{120, 240, 480, 960}[config&3]
	}
}

// The packets leave as they were recorded, at their time; what is missing is filled, never skipped.
func TestOggHasTheRecordedPackets(t *testing.T) {
	ctx := context.Background()
	k := newKit(t, func(c *recording.Config) {
		c.Flagger = &flags{spans: []recording.Span{{Stream: recording.Only(0), From: 500 * time.Millisecond, To: 530 * time.Millisecond}}}
	})
	tr := k.create(t, "r1")
	type sent struct {
		data []byte
		at   time.Duration
	}
	var left, right []sent
	for n := range 500 {
		at := time.Duration(n) * 20 * time.Millisecond
		s := sent{[]byte{19<<3 | 4, byte(n), byte(n >> 8), 0}, at} // two channels
		if n == 100 || (n >= 200 && n < 400) {                     // lost, and a pause of four seconds
			continue
		}
		tr.PartyAt(0, 0).WriteFrame(at, recording.Opus, s.data)
		if n != 25 && n != 26 { // withheld
			left = append(left, s)
		}
	}
	// The other begins later, at a time that no packet begins at, with 60 ms of SILK; one is as long as a packet can be.
	late := 1502*time.Millisecond + 125*time.Microsecond
	b := tr.PartyAt(1, late)
	for n := range 50 {
		at := time.Duration(n) * 60 * time.Millisecond
		s := sent{[]byte{3 << 3, byte(n), 1}, late + at}
		if n == 10 {
			s.data = append(s.data, make([]byte, recording.MaxFrame-3)...)
		}
		if n != 20 {
			b.WriteFrame(at, recording.Opus, s.data)
			right = append(right, s)
		}
	}
	closeTrack(t, tr)
	var file bytes.Buffer
	n, err := k.access(t).ExportAs(ctx, "r1", &file, recording.Layout{Format: recording.OggOpus})
	if err != nil || n != int64(file.Len()) {
		t.Fatal(n, err)
	}
	streams := parseOgg(t, file.Bytes())
	if len(streams) != 2 || streams[0].head[9] != 2 || streams[1].head[9] != 1 || binary.LittleEndian.Uint16(streams[0].head[10:]) != 3840 {
		t.Fatalf("%d streams", len(streams))
	}
	for i, want := range [][]sent{left, right} {
		s := streams[i]
		if s.end != 48*10_000 {
			t.Errorf("stream %d ends at %d", i, s.end)
		}
		plc, silence := 0, 0
		for _, p := range s.packets {
			switch {
			case len(p.data) == 1:
				plc++
			case len(p.data) == 3 && p.data[1] == 0xff:
				silence++
			case len(want) == 0:
				t.Fatalf("stream %d: a packet more", i)
			default:
				w := want[0]
				if want = want[1:]; !bytes.Equal(p.data, w.data) {
					t.Fatalf("stream %d: %.4x at %d, want %.4x", i, p.data, p.at, w.data)
				}
				if d := int64(w.at)*48/1e6 - p.at; d < 0 || d >= 120 {
					t.Fatalf("stream %d: the packet of %v is %d samples early", i, w.at, d)
				}
			}
		}
		if len(want) > 0 || plc != 1 || silence < 4 {
			t.Errorf("stream %d: %d packets missing, %d for lost ones, %d of silence", i, len(want), plc, silence)
		}
	}
	file.Reset()
	if _, err := k.access(t).ExportAs(ctx, "r1", &file, recording.Layout{Format: recording.OggOpus, Stream: recording.Only(1)}); err != nil {
		t.Fatal(err)
	}
	if one := parseOgg(t, file.Bytes()); len(one) != 1 || fmt.Sprint(one[0].packets) != fmt.Sprint(streams[1].packets) {
		t.Error("a party alone: other packets")
	}
}

// Whoever is silent has a stream too; what is not Opus needs an encoder.
func TestOggOfOtherAudio(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	closeTrack(t, k.create(t, "empty"))
	tr := k.create(t, "mixed")
	tr.PartyAt(0, 0).WriteFrame(0, recording.Opus, opusFrame(1))
	speak(tr.PartyAt(1, 0), 0, 3*time.Second, 440, recording.PCMU)
	closeTrack(t, tr)
	layout := recording.Layout{Format: recording.OggOpus}
	var file bytes.Buffer
	if _, err := k.access(t).ExportAs(ctx, "empty", &file, layout); err != nil {
		t.Fatal(err)
	}
	if s := parseOgg(t, file.Bytes()); len(s) != 2 || s[0].end != 0 || len(s[0].packets) != 4 {
		t.Errorf("%+v", s)
	}
	file.Reset()
	if _, err := k.access(t).ExportAs(ctx, "mixed", &file, recording.Layout{Format: recording.OggOpus, Stream: recording.Only(0)}); err != nil {
		t.Fatal(err)
	}
	if s := parseOgg(t, file.Bytes()); len(s) != 1 || s[0].end != 3*48_000 {
		t.Errorf("%+v", s)
	}
	if _, err := k.access(t).ExportAs(ctx, "mixed", failing{t}, layout); !errors.Is(err, recording.ErrInvalid) {
		t.Error(err)
	}
}

// peer finds a program of the outside.
func peer(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("RINGFENCE_PEERS") == "required" {
			t.Fatalf("%s is not installed: .ci/peers installs it", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// Real packets of two tones, with a pause and a lost packet, come back as those tones by decoders that are not ours.
func TestOggPlays(t *testing.T) {
	enc, info, dec, ffmpeg := peer(t, "opusenc"), peer(t, "opusinfo"), peer(t, "opusdec"), peer(t, "ffmpeg")
	ctx := context.Background()
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}
	packets := func(hz float64) [][]byte {
		pcm := make([]byte, 0, 2*48_000*6)
		for i := range 48_000 * 6 {
			pcm = binary.LittleEndian.AppendUint16(pcm, uint16(int16(10000*math.Sin(2*math.Pi*hz*float64(i)/48_000))))
		}
		if err := os.WriteFile(filepath.Join(dir, "in.raw"), pcm, 0o600); err != nil {
			t.Fatal(err)
		}
		run(enc, "--quiet", "--raw", "--raw-rate", "48000", "--raw-chan", "1", "--bitrate", "24", "in.raw", "in.opus")
		b, err := os.ReadFile(filepath.Join(dir, "in.opus"))
		if err != nil {
			t.Fatal(err)
		}
		return parseOpusFile(b)[:300]
	}
	k := newKit(t)
	tr := k.create(t, "r1")
	for party, hz := range []float64{440, 1000} {
		for n, p := range packets(hz) {
			if n != 50 && (n < 100 || n >= 200) { // lost; paused from the second second to the fourth
				tr.PartyAt(party, 0).WriteFrame(time.Duration(n)*20*time.Millisecond, recording.Opus, p)
			}
		}
	}
	closeTrack(t, tr)
	heard := func(what string, pcm []int16, hz float64) {
		t.Helper()
		if len(pcm) < at(5900*time.Millisecond) || len(pcm) > at(6100*time.Millisecond) {
			t.Errorf("%s: %d samples", what, len(pcm))
			return
		}
		for _, from := range []time.Duration{300 * time.Millisecond, 1300 * time.Millisecond, 4300 * time.Millisecond, 5400 * time.Millisecond} {
			if got, share := pitch(pcm[at(from):][:at(400*time.Millisecond)]); math.Abs(got-hz) > 15 || share < 0.9 {
				t.Errorf("%s: %.0f Hz with %.2f of the energy after %v, want %.0f Hz", what, got, share, from, hz)
			}
		}
		var peak int16
		for _, s := range pcm[at(2200*time.Millisecond):at(3900*time.Millisecond)] {
			peak = max(peak, s, -s)
		}
		if peak > 100 {
			t.Errorf("%s: a peak of %d in the pause", what, peak)
		}
	}
	for i, hz := range []float64{440, 1000} {
		var b bytes.Buffer
		if _, err := k.access(t).ExportAs(ctx, "r1", &b, recording.Layout{Format: recording.OggOpus, Stream: recording.Only(i)}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "out.opus"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := run(info, "out.opus"); strings.Contains(strings.ToUpper(out), "WARNING") || !strings.Contains(out, "Playback length: 0m:06") {
			t.Error(out)
		}
		run(dec, "--quiet", "--rate", "8000", "out.opus", "out.wav")
		heard("opusdec", readSamples(t, filepath.Join(dir, "out.wav"), 44), hz)
	}
	var b bytes.Buffer
	if _, err := k.access(t).ExportAs(ctx, "r1", &b, recording.Layout{Format: recording.OggOpus}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "both.opus"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(info, "both.opus"); strings.Contains(strings.ToUpper(out), "WARNING") {
		t.Error(out)
	}
	for i, hz := range []float64{440, 1000} {
		run(ffmpeg, "-v", "error", "-y", "-i", "both.opus", "-map", fmt.Sprintf("0:a:%d", i), "-ar", "8000", "-f", "s16le", "out.raw")
		heard("ffmpeg", readSamples(t, filepath.Join(dir, "out.raw"), 0), hz)
	}
}

// parseOpusFile returns the packets of somebody else's file.
func parseOpusFile(b []byte) (out [][]byte) {
	var packet []byte
	for len(b) > 27 {
		n := int(b[26])
		lacing, body := b[27:27+n], b[27+n:]
		for _, l := range lacing {
			packet, body = append(packet, body[:l]...), body[l:]
			if l < 255 {
				out, packet = append(out, packet), nil
			}
		}
		b = body
	}
	return out[2:]
}

func readSamples(t *testing.T, path string, skip int) (out []int16) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || len(b) < skip {
		t.Fatal(len(b), err)
	}
	for b = b[skip:]; len(b) > 1; b = b[2:] {
		out = append(out, int16(binary.LittleEndian.Uint16(b)))
	}
	return out
}

// teller is an encoder whose packets say which one they are and the first sample of it.
type teller struct {
	n    byte
	fail error
	wide bool
}

func (e *teller) Encode(dst []byte, pcm []int16) (int, error) {
	if e.fail != nil || len(pcm) != 160 || len(dst) < recording.MaxFrame {
		return 0, errors.Join(e.fail, errors.New("asked for another frame"))
	}
	dst[0] = 1 << 3 // 20 ms
	if e.wide {
		dst[0] = 3 << 3
	}
	dst[1] = e.n
	e.n++
	return 2 + copy(dst[2:], binary.BigEndian.AppendUint16(nil, uint16(pcm[0]))), nil
}

// What was not recorded as Opus is encoded, beside what was: 20 ms after 20 ms, without the parts that are withheld.
func TestOggEncodesOtherAudio(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	tr := k.create(t, "mixed")
	tr.PartyAt(0, 0).WriteFrame(0, recording.Opus, opusFrame(1))
	speak(tr.PartyAt(1, 0), 0, 3*time.Second, 440, recording.PCMU)
	tr.PartyAt(1, 0).WriteFrame(3*time.Second, recording.PCMU, tone(440, 0, recording.PCMU)[:40]) // the last frame is 5 ms
	closeTrack(t, tr)
	var pcm []int16
	{
		p, err := k.access(t).Open(ctx, "mixed")
		if err != nil {
			t.Fatal(err)
		}
		pcm = make([]int16, 4*recording.SampleRate)
		n, _ := p.ReadPCM(1, pcm, 0)
		pcm = pcm[:n]
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	export := func(e recording.OpusEncoder) ([]byte, error) {
		cfg := k.cfg
		cfg.OpusEncoder = func() recording.OpusEncoder { return e }
		cfg.Flagger = &flags{spans: []recording.Span{{From: time.Second, To: 2 * time.Second}}}
		var b bytes.Buffer
		_, err := access(t, newVault(t, cfg)).ExportAs(ctx, "mixed", &b, recording.Layout{Format: recording.OggOpus})
		return b.Bytes(), err
	}
	b, err := export(&teller{})
	if err != nil {
		t.Fatal(err)
	}
	s := parseOgg(t, b)
	if len(s) != 2 || s[0].end != int64(len(pcm))*6 || s[1].end != s[0].end || len(s[1].packets) != 4+151 || !bytes.Equal(s[0].packets[4].data, opusFrame(1)) {
		t.Fatalf("%d streams, to %d", len(s), s[0].end)
	}
	for n, p := range s[1].packets {
		want := int16(0)
		if i := n - 4; i >= 0 && (i < 50 || i >= 100) { // behind 80 ms of silence, and withheld for a second
			want = pcm[160*i]
		}
		if p.data[1] != byte(n) || int16(binary.BigEndian.Uint16(p.data[2:])) != want || p.at != int64(n-4)*960 {
			t.Fatalf("packet %d: %x at %d, want %d", n, p.data, p.at, want)
		}
	}
	if _, err := export(&teller{fail: errBroken}); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	if _, err := export(&teller{wide: true}); !errors.Is(err, recording.ErrCodec) {
		t.Error(err)
	}
	if b, err := export(nil); !errors.Is(err, recording.ErrInvalid) || len(b) > 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	g := k.create(t, "g722")
	g.PartyAt(0, 0).WriteFrame(0, recording.G722, make([]byte, 160))
	closeTrack(t, g)
	cfg := k.cfg
	cfg.OpusEncoder = func() recording.OpusEncoder { return &teller{} }
	if _, err := access(t, newVault(t, cfg)).ExportAs(ctx, "g722", failing{t}, recording.Layout{Format: recording.OggOpus}); !errors.Is(err, recording.ErrCodec) {
		t.Errorf("without a decoder: %v", err)
	}
}
