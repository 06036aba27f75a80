package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/recording/voicemail"
	"github.com/ringfence/ringfence/retention"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
)

const beep = 1000 // Hz

// press sends keys and waits until they are out.
func press(t *testing.T, c *softcall, keys string) {
	t.Helper()
	require.NoError(t, c.leg.SendDigits(soon(t), keys))
}

func (w *world) over(c *softcall) {
	w.t.Helper()
	select {
	case <-c.call.Done():
	case <-time.After(patience):
		w.t.Fatal("the call is not ended")
	}
	c.leg.Close()
}

// says lets a call's side say d of audio.
func says(t *testing.T, c *softcall, d time.Duration) {
	t.Helper()
	goal := c.leg.Stats().Sent + uint64(d/(20*time.Millisecond))
	eventually(t, "enough is said", func() bool { return c.leg.Stats().Sent >= goal })
}

// leaves leaves a message of three seconds and waits until it is in its mailbox.
func (w *world) leaves(tenant, user, number string, voice *media.Prompt) (event, *softcall) {
	t := w.t
	t.Helper()
	before := len(w.find(named("voicemail-left")))
	c := w.dial(w.phone(tenant, user, func(c *softphoneConfig) { c.voice = voice }), number)
	press(t, c, "#")
	eventually(t, "the tone", func() bool { return c.ears.hears(beep) })
	says(t, c, 3*time.Second)
	press(t, c, "#")
	eventually(t, "the message is left", func() bool { return len(w.find(named("voicemail-left"))) > before })
	return w.find(named("voicemail-left"))[before], c
}

// mailbox returns how many messages a mailbox has.
func (w *world) mailbox(site int, box string) voicemail.Counts {
	w.t.Helper()
	n, err := w.node.sites[site].boxes.Counts(w.t.Context(), box)
	require.NoError(w.t, err)
	return n
}

func (w *world) restart() {
	w.close()
	w.tail = nil
	w.start()
}

// scanData reads every byte of every file in the data folder.
func (w *world) scanData(secrets map[string][]byte) {
	t := w.t
	t.Helper()
	files := 0
	require.NoError(t, filepath.WalkDir(w.cfg.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		for name, x := range secrets {
			require.False(t, bytes.Contains(b, x), "%s holds %s in plaintext", path, name)
		}
		return err
	}))
	require.Greater(t, files, 6, "the scan sees nothing")
}

