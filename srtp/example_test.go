package srtp_test

import (
	"fmt"

	"github.com/ringfence/ringfence/srtp"
)

// Two sides agree on keys; the lines travel in the bodies of an INVITE and its 200 over TLS.
func ExamplePolicy() {
	policy := srtp.Policy{} // the safest: GCM first, no short tags

	offered, err := policy.Offer()
	if err != nil {
		panic(err)
	}
	var lines []string
	for _, c := range offered {
		lines = append(lines, c.ExportSecret())
	}

	answer, _, err := policy.Answer(lines) // on the other side
	if err != nil {
		panic(err)
	}

	local, remote, err := policy.Accept(offered, []string{answer.ExportSecret()})
	if err != nil {
		panic(err)
	}
	fmt.Println("we send with", local)
	fmt.Println("they send with", remote)
	// Output:
	// we send with 1 AEAD_AES_256_GCM inline:REDACTED
	// they send with 1 AEAD_AES_256_GCM inline:REDACTED
}

// One direction of a call: protect a packet, verify it, and refuse its replay.
func ExampleSender_ProtectRTP() {
	offered, err := srtp.Policy{}.Offer()
	if err != nil {
		panic(err)
	}
	tx, err := srtp.NewSender(offered[0], srtp.SenderConfig{SSRC: 0x01020304})
	if err != nil {
		panic(err)
	}
	defer tx.Close()
	rx, err := srtp.NewReceiver(offered[0], srtp.ReceiverConfig{})
	if err != nil {
		panic(err)
	}
	defer rx.Close()

	packet := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, "hello"...)
	protected, err := tx.ProtectRTP(nil, packet)
	if err != nil {
		panic(err)
	}
	clear, err := rx.UnprotectRTP(nil, protected)
	fmt.Printf("%s %v, %d bytes longer on the wire\n", clear[12:], err, len(protected)-len(packet))
	_, err = rx.UnprotectRTP(nil, protected)
	fmt.Println(err)
	_, err = tx.ProtectRTP(nil, packet)
	fmt.Println(err)
	// Output:
	// hello <nil>, 16 bytes longer on the wire
	// srtp: replayed packet
	// srtp: packet index does not increase
}
