package codec

import "errors"

var (
	// ErrWAV is returned by ReadWAV for data that is no RIFF WAVE file or is cut off before its samples.
	ErrWAV = errors.New("codec: not a WAV file")
	// ErrFormat is returned by ReadWAV for a coding other than 16-bit PCM and G.711, for more than 8 channels, and for a rate
	// outside 8000 to 192000 Hz.
	ErrFormat = errors.New("codec: unsupported WAV format")
	// ErrTooLong is returned by ReadWAV for more than an hour of audio.
	ErrTooLong = errors.New("codec: audio too long")
	// ErrRate is returned by Resample for a rate outside 1000 to 192000 Hz.
	ErrRate = errors.New("codec: unsupported sample rate")
)
