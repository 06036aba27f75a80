package media_test

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

var versionLine = regexp.MustCompile(`o=- (\d+) (\d+) `)

func version(t *testing.T, body string) string {
	m := versionLine.FindStringSubmatch(body)
	require.Len(t, m, 3)
	return m[2]
}

func TestHoldAndResumeKeepKeys(t *testing.T) {
	e := newEngine(t, media.Config{})
	leg := newLeg(t, e)
	phone := newBarePhone(t)
	phone.call(leg)
	before := phone.answer
	again, err := leg.Answer(context.Background(), phone.offer())
	require.NoError(t, err)
	assert.Equal(t, before, string(again), "the same offer gets the same answer, version and key")
	stop := leg.Loop(tone(t, 300, time.Second))
	defer stop()
	first := phone.receive()

	for _, hold := range [][]byte{
		phone.offer("a=sendonly"),
		phone.offer("a=inactive"),
		bytes.Replace(phone.offer(), []byte("c=IN IP4 127.0.0.1"), []byte("c=IN IP4 0.0.0.0"), 1),
	} {
		held, err := leg.Answer(context.Background(), hold)
		require.NoError(t, err)
		key := regexp.MustCompile(`inline:\S+`)
		assert.Equal(t, key.FindString(before), key.FindString(string(held)), "our key is stable")
		assert.NotContains(t, string(held), "a=sendonly")
		assert.True(t, leg.Held())
		sent := leg.Stats().Sent
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		err = leg.Play(ctx, tone(t, 400, 60*time.Millisecond))
		cancel()
		require.NoError(t, err, "a prompt to a held caller passes unheard")
		assert.Equal(t, sent, leg.Stats().Sent, "nothing is sent on hold")
	}
	resumed, err := leg.Answer(context.Background(), phone.offer())
	require.NoError(t, err)
	assert.False(t, leg.Held())
	assert.NotEqual(t, version(t, before), version(t, string(resumed)))
	sent := leg.Stats().Sent
	require.Eventually(t, func() bool { return leg.Stats().Sent > sent }, 5*time.Second, 10*time.Millisecond)
	var last []byte
	require.NoError(t, phone.conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	for range int(leg.Stats().Sent) - 1 {
		last = phone.receive()
	}
	assert.Equal(t, first[8:12], last[8:12], "one SSRC through hold and resume")
}

func TestNewPeerKeyGetsANewKeyOfOurs(t *testing.T) {
	e := newEngine(t, media.Config{})
	leg := newLeg(t, e)
	phone := newBarePhone(t)
	phone.call(leg)
	heard := newEar()
	leg.SetTap(heard)
	phone.send(phone.packet(0, frame(1)))
	heard.wait(t, 1)
	old := phone.tx
	oldAnswer := phone.answer
	late := phone.packet(0, frame(2))
	offered, err := srtp.Policy{}.Offer()
	require.NoError(t, err)
	phone.local = offered[1]
	phone.call(leg)
	assert.NotEqual(t, old.SSRC(), phone.tx.SSRC())
	assert.Equal(t, "AEAD_AES_128_GCM", leg.Security().Suite)
	key := regexp.MustCompile(`inline:\S+`)
	assert.NotEqual(t, key.FindString(oldAnswer), key.FindString(phone.answer))
	phone.send(late) // was on its way under the old key
	heard.wait(t, 1)
	phone.seq = 5
	phone.send(phone.packet(0, frame(3)))
	heard.wait(t, 1)
	assert.Zero(t, leg.Stats().AuthFailures)
	require.NoError(t, leg.Play(within(t, 5*time.Second), tone(t, 440, 20*time.Millisecond)))
	phone.receive()
}

func TestReOfferChangesNothing(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone, leg := pair(t, e)
	ctx := context.Background()
	first, err := leg.Offer(ctx)
	require.NoError(t, err)
	second, err := leg.Offer(ctx)
	require.NoError(t, err)
	assert.Equal(t, string(first), string(second))
	answer, err := phone.Answer(ctx, second)
	require.NoError(t, err)
	require.NoError(t, leg.Accept(ctx, answer))
	heard := newEar()
	phone.SetTap(heard)
	require.NoError(t, leg.Play(within(t, 5*time.Second), tone(t, 440, 100*time.Millisecond)))
	heard.wait(t, 5)
	assert.Zero(t, phone.Stats().AuthFailures)
}

func TestProvisionalAndFinalAnswerMayBeTheSame(t *testing.T) {
	e := newEngine(t, media.Config{})
	a, b := newLeg(t, e), newLeg(t, e)
	ctx := context.Background()
	require.ErrorIs(t, a.Accept(ctx, []byte("v=0\r\n")), media.ErrState)
	offer, err := a.Offer(ctx)
	require.NoError(t, err)
	answer, err := b.Answer(ctx, offer)
	require.NoError(t, err)
	require.NoError(t, a.Accept(ctx, answer))
	heard := newEar()
	b.SetTap(heard)
	require.NoError(t, a.Play(within(t, 5*time.Second), tone(t, 440, 40*time.Millisecond)))
	require.NoError(t, a.Accept(ctx, answer))
	require.NoError(t, a.Play(within(t, 5*time.Second), tone(t, 440, 40*time.Millisecond)))
	heard.wait(t, 4)
	assert.Zero(t, b.Stats().AuthFailures)
}

func TestRefusals(t *testing.T) {
	e := newEngine(t, media.Config{})
	phone := newBarePhone(t)
	change := func(from, to string) []byte { return []byte(strings.Replace(string(phone.offer()), from, to, 1)) }
	for name, c := range map[string]struct {
		offer []byte
		want  error
	}{
		"no codec":      {change("RTP/SAVP 0 8 96", "RTP/SAVP 18 96"), media.ErrNoCodec},
		"no keys":       {change("a=crypto", "a=nothing"), srtp.ErrNoCrypto},
		"weak suite":    {change("AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_32"), srtp.ErrNoCommonSuite},
		"unencrypted":   {phone.offer("a=x"), nil},
		"IPv6 only":     {change("c=IN IP4 127.0.0.1", "c=IN IP6 ::1"), media.ErrAddressFamily},
		"port zero":     {change("m=audio "+portOf(phone.addr()), "m=audio 0"), sdp.ErrNoAudio},
		"DTLS only":     {change("RTP/SAVP", "UDP/TLS/RTP/SAVP"), sdp.ErrTransport},
		"not a session": {[]byte("hello"), sdp.ErrMalformed},
	} {
		leg := newLeg(t, e)
		_, err := leg.Answer(context.Background(), c.offer)
		assert.ErrorIs(t, err, c.want, name)
		if c.want != nil {
			assert.ErrorIs(t, leg.Play(context.Background(), tone(t, 1, time.Second)), media.ErrNotReady, name)
		}
	}
}

func TestPeerWithoutMuxAndWithOtherPayloadTypes(t *testing.T) {
	e := newEngine(t, media.Config{PortMin: 27100, PortMax: 27199})
	leg := newLeg(t, e)
	phone := newBarePhone(t)
	offer := strings.Replace(string(phone.offer()), "a=rtcp-mux\r\n", "", 1)
	out, err := leg.Answer(context.Background(), []byte(offer))
	require.NoError(t, err)
	phone.take(out)
	assert.NotContains(t, phone.answer, "rtcp-mux")
	assert.Contains(t, phone.answer, "a=rtpmap:96 telephone-event/8000", "the answer takes the offer's payload type")
	assert.Zero(t, phone.to.Port()%2)
	assert.GreaterOrEqual(t, phone.to.Port(), uint16(27100))
	for i := range 10 { // a long digit, its end sent three times
		phone.ts -= 160
		end := byte(0)
		if i > 6 {
			end = 0x80
		}
		phone.send(phone.packet(96, []byte{3, end | 10, byte(i * 160 >> 8), byte(i * 160)}))
	}
	phone.send(phone.packet(96, []byte{3, 10, 0, 160})) // the same key again; its end got lost
	phone.send(phone.packet(96, []byte{4, 10, 0, 160}))
	got := ""
	for range 3 {
		d, err := leg.ReadDigit(within(t, 5*time.Second))
		require.NoError(t, err)
		got += string(d)
	}
	assert.Equal(t, "334", got)
	require.NoError(t, leg.SendDigits(within(t, 5*time.Second), "9"))
	assert.EqualValues(t, 96|0x80, phone.receive()[1], "the event begins with a marker, in the offer's payload type")
}

func TestPortRangeRunsOut(t *testing.T) {
	first, second := newEngine(t, media.Config{PortMin: 27200, PortMax: 27202}), newEngine(t, media.Config{PortMin: 27200, PortMax: 27202})
	ctx := context.Background()
	a, b := newLeg(t, first), newLeg(t, second)
	_, err := a.Offer(ctx)
	require.NoError(t, err)
	_, err = b.Offer(ctx)
	require.ErrorIs(t, err, media.ErrNoPort, "an odd port has no room for RTCP next to it")
	require.NoError(t, a.Close())
	require.NoError(t, first.Close())
	_, err = b.Offer(ctx)
	require.NoError(t, err, "a closed engine's ports are free at once")
}

func TestAPairOfPortsServesManyLegs(t *testing.T) {
	e := newEngine(t, media.Config{PortMin: 27210, PortMax: 27211})
	for range 600 {
		l := newLeg(t, e)
		offer, err := l.Offer(context.Background())
		require.NoError(t, err)
		require.Contains(t, string(offer), "m=audio 27210 ")
	}
}
