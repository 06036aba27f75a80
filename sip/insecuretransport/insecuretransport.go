// Package insecuretransport serves SIP without encryption, for a lab or for a legacy device that cannot do TLS.
//
// Whoever shares the network reads who calls whom and can forge requests. SDES keys are refused on such a transport and digest passwords
// are not asked for unless [Waiver.Digest] says so, and then served only where sip.Realm.Plaintext lets the user do without encryption. The import path is meant to be
// found by a search. A listener needs a waiver with a name and a date, and stops when the date has come.
//
// # Security
//
// See above: there is little.
//
// # Goroutines
//
// The Serve functions run until their context, their waiver or the endpoint ends.
//
// # Importing alone
//
// It is of use with package sip only.
package insecuretransport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/internal/insecure"
)

// ErrWaiver is returned for a waiver without name, without date or past its date.
var ErrWaiver = errors.New("insecuretransport: no valid waiver")

// Waiver says in whose name and until when plaintext is accepted.
type Waiver struct {
	Name  string    // required; it appears in logs and evidence
	Until time.Time // required; the listener stops at this time
	// Digest lets passwords be asked for in the clear, on every plaintext listener of the endpoint. If false, requests that need one get 403.
	Digest bool
}

func (w Waiver) grant(now time.Time) (insecure.Waiver, error) {
	if w.Name == "" || w.Until.IsZero() || !now.Before(w.Until) {
		return insecure.Waiver{}, fmt.Errorf("%w: %q until %s", ErrWaiver, w.Name, w.Until.Format(time.DateOnly))
	}
	return insecure.Grant(w.Name, w.Until, w.Digest), nil
}

// ServeTCP serves l until ctx ends, the waiver runs out or ep is closed.
func ServeTCP(ctx context.Context, ep *sip.Endpoint, l net.Listener, w Waiver) error {
	g, err := w.grant(time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(ctx, w.Until)
	defer cancel()
	return ep.ServeInsecure(ctx, l, g)
}

// ServeUDP serves pc like ServeTCP.
func ServeUDP(ctx context.Context, ep *sip.Endpoint, pc net.PacketConn, w Waiver) error {
	g, err := w.grant(time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(ctx, w.Until)
	defer cancel()
	return ep.ServeInsecurePacket(ctx, pc, g)
}
