package opus_test

import (
	"fmt"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/codec/opus"
)

func Example() {
	c, err := opus.Codec(opus.Config{Rate: 8000})
	if err != nil {
		fmt.Println(err)
		return
	}
	dec, err := c.NewDecoder()
	if err != nil {
		fmt.Println(err)
		return
	}
	pcm := make([]int16, 6*c.FrameSamples)     // room for the longest packet
	n, err := dec.Decode(pcm, []byte{0x48, 0}) // 20 ms that a peer sent
	fmt.Println(c.RTPMap(), n, err)
	ulaw := make([]byte, n)
	codec.EncodeMulaw(ulaw, pcm[:n])
	// Output: opus/48000/2 160 <nil>
}
