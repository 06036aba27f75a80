package webrtc_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/webrtc"
)

// page is what a browser phone does, without the SIP: its offer goes to /offer, and what getStats says to /stats until the page is closed.
const page = `<!doctype html><title>phone</title><script>
const report = (path, body) => fetch(path, {method: 'POST', body});
(async () => {
  const pc = new RTCPeerConnection();
  const stream = await navigator.mediaDevices.getUserMedia({audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false}});
  const sender = pc.addTrack(stream.getAudioTracks()[0], stream);
  pc.ontrack = e => { const a = new Audio(); a.srcObject = e.streams[0]; a.play(); };
  await pc.setLocalDescription(await pc.createOffer());
  await new Promise(done => {
    pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done();
    if (pc.iceGatheringState === 'complete') done();
  });
  const answer = await (await report('/offer', pc.localDescription.sdp)).text();
  await pc.setRemoteDescription({type: 'answer', sdp: answer});
  setInterval(async () => {
    const s = {state: pc.connectionState, packets: 0, lost: 0, cipher: '', codec: ''};
    const all = await pc.getStats();
    all.forEach(x => {
      if (x.type === 'inbound-rtp') { s.packets = x.packetsReceived; s.lost = x.packetsLost; s.codec = (all.get(x.codecId) || {}).mimeType || ''; }
      if (x.type === 'transport') s.cipher = x.srtpCipher || '';
    });
    await report('/stats', JSON.stringify(s));
  }, 200);
  pc.onconnectionstatechange = () => {
    if (pc.connectionState === 'connected') setTimeout(() => sender.dtmf.insertDTMF('42#', 100, 70), 2000);
  };
})().catch(e => report('/error', String(e)));
</script>`

// browserStats is what the page reports.
type browserStats struct {
	State, Cipher, Codec string
	Packets, Lost        int
}

// A real browser: the leg hears its microphone and its digits, and it hears itself.
func TestChromium(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("RINGFENCE_PEERS") == "required" {
			t.Fatal("chromium is not installed: apt-get install chromium")
		}
		t.Skip("chromium is not installed; left out: a real browser against the leg")
	}
	e, _ := setup(t, webrtc.Config{}, media.Config{})
	leg := newLeg(t, e)
	heard := newEar()
	leg.SetTap(heard)
	stats, failures := make(chan browserStats, 1000), make(chan string, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	mux.HandleFunc("POST /offer", func(w http.ResponseWriter, r *http.Request) {
		offer, err := io.ReadAll(r.Body)
		if err == nil {
			var answer []byte
			if answer, err = leg.Answer(r.Context(), offer); err == nil {
				_, _ = w.Write(answer)
				return
			}
		}
		failures <- err.Error()
		http.Error(w, "refused", http.StatusNotAcceptable)
	})
	mux.HandleFunc("POST /stats", func(_ http.ResponseWriter, r *http.Request) {
		var s browserStats
		if json.NewDecoder(r.Body).Decode(&s) == nil {
			select {
			case stats <- s:
			default:
			}
		}
	})
	mux.HandleFunc("POST /error", func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		failures <- string(b)
	})
	site := httptest.NewServer(mux)
	defer site.Close()
	startChromium(t, path, site.URL+"/")

	ctx, cancel := context.WithCancel(context.Background())
	echoed := make(chan error, 1)
	var last browserStats
	echoing := false
	deadline := time.After(60 * time.Second)
	for last.Packets < 100 {
		select {
		case last = <-stats:
			if !echoing && leg.Security().PeerVerified {
				echoing = true
				go func() { echoed <- leg.Echo(ctx) }()
			}
		case f := <-failures:
			t.Fatal("page: ", f)
		case <-deadline:
			t.Fatalf("the browser heard %d packets of itself, state %q", last.Packets, last.State)
		}
	}
	for _, want := range []byte("42#") {
		d, err := leg.ReadDigit(within(t, 20*time.Second))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(d))
	}
	cancel()
	require.ErrorIs(t, <-echoed, context.Canceled)
	heard.forget()
	heard.wait(t, 50)
	assert.InDelta(t, 440, heard.pitch(), 3, "the microphone's tone")
	assert.Equal(t, "connected", last.State)
	assert.Equal(t, "audio/PCMU", last.Codec)
	s := leg.Security()
	assert.Equal(t, "SRTP_"+s.Suite, last.Cipher, "both ends say the same of the suite")
	assert.True(t, s.PeerVerified)
	t.Logf("suite %s, browser received %d packets, lost %d", s.Suite, last.Packets, last.Lost)
}

// wav is two seconds of a tone at 48000 Hz, mono, 16 bits; it loops without a step.
func wav(freq float64) []byte {
	const rate, seconds = 48000, 2
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, 36+rate*seconds*2)
	b = append(b, "WAVEfmt "...)
	for _, v := range []uint32{16, 1 | 1<<16, rate, rate * 2, 2 | 16<<16} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, rate*seconds*2)
	for i := range rate * seconds {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(8000*math.Sin(2*math.Pi*freq*float64(i)/rate))))
	}
	return b
}

// startChromium opens url in a browser whose microphone hears 440 Hz, and ends it with the test.
func startChromium(t *testing.T, path, url string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "chromium")
	require.NoError(t, err)
	mic := filepath.Join(dir, "mic.wav")
	require.NoError(t, os.WriteFile(mic, wav(440), 0o600))
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir="+filepath.Join(dir, "profile"),
		"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--use-file-for-fake-audio-capture="+mic,
		"--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection", "--remote-debugging-port=0", url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts helpers; they end with it
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
}