func TestVoicemailFromToneToDeletion(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	require.Len(t, w.pins, 22, "eleven mailboxes a tenant")

	// A message in 1001's mailbox, and one for everybody, whose words are ASCII in the octets of G.711.
	lamp := w.watcher("1001", w.passwords["acme/1001"])
	uri := "sip:1001@acme.localhost"
	lamp.send("SUBSCRIBE", uri, uri, "200", "Event: message-summary")
	require.Contains(t, lamp.notified().Body, "Messages-Waiting: no")
	left, c := w.leaves("acme", "1009", "*91001", tone(t, 600))
	w.over(c)
	require.Equal(t, "1001", left.Box)
	require.NotEmpty(t, left.Recording)
	require.Contains(t, lamp.notified().Body, "Voice-Message: 1/0")
	const canary = "CANARY-OF-THE-MESSAGE"
	octets := []byte(strings.Repeat(canary, 8000/len(canary)))
	pcm := make([]int16, len(octets))
	codec.DecodeMulaw(pcm, octets)
	voice, err := media.NewPrompt(pcm)
	require.NoError(t, err)
	_, c = w.leaves("acme", "1009", "9004", voice)
	w.over(c)
	require.Equal(t, voicemail.Counts{New: 1}, w.mailbox(0, "1001"))
	require.Equal(t, voicemail.Counts{New: 1}, w.mailbox(0, "9004"))
	require.Equal(t, voicemail.Counts{}, w.mailbox(1, "1001"), "the other tenant's mailbox of that number")
	require.Equal(t, voicemail.Counts{}, w.mailbox(1, "9004"))
	samples := make([]byte, 0, 2*len(canary))
	for _, s := range pcm[:len(canary)] {
		samples = append(samples, byte(s), byte(uint16(s)>>8))
	}
	secrets := map[string][]byte{"the message": []byte(canary), "the message as samples": samples}
	for box, pin := range w.pins {
		secrets["the PIN of "+box] = []byte(pin)
	}
	w.scanData(secrets)

	// Its owner hears it, with the own phone and the PIN, and saves it.
	retrieve := func(keys string) *softcall {
		t.Helper()
		c := w.dial(w.phone("acme", "1001", nil), "9004")
		press(t, c, "*")
		press(t, c, w.pins["acme/1001"]+"#"+keys)
		return c
	}
	c = retrieve("1")
	eventually(t, "the owner hears the caller's tone", func() bool { return c.ears.hears(600) })
	press(t, c, "2")
	eventually(t, "saved", func() bool { return w.mailbox(0, "1001") == voicemail.Counts{Saved: 1} })
	require.Contains(t, lamp.notified().Body, "Voice-Message: 0/1")
	press(t, c, "**")
	w.over(c)

	// The same PIN, the same number, another tenant: refused, and nothing of it is heard.
	c = w.dial(w.phone("globex", "1001", nil), "9004")
	press(t, c, "*")
	press(t, c, w.pins["acme/1001"]+"#1")
	eventually(t, "refused", func() bool { return len(w.find(named("voicemail-refused"))) == 1 })
	require.Equal(t, "globex", w.find(named("voicemail-refused"))[0].Tenant)
	c.hangup()

	// After a restart it is saved still. Calls and messages are told apart.
	w.restart()
	w.scanData(secrets)
	require.Equal(t, voicemail.Counts{Saved: 1}, w.mailbox(0, "1001"))
	out, code := w.command("recordings", "list", "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)
	require.Len(t, lines(out), 3)
	for _, line := range lines(out)[1:] {
		require.Equal(t, "voicemail", strings.Fields(line)[1])
	}
	out, code = w.command("voicemail", "list", "--tenant", "acme", "--as", "admin")
	require.Zero(t, code, out)
	require.Contains(t, strings.Join(strings.Fields(out), " "), "1001 0 1 1002 0 0")

	c = retrieve("1")
	eventually(t, "heard again", func() bool { return c.ears.hears(600) })
	press(t, c, "3")
	eventually(t, "the message is cut off", func() bool { return !c.ears.hears(600) })
	c.hangup()
	eventually(t, "deleted", func() bool { return len(w.find(named("voicemail-deleted"))) == 1 })
	require.Equal(t, left.Recording, w.find(named("voicemail-deleted"))[0].Recording)
	require.Equal(t, voicemail.Counts{}, w.mailbox(0, "1001"))
	row, err := w.node.sites[0].catalog.Get(t.Context(), left.Recording)
	require.NoError(t, err)
	require.Empty(t, row.WrappedKey, "its key is gone")

	// No event and no log says a PIN, or who called.
	all, err := json.Marshal(w.find(func(e event) bool { return strings.HasPrefix(e.Event, "voicemail") }))
	require.NoError(t, err)
	require.NotContains(t, string(all), "1009")
	for _, pin := range w.pins {
		require.NotContains(t, string(all)+w.logged(), pin)
	}
	out, code = w.command("audit", "verify", "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)
	control.Proves(t, "ATR-02")
}

func TestAGreetingOfOnesOwn(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	const canary = "CANARY-OF-THE-GREETER"
	octets := []byte(strings.Repeat(canary, 8000/len(canary)))
	pcm := make([]int16, len(octets))
	codec.DecodeMulaw(pcm, octets)
	voice, err := media.NewPrompt(pcm)
	require.NoError(t, err)
	c := w.dial(w.phone("acme", "1002", func(c *softphoneConfig) { c.voice = voice }), "9004")
	press(t, c, "*")
	press(t, c, w.pins["acme/1002"]+"#01")
	eventually(t, "the tone", func() bool { return c.ears.hears(beep) })
	says(t, c, 3*time.Second)
	press(t, c, "#")
	press(t, c, "1")
	box := func() []voicemail.Item {
		items, err := w.node.sites[0].mailStore.Items(t.Context(), "1002")
		require.NoError(t, err)
		return items
	}
	eventually(t, "the greeting is in use", func() bool { return len(box()) == 1 && box()[0].State == voicemail.StateActive })
	c.hangup()
	w.scanData(map[string][]byte{"the greeting": []byte(canary)})
	c = w.dial(w.phone("acme", "1009", nil), "*91002")
	eventually(t, "a caller is greeted by it", func() bool {
		c.ears.mu.Lock()
		defer c.ears.mu.Unlock()
		heard := make([]byte, len(c.ears.pcm))
		codec.EncodeMulaw(heard, c.ears.pcm)
		return bytes.Contains(heard, []byte(canary))
	})
	c.hangup()
	control.Proves(t, "ATR-03")
}

func TestVoicemailThatIsNotLeft(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) { c.Tenants[0].Voicemail.MaxMessages = 1 })
	ended := func() int { return len(w.find(named("ended"))) }
	t.Run("hang-up in the greeting", func(t *testing.T) {
		n := ended()
		c := w.dial(w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) }), "9004")
		eventually(t, "greeted", func() bool { n, _ := c.ears.heard(); return n > 4000 })
		c.hangup()
		eventually(t, "ended", func() bool { return ended() > n })
		require.Equal(t, acd.IVREnded, w.find(named("ended"))[n].Record.Outcome)
	})
	t.Run("hang-up at the tone", func(t *testing.T) {
		n := ended()
		c := w.dial(w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) }), "9004")
		press(t, c, "#")
		eventually(t, "the tone", func() bool { return c.ears.hears(beep) })
		c.hangup()
		eventually(t, "ended", func() bool { return ended() > n })
	})
	items, err := w.node.sites[0].mailStore.Items(t.Context(), "9004")
	require.NoError(t, err)
	require.Empty(t, items)
	require.Empty(t, w.find(named("voicemail-left")))

	t.Run("three wrong PINs", func(t *testing.T) {
		c := w.dial(w.phone("acme", "1003", nil), "9004")
		press(t, c, "*")
		for i, pin := range []string{"902718", "902719", "902720"} {
			press(t, c, pin+"#")
			eventually(t, "refused", func() bool { return len(w.find(named("voicemail-refused"))) == i+1 })
		}
		w.over(c)
		c = w.dial(w.phone("acme", "1003", nil), "9004") // and the right one is of no use for a minute
		press(t, c, "*")
		press(t, c, w.pins["acme/1003"]+"#")
		eventually(t, "refused", func() bool { return len(w.find(named("voicemail-refused"))) == 4 })
		c.hangup()
		require.NotContains(t, w.logged(), "902718")
		out, code := w.command("voicemail", "pin", "--tenant", "acme", "--as", "admin", "1003") // an administrator helps
		require.Zero(t, code, out)
		pin := pinLine.FindStringSubmatch(strings.TrimSpace(out))
		require.NotNil(t, pin, out)
		_, err := w.node.sites[0].boxes.Login(t.Context(), "1003", voicemail.NewPIN(pin[3]), true, "")
		require.NoError(t, err)
		out, code = w.command("voicemail", "pin", "--tenant", "acme", "--as", "supervisor", "1003")
		require.Equal(t, exitRefused, code, out)
	})
	t.Run("a full mailbox, from the main menu", func(t *testing.T) {
		_, c := w.leaves("acme", "1009", "9004", tone(t, 600))
		w.over(c)
		eventually(t, "every call has ended", func() bool { return ended() == len(w.find(named("arrived"))) })
		n := ended()
		c = w.dial(w.phone("acme", "1009", nil), "9000") // nobody is there: the queue leads to the mailbox, which takes no more
		press(t, c, "1")
		w.over(c)
		eventually(t, "ended", func() bool { return ended() > n })
		require.Equal(t, acd.Overflowed, w.find(named("ended"))[n].Record.Outcome)
		require.Len(t, w.find(named("voicemail-left")), 1)
	})
	w.accounted()
}

