package srtptest

import (
	"context"
	"crypto/rand"
	"encoding/binary"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

func random64() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// Hold makes the next description put the peer on hold, or take it off. The phone neither plays nor hears it by itself: the descriptions do.
func (p *Phone) Hold(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.talk.hold = on
}

// local is the phone's side without keys. The caller holds mu, or nobody else knows p yet.
func (p *Phone) local() sdp.Local {
	l := sdp.Local{ID: p.talk.id, Codecs: p.list, NoMux: p.cfg.NoMux, InsecurePlainRTP: p.cfg.InsecurePlainRTP, History: &p.talk.history}
	if p.conn != nil {
		l.RTP = addrOf(p.conn)
	}
	if p.talk.hold {
		l.Direction = sdp.SendOnly
	}
	return l
}

// begin takes the lock if it returns nil.
func (p *Phone) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// Offer returns a description that offers the phone's audio. A later one repeats the key in force. The errors are ErrClosed, those of
// srtp.Policy.Offer, and ctx's. The result holds keys unless the phone speaks plain RTP.
func (p *Phone) Offer(ctx context.Context) ([]byte, error) {
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	t := &p.talk
	l := p.local()
	l.RTCP = addrOf(p.rtcp) // for a peer that takes no rtcp-mux
	switch {
	case p.cfg.InsecurePlainRTP:
	case t.keyed:
		t.offered = []srtp.Crypto{t.local}
	case t.offered == nil:
		offered, err := p.cfg.Policy.Offer()
		if err != nil {
			return nil, err
		}
		t.offered = offered
	}
	for _, c := range t.offered {
		l.Crypto = append(l.Crypto, c.ExportSecret())
	}
	return t.history.Marshal(sdp.Offer(l))
}

// Answer returns the answer to a peer's offer. A key the peer offers again stays in force, and the phone's with it. The errors are ErrClosed, those of
// sdp.Parse and sdp.Agree, those of srtp.Policy.Answer, and ctx's. The result holds a key unless the phone speaks plain RTP.
func (p *Phone) Answer(ctx context.Context, offer []byte) ([]byte, error) {
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	t := &p.talk
	desc, err := sdp.Parse(offer)
	if err != nil {
		return nil, err
	}
	l := p.local()
	a, err := sdp.Agree(desc, l)
	if err != nil {
		return nil, err
	}
	if !a.Mux {
		l.RTCP = addrOf(p.rtcp)
	}
	var local, remote srtp.Crypto
	if !p.cfg.InsecurePlainRTP {
		if local, remote, err = p.choose(a.Crypto); err != nil {
			return nil, err
		}
		l.Crypto = sdp.Keys{local.ExportSecret()}
	}
	t.history.Received(desc)
	out, err := t.history.Marshal(sdp.Answer(desc, a, l))
	if err != nil {
		return nil, err
	}
	return out, p.apply(a, local, remote)
}

// choose keeps the keys in force if the peer repeats its own.
func (p *Phone) choose(values []string) (local, remote srtp.Crypto, err error) {
	if p.talk.keyed {
		for _, v := range values {
			if c, err := srtp.ParseCrypto(v); err == nil && c.SameKeys(p.talk.remote) {
				local = p.talk.local
				local.Tag = c.Tag
				return local, p.talk.remote, nil
			}
		}
	}
	return p.cfg.Policy.Answer(values)
}

// Accept takes the peer's answer to the last Offer. The errors are ErrState, ErrClosed, those of sdp.Parse and sdp.Accept, those of srtp.Policy.Accept,
// and ctx's.
func (p *Phone) Accept(ctx context.Context, answer []byte) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	defer p.mu.Unlock()
	t := &p.talk
	desc, err := sdp.Parse(answer)
	if err != nil {
		return err
	}
	if t.offered == nil && !p.cfg.InsecurePlainRTP {
		return ErrState
	}
	a, err := sdp.Accept(desc, p.local())
	if err != nil {
		return err
	}
	var local, remote srtp.Crypto
	if !p.cfg.InsecurePlainRTP {
		if local, remote, err = p.cfg.Policy.Accept(t.offered, a.Crypto); err != nil {
			return err
		}
	}
	t.history.Received(desc)
	return p.apply(a, local, remote)
}

// apply puts an agreement into force. The caller holds mu.
func (p *Phone) apply(a sdp.Agreed, local, remote srtp.Crypto) error {
	t := &p.talk
	c, ok := codec.ByName(p.cfg.Codecs, a.Audio[0].Name)
	if !ok {
		return sdp.ErrNoCodec
	}
	if !p.cfg.InsecurePlainRTP && !(t.keyed && local.SameKeys(t.local)) {
		tx, err := srtp.NewSender(local, srtp.SenderConfig{})
		if err != nil {
			return err
		}
		p.out.wipe()
		p.out.begin(tx)
	}
	if !p.cfg.InsecurePlainRTP && !(t.keyed && remote.SameKeys(t.remote)) {
		rx, err := srtp.NewReceiver(remote, srtp.ReceiverConfig{})
		if err != nil {
			return err
		}
		p.in.wipe()
		p.in.rx = rx
	}
	if err := p.out.describe(a, c); err != nil {
		return err
	}
	p.in.describe(a, p.cfg.Codecs)
	t.local, t.remote, t.keyed, t.agreed, t.last = local, remote, !p.cfg.InsecurePlainRTP, true, a
	p.news()
	return nil
}
