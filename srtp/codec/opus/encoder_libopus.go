//go:build opus && cgo

package opus

/*
#cgo pkg-config: opus
#include <opus.h>

// The control call of libopus takes a variable number of arguments, which cgo cannot.
static int set_up(OpusEncoder *e, opus_int32 bitrate, opus_int32 complexity, opus_int32 fec, opus_int32 loss) {
	int err = opus_encoder_ctl(e, OPUS_SET_BITRATE(bitrate));
	if (err == OPUS_OK) err = opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(complexity));
	if (err == OPUS_OK) err = opus_encoder_ctl(e, OPUS_SET_INBAND_FEC(fec));
	if (err == OPUS_OK) err = opus_encoder_ctl(e, OPUS_SET_PACKET_LOSS_PERC(loss));
	if (err == OPUS_OK) err = opus_encoder_ctl(e, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
	return err;
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/ringfence/ringfence/srtp/codec"
)

// Available reports that this program can encode Opus: that it was built with the tag "opus" and cgo.
func Available() bool { return true }

// encoder holds libopus's state in memory of Go, so that nobody must free it. libopus keeps pointers to its own tables there and none to Go's memory.
type encoder struct {
	rate  int
	state []uint64 // aligned for any type of C
}

func newEncoder(cfg Config) (codec.Encoder, error) {
	size := int(C.opus_encoder_get_size(1))
	if size <= 0 {
		return nil, fmt.Errorf("opus: libopus knows no encoder for one channel")
	}
	e := &encoder{rate: cfg.Rate, state: make([]uint64, (size+7)/8)}
	fec := 1
	if cfg.NoFEC {
		fec = 0
	}
	code := C.opus_encoder_init(e.c(), C.opus_int32(cfg.Rate), 1, C.OPUS_APPLICATION_VOIP)
	if code == C.OPUS_OK {
		code = C.set_up(e.c(), C.opus_int32(cfg.Bitrate), C.opus_int32(cfg.Complexity), C.opus_int32(fec), C.opus_int32(cfg.Loss))
	}
	if code != C.OPUS_OK {
		return nil, fmt.Errorf("opus: libopus: %s", C.GoString(C.opus_strerror(code)))
	}
	return e, nil
}

func (e *encoder) c() *C.OpusEncoder { return (*C.OpusEncoder)(unsafe.Pointer(&e.state[0])) }

// Encode takes 10, 20, 40 or 60 ms.
func (e *encoder) Encode(dst []byte, pcm []int16) (int, error) {
	switch len(pcm) {
	case e.rate / 100, e.rate / 50, e.rate / 25, e.rate * 6 / 100:
	default:
		return 0, fmt.Errorf("%w: %d samples of Opus", codec.ErrFrame, len(pcm))
	}
	if len(dst) < maxPacket {
		return 0, fmt.Errorf("%w: %d bytes for a packet of Opus", codec.ErrShort, len(dst))
	}
	n := C.opus_encode(e.c(), (*C.opus_int16)(unsafe.Pointer(&pcm[0])), C.int(len(pcm)), (*C.uchar)(unsafe.Pointer(&dst[0])), C.opus_int32(maxPacket))
	if n < 0 {
		return 0, fmt.Errorf("opus: libopus: %s", C.GoString(C.opus_strerror(C.int(n))))
	}
	return int(n), nil
}