// A queue without agents leads to the mailbox; retention deletes the message on its day, in the mailbox too; a hold keeps it from its owner's delete key.
func TestVoicemailOfAQueueAndItsRetention(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	c := w.dial(w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) }), "9000")
	press(t, c, "1")
	eventually(t, "nobody is there", func() bool { return len(w.find(named("overflowed"))) == 1 })
	press(t, c, "#") // the greeting is skipped
	eventually(t, "the tone", func() bool { return c.ears.hears(beep) })
	says(t, c, 3*time.Second)
	c.hangup() // a hang-up is the usual end
	eventually(t, "left", func() bool { return len(w.find(named("voicemail-left"))) == 1 && len(w.find(named("ended"))) == 1 })
	require.Equal(t, acd.Overflowed, w.find(named("ended"))[0].Record.Outcome)
	id := w.find(named("voicemail-left"))[0].Recording
	as := []string{"--tenant", "acme", "--as", "admin"}
	held, _ := w.leaves("acme", "1009", "9004", tone(t, 700))
	out, code := w.command(append([]string{"holds", "place", "--ground", "case 9", "--approver", "counsel", "--review", "2099-01-01", held.Recording}, as...)...)
	require.Zero(t, code, out)
	s, err := w.node.sites[0].boxes.Login(t.Context(), "9004", voicemail.NewPIN(w.pins["acme/9004"]), false, "")
	require.NoError(t, err)
	require.NoError(t, s.Delete(held.Recording))
	require.NoError(t, s.Finish(t.Context()))
	require.Equal(t, voicemail.Counts{New: 1}, w.mailbox(0, "9004"), "gone from the mailbox")

	row, err := w.node.sites[0].catalog.Get(t.Context(), id)
	require.NoError(t, err)
	due := retention.Due(row.Created, retention.Period{Days: 30}, time.UTC)
	sweep := func(at time.Time) string {
		out, code := w.command(append([]string{"retention", "run", "--now", at.Format(time.RFC3339Nano)}, as...)...)
		require.Zero(t, code, out)
		return out
	}
	require.Contains(t, sweep(due.Add(-time.Second)), "0 erased, 0 held")
	out, code = w.command(append([]string{"retention", "explain", "--now", due.Format(time.RFC3339Nano), id}, as...)...)
	require.Zero(t, code, out)
	require.Contains(t, out, id)
	require.Contains(t, sweep(due.Add(time.Hour)), "1 erased, 1 held")
	require.Equal(t, voicemail.Counts{}, w.mailbox(0, "9004"))
	kept, err := w.node.sites[0].catalog.Get(t.Context(), held.Recording)
	require.NoError(t, err)
	require.NotEmpty(t, kept.WrappedKey, "the hold keeps it")

	// A deleted user's mailbox goes with them.
	_, c = w.leaves("acme", "1009", "*91004", tone(t, 600))
	w.over(c)
	out, code = w.command(append([]string{"users", "delete", "1004"}, as...)...)
	require.Zero(t, code, out)
	require.Equal(t, voicemail.Counts{}, w.mailbox(0, "1004"))
	_, err = w.phone("acme", "1009", nil).dial(soon(t), "*91004")
	require.Error(t, err)
}

func TestVoicemailConfiguration(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{`boxes = ["office"]`, `zone = "Mars"`, `longest = "1h"`, `max_messages = 100000`, `box = "9004"`,
		"mail {\n server = \"mail.example\"\n from = \"a@b.example\"\n to = {}\n }"} {
		path := filepath.Join(t.TempDir(), "c.hcl")
		writeFile(t, path, strings.Replace(string(demoConfig), `boxes = ["9004"]`, bad, 1))
		_, err := loadConfig(path)
		require.Error(t, err, bad)
	}
	w := &world{t: t, cfg: testConfig(t, func(c *config) { c.Tenants[0].Voicemail.Boxes = []string{"9005"} }), passwords: map[string]string{}}
	require.ErrorContains(t, w.failToStart(), "unknown mailbox")
}
