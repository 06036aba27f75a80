// Package codec holds the audio arithmetic of a telephone service, as pure functions and small state machines over 16-bit samples:
//
//   - codecs as RTP carries them: [PCMU], [PCMA] and [G722] describe themselves to session descriptions and make an [Encoder] or [Decoder] for each
//     direction of a stream; Opus is in the sub-package opus; [ByName] picks from a list the caller keeps;
//   - rates: [Resampler] for streams between 8, 16, 24 and 48 kHz, [Resample] for whole recordings between any two rates;
//   - what callers hear: [Tones] by country, [DTMF] keys, [CallTone] for everything like them;
//   - what callers press: [DTMFDetector] finds keys in the audio of peers that do not send them as events;
//   - what is missing: [PLC] hides lost frames, [Noise] fills pauses (RFC 3389), [VAD] finds them;
//   - conferences: [Mixer] adds up for each listener whom it hears;
//   - files: [ReadWAV] and [WAVWriter]. Prompts from text are made by the sub-package speech.
//
// To carry audio from one codec to another, decode, resample if the rates differ, and encode; see the example of [Codec].
//
// # Security
//
// WAV files may come from an administrator's upload and payloads from any peer: [ReadWAV] bounds what it reads and keeps, and no decoder panics
// or grows (fuzzed). Comfort noise is limited, so that a peer cannot have us play a roar. In-band keys are audio: whoever records the audio records
// the keys, so a pause for card
// data must silence the audio and not only the events.
//
// # Goroutines
//
// None, and no clock: time is counted in samples. Functions are safe for concurrent use. Types with state belong to one goroutine at a time, one for
// each direction of each stream. What runs for every frame does not allocate.
//
// # Importing alone
//
// codec imports only the standard library.
package codec
