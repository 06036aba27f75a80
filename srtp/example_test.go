package srtp_test

import (
	"encoding/binary"
	"fmt"
	"time"

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

// A key is changed in the middle of a stream, before its lifetime ends, without a packet lost.
func ExampleSender_Rekey() {
	policy := srtp.Policy{Announce: srtp.Announce{Lifetime: 1 << 20, MKILength: 1}}
	offered, err := policy.Offer()
	if err != nil {
		panic(err)
	}
	inForce := offered[0]
	tx, err := srtp.NewSender(inForce, srtp.SenderConfig{RekeyMargin: 1 << 20}) // due at once, for the example
	if err != nil {
		panic(err)
	}
	rx, err := srtp.NewReceiver(inForce, srtp.ReceiverConfig{}) // the peer's
	if err != nil {
		panic(err)
	}

	if tx.RekeyDue() {
		next, err := policy.Rekey(inForce) // goes out in a new offer
		if err != nil {
			panic(err)
		}
		fmt.Println(next)
		fresh := next.Keys[len(next.Keys)-1]
		if err := rx.AddKey(fresh); err != nil { // the peer reads the offer and answers
			panic(err)
		}
		if err := tx.Rekey(fresh); err != nil { // we have its answer
			panic(err)
		}
		inForce = next
	}
	packet := []byte{0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 'h', 'i'}
	binary.BigEndian.PutUint32(packet[8:], tx.SSRC())
	protected, err := tx.ProtectRTP(nil, packet)
	if err != nil {
		panic(err)
	}
	clear, err := rx.UnprotectRTP(nil, protected)
	fmt.Printf("%s %v\n", clear[12:], err)
	// Output:
	// 1 AEAD_AES_256_GCM inline:REDACTED|2^20|1:1;inline:REDACTED|2^20|2:1
	// hi <nil>
}

// A service that wants AEAD suites only, and is told by the date when a suite's time is over.
func ExamplePolicy_Validate() {
	policy := srtp.Policy{
		Suites: []srtp.Suite{srtp.AEADAES256GCM, srtp.AEADAES128GCM},
		Floor:  srtp.StrengthAEAD,
		Now:    func() time.Time { return time.Date(2036, time.March, 1, 0, 0, 0, 0, time.UTC) },
	}
	fmt.Println(policy.Validate())
	// Output:
	// srtp: crypto suite is past its date: AEAD_AES_128_GCM was in use until 2036-01-01
}
