package dtls_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/dtls"
)

// A phone calls and offers DTLS-SRTP. The answer takes the active role, so that the handshake begins at once.
func Example() {
	tenant, err := dtls.NewIdentity(time.Now()) // once for each tenant
	if err != nil {
		panic(err)
	}
	phone, err := dtls.NewIdentity(time.Now())
	if err != nil {
		panic(err)
	}

	// From the phone's offer: a=setup:actpass and a=fingerprint:sha-256 ...
	offered, err := dtls.ParseSetup("actpass")
	if err != nil {
		panic(err)
	}
	told, err := dtls.ParseFingerprint(phone.Fingerprint().String())
	if err != nil {
		panic(err)
	}
	role, err := dtls.AnswerSetup(offered, dtls.SetupActive)
	if err != nil {
		panic(err)
	}
	fmt.Println("we answer a=setup:" + role.String())

	// Our media port and the phone's. A media engine has sockets here, and looks at dtls.IsDTLS.
	var us, them *dtls.Association
	us, err = dtls.New(dtls.Config{Identity: tenant, Role: role, Fingerprints: []dtls.Fingerprint{told},
		Send: func(pkt []byte) error { them.Deliver(pkt); return nil }})
	if err != nil {
		panic(err)
	}
	defer us.Close()
	them, err = dtls.New(dtls.Config{Identity: phone, Role: dtls.SetupPassive, Fingerprints: []dtls.Fingerprint{tenant.Fingerprint()},
		Send: func(pkt []byte) error { us.Deliver(pkt); return nil }})
	if err != nil {
		panic(err)
	}
	defer them.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ready := make(chan dtls.Keys)
	go func() { // ends with the handshake; waited for by the receive below
		keys, _ := them.Handshake(ctx)
		ready <- keys
	}()
	ours, err := us.Handshake(ctx)
	theirs := <-ready
	if err != nil {
		panic(err)
	}

	tx, err := srtp.NewSender(ours.Local, srtp.SenderConfig{SSRC: 0x01020304})
	if err != nil {
		panic(err)
	}
	rx, err := srtp.NewReceiver(theirs.Remote, srtp.ReceiverConfig{})
	if err != nil {
		panic(err)
	}
	protected, err := tx.ProtectRTP(nil, append([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, "hello"...))
	if err != nil {
		panic(err)
	}
	clear, err := rx.UnprotectRTP(nil, protected)
	fmt.Printf("%s: %s %v\n", ours.Suite, clear[12:], err)
	// Output:
	// we answer a=setup:active
	// AEAD_AES_256_GCM: hello <nil>
}
