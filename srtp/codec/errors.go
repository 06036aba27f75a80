package codec

import "errors"

var (
	// ErrWAV is returned by ReadWAV for data that is no RIFF WAVE file or is cut off before its samples.
	ErrWAV = errors.New("codec: not a WAV file")
	// ErrFormat is returned by ReadWAV and NewWAVWriter for a coding other than PCM, IEEE float and G.711, for more than 8 channels, and for
	// a rate outside 8000 to 192000 Hz.
	ErrFormat = errors.New("codec: unsupported WAV format")
	// ErrTooLong is returned by ReadWAV for more than an hour of audio or more samples than an hour has at 48 kHz, and by a WAVWriter for
	// more than was announced.
	ErrTooLong = errors.New("codec: audio too long")
	// ErrRate is returned by Resample for a rate outside 1000 to 192000 Hz, and by NewResampler, NewPLC and NewNoise for one they do not have.
	ErrRate = errors.New("codec: unsupported sample rate")
	// ErrShort is returned when a destination has too little room. Nothing was written.
	ErrShort = errors.New("codec: destination too small")
	// ErrFrame is returned for a frame or payload that the codec cannot have: an odd number of samples, a damaged packet.
	ErrFrame = errors.New("codec: not a frame of this codec")
)
