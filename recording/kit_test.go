package recording_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

// kit is a vault over memory with a clock that stands still unless moved.
type kit struct {
	blobs   *recordingtest.Blobs
	catalog *recordingtest.Catalog
	keys    *recordingtest.Keys
	audit   *recordingtest.Audit
	cfg     recording.Config
	vault   *recording.Vault
	now     time.Time
}

var home = recording.Place{Owner: "acme", Region: "eu-central", Environment: "test"}

var epoch = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func newKit(t testing.TB, change ...func(*recording.Config)) *kit {
	t.Helper()
	k := &kit{blobs: &recordingtest.Blobs{}, catalog: &recordingtest.Catalog{}, keys: recordingtest.NewKeys(1), audit: &recordingtest.Audit{}, now: epoch}
	k.cfg = recording.Config{Blobs: k.blobs, Catalog: k.catalog, Keys: k.keys, Signer: k.keys, Place: home, Authorizer: recordingtest.Allow{}, Auditor: k.audit,
		Now: func() time.Time { return k.now }}
	for _, f := range change {
		f(&k.cfg)
	}
	k.vault = newVault(t, k.cfg)
	return k
}

func newVault(t testing.TB, cfg recording.Config) *recording.Vault {
	t.Helper()
	v, err := recording.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func (k *kit) access(t testing.TB) *recording.Access { return access(t, k.vault) }

func access(t testing.TB, v *recording.Vault) *recording.Access {
	t.Helper()
	a, err := v.For(recordingtest.Allow{}, &recordingtest.Audit{})
	if err != nil {
		t.Fatal(err)
	}
	return a.Because("complaint-4711")
}

func (k *kit) create(t testing.TB, id string) *recording.Track {
	t.Helper()
	tr, err := k.vault.Create(context.Background(), recording.Meta{ID: id, Call: "call-" + id, Parties: []string{"caller", "agent"}, Attributes: map[string]string{"queue": "sales"}})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func closeTrack(t testing.TB, tr *recording.Track) {
	t.Helper()
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// frames is how many 20 ms frames there are in d.
func frames(d time.Duration) int { return int(d / (20 * time.Millisecond)) }

// ulaw encodes one sample by G.711's definition, not by the tables under test.
func ulaw(s int16) byte {
	sign, v := byte(0), int(s)
	if v < 0 {
		sign, v = 0x80, -v
	}
	v = min(v, 32635) + 0x84
	e := byte(7)
	for mask := 0x4000; v&mask == 0 && e > 0; mask >>= 1 {
		e--
	}
	return ^(sign | e<<4 | byte(v>>(e+3))&0x0f)
}

// alaw encodes one sample by G.711's definition.
func alaw(s int16) byte {
	sign, v := byte(0x80), int(s)
	if v < 0 {
		sign, v = 0, -v-1
	}
	v = min(v, 32767) >> 4
	e := byte(0)
	if v >= 16 {
		e = 1
		for v >= 32 {
			v >>= 1
			e++
		}
		v -= 16
	}
	return (sign | e<<4 | byte(v&0x0f)) ^ 0x55
}

// tone returns 20 ms of a sine at position n (in frames), coded.
func tone(hz float64, n int, codec string) []byte {
	b := make([]byte, 160)
	for i := range b {
		s := int16(10000 * math.Sin(2*math.Pi*hz*float64(n*160+i)/recording.SampleRate))
		if b[i] = ulaw(s); codec == recording.PCMA {
			b[i] = alaw(s)
		}
	}
	return b
}

// speak writes d of a tone to a party, from at on.
func speak(p *recording.Party, at, d time.Duration, hz float64, codec string) {
	for n := range frames(d) {
		p.WriteFrame(at+time.Duration(n)*20*time.Millisecond, codec, tone(hz, n, codec))
	}
}

// wav is a parsed export.
type wav struct{ left, right []int16 }

func (k *kit) export(t testing.TB, id string) wav {
	t.Helper()
	var b bytes.Buffer
	n, err := k.access(t).Export(context.Background(), id, &b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("Export = %d of %d bytes, %v", n, b.Len(), err)
	}
	return parseWAV(t, b.Bytes())
}

func parseWAV(t testing.TB, b []byte) (w wav) {
	t.Helper()
	if len(b) < 44 || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || string(b[36:40]) != "data" {
		t.Fatalf("not a WAV file: %q", b[:min(len(b), 44)])
	}
	if size, data := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[40:]); int(size) != len(b)-8 || int(data) != len(b)-44 {
		t.Fatalf("WAV header says %d and %d of %d bytes", size, data, len(b))
	}
	if channels, rate, bits := binary.LittleEndian.Uint16(b[22:]), binary.LittleEndian.Uint32(b[24:]), binary.LittleEndian.Uint16(b[34:]); channels != 2 || rate != 8000 || bits != 16 {
		t.Fatalf("WAV is %d channels, %d Hz, %d bits", channels, rate, bits)
	}
	for b = b[44:]; len(b) >= 4; b = b[4:] {
		w.left = append(w.left, int16(binary.LittleEndian.Uint16(b)))
		w.right = append(w.right, int16(binary.LittleEndian.Uint16(b[2:])))
	}
	return w
}

// pitch returns the strongest frequency of samples between 200 and 3000 Hz in steps of 10, and its share of all energy.
func pitch(samples []int16) (hz, share float64) {
	var total float64
	for _, s := range samples {
		total += float64(s) * float64(s)
	}
	if total == 0 {
		return 0, 0
	}
	var best float64
	for f := 200.0; f <= 3000; f += 10 {
		coeff := 2 * math.Cos(2*math.Pi*f/recording.SampleRate)
		var s1, s2 float64
		for _, s := range samples {
			s1, s2 = float64(s)+coeff*s1-s2, s1
		}
		if p := s1*s1 + s2*s2 - coeff*s1*s2; p > best {
			best, hz = p, f
		}
	}
	return hz, best * 2 / float64(len(samples)) / total
}

func silent(samples []int16) bool {
	for _, s := range samples {
		if s != 0 {
			return false
		}
	}
	return true
}

func at(d time.Duration) int { return int(d / (time.Second / recording.SampleRate)) }

// because gives the actor a reason.
func because(a *recording.Access, err error) (*recording.Access, error) {
	if err != nil {
		return nil, err
	}
	return a.Because("complaint-4711"), nil
}

func marks(t testing.TB, p *recording.Playback) []recording.Mark {
	t.Helper()
	m, err := p.Marks()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
