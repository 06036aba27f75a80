package codec_test

import (
	"fmt"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
)

// A frame of G.722 from one leg goes out as µ-law on another.
func ExampleCodec() {
	offered := []codec.Codec{codec.G722(), codec.PCMA(), codec.PCMU()}
	from, _ := codec.ByName(offered, "g722")
	to, _ := codec.ByName(offered, "pcmu")
	dec, err := from.NewDecoder()
	if err != nil {
		fmt.Println(err)
		return
	}
	enc, err := to.NewEncoder()
	if err != nil {
		fmt.Println(err)
		return
	}
	rate, err := codec.NewResampler(from.Rate, to.Rate)
	if err != nil {
		fmt.Println(err)
		return
	}
	wide, narrow, out := make([]int16, from.FrameSamples), make([]int16, to.FrameSamples), make([]byte, to.MaxPayload)

	payload := make([]byte, from.MaxPayload) // from the network
	n, _ := dec.Decode(wide, payload)
	n, _ = rate.Process(narrow, wide[:n])
	n, _ = enc.Encode(out, narrow[:n])
	fmt.Println(from.RTPMap(), "to", to.RTPMap(), n, "bytes")
	// Output: G722/8000 to PCMU/8000 160 bytes
}

func ExampleTones() {
	uk, _ := codec.Tones("UK")
	loop := uk.Ringback.Loop(8000)
	pcm := make([]int16, loop) // plays over and over without a seam
	uk.Ringback.Fill(pcm, 0, 8000, 0.25)
	fmt.Println(time.Duration(loop) * time.Second / 8000)
	// Output: 3s
}

func ExampleDTMFDetector() {
	five, _ := codec.DTMF('5', 80*time.Millisecond)
	pcm, _ := five.PCM(8000, 200*time.Millisecond, 0.5)
	d := codec.NewDTMFDetector(codec.DTMFConfig{})
	fmt.Printf("%s\n", d.Detect(nil, pcm))
	// Output: 5
}

// A supervisor whispers to the agent; the caller does not hear it.
func ExampleMixer() {
	const caller, agent, supervisor = 0, 1, 2
	m, _ := codec.NewMixer(160)
	frames := [][]int16{caller: make([]int16, 160), agent: make([]int16, 160), supervisor: make([]int16, 160)}
	hears := []codec.HearSet{
		caller:     codec.HearSet{}.Add(agent),
		agent:      codec.HearSet{}.Add(caller).Add(supervisor),
		supervisor: codec.HearSet{}.Add(caller).Add(agent),
	}
	frames[caller][0], frames[agent][0], frames[supervisor][0] = 1, 10, 100
	if err := m.Mix(frames, hears); err != nil {
		fmt.Println(err)
	}
	for i := range frames {
		pcm, _ := m.Heard(i)
		fmt.Print(pcm[0], " ")
	}
	// Output: 10 101 11
}
