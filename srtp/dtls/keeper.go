package dtls

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	pion "github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/ciphersuite"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/dtls/v3/pkg/protocol"
	"github.com/pion/dtls/v3/pkg/protocol/alert"
	"github.com/pion/dtls/v3/pkg/protocol/recordlayer"
)

// maxResends bounds how often a forger can make us send the last flight. An honest client doubles its waits and asks a few times.
const maxResends = 32

// alertRecord is the size of a protected alert: header, nonce, two bytes and tag (RFC 5288 section 3).
const alertRecord = recordHeader + 8 + 2 + 16

// keeper is what stays of a connection once there are keys: the last flight, for a client that did not get it (RFC 6347 section 4.2.4), and the record
// keys, for the goodbyes of both sides. It needs no goroutine, a tenth of the library's memory, and no timer.
type keeper struct {
	mu      sync.Mutex
	gcm     *ciphersuite.GCM
	seq     uint64 // of our goodbye
	last    []byte // nil for a client, which never sends last
	resends atomic.Int32
}

// sessionState is the part of the library's saved state that the record keys derive from.
type sessionState struct {
	LocalEpoch     uint16
	LocalRandom    [32]byte
	RemoteRandom   [32]byte
	CipherSuiteID  uint16
	MasterSecret   []byte
	SequenceNumber uint64
}

func newKeeper(state *pion.State, client bool, last []byte) (*keeper, error) {
	saved, err := state.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("reading the session: %w", err)
	}
	defer clear(saved)
	var s sessionState
	if err := gob.NewDecoder(bytes.NewReader(saved)).Decode(&s); err != nil {
		return nil, fmt.Errorf("reading the session: %w", err)
	}
	defer clear(s.MasterSecret)
	size, hash := 16, prf.HashFunc(sha256.New)
	switch pion.CipherSuiteID(s.CipherSuiteID) {
	case pion.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, pion.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
		size, hash = 32, sha512.New384
	case pion.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, pion.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:
	default:
		return nil, errors.New("a cipher suite that was not offered")
	}
	if len(s.MasterSecret) == 0 || s.LocalEpoch != 1 {
		return nil, errors.New("a session without keys")
	}
	clientRandom, serverRandom := s.RemoteRandom[:], s.LocalRandom[:]
	if client {
		clientRandom, serverRandom = serverRandom, clientRandom
	}
	k, err := prf.GenerateEncryptionKeys(s.MasterSecret, clientRandom, serverRandom, 0, size, 4, hash)
	if err != nil {
		return nil, fmt.Errorf("deriving record keys: %w", err)
	}
	made := &keeper{seq: s.SequenceNumber}
	if client {
		made.gcm, err = ciphersuite.NewGCM(k.ClientWriteKey, k.ClientWriteIV, k.ServerWriteKey, k.ServerWriteIV)
	} else {
		made.gcm, err = ciphersuite.NewGCM(k.ServerWriteKey, k.ServerWriteIV, k.ClientWriteKey, k.ClientWriteIV)
		made.last = last
	}
	for _, b := range [][]byte{k.ClientWriteKey, k.ServerWriteKey, k.MasterSecret} {
		clear(b)
	}
	return made, err
}

// verdict is what a datagram asks for.
type verdict uint8

const (
	nothing verdict = iota
	resend          // the peer did not get the last flight
	ended           // the peer said goodbye
)

// judge reads a datagram that came after the handshake. Only alerts under the peer's key count: one in the clear is anybody's and must not end a call.
func (k *keeper) judge(pkt []byte) verdict {
	asks := false
	for len(pkt) >= recordHeader {
		kind, epoch := pkt[0], binary.BigEndian.Uint16(pkt[3:])
		size := recordHeader + int(binary.BigEndian.Uint16(pkt[11:]))
		if size > len(pkt) {
			break
		}
		switch {
		case kind == recordHandshake:
			asks = true
		case kind == recordAlert && epoch == 1 && k.endedBy(pkt[:size]):
			return ended
		}
		pkt = pkt[size:]
	}
	if asks && k.last != nil && k.resends.Add(1) <= maxResends {
		return resend
	}
	return nothing
}

func (k *keeper) endedBy(record []byte) bool {
	// The size tells before any cryptography is spent. The library decrypts in place, and the datagram is the caller's.
	var own [alertRecord]byte
	if len(record) != alertRecord {
		return false
	}
	copy(own[:], record)
	k.mu.Lock()
	plain, err := k.gcm.Decrypt(recordlayer.Header{}, own[:])
	k.mu.Unlock()
	if err != nil || len(plain) != recordHeader+2 {
		return false
	}
	level, what := alert.Level(plain[recordHeader]), alert.Description(plain[recordHeader+1])
	return level == alert.Fatal || what == alert.CloseNotify
}

// goodbye is the datagram that ends the association at the peer; nil if it cannot be made. No record number is used twice.
func (k *keeper) goodbye() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := &recordlayer.RecordLayer{
		Header:  recordlayer.Header{Epoch: 1, Version: protocol.Version1_2, SequenceNumber: k.seq},
		Content: &alert.Alert{Level: alert.Warning, Description: alert.CloseNotify},
	}
	k.seq++
	raw, err := r.Marshal()
	if err != nil {
		return nil
	}
	out, err := k.gcm.Encrypt(r, raw)
	if err != nil {
		return nil
	}
	return out
}
