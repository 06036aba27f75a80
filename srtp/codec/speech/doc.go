// Package speech makes prompts from text: a [Synthesizer] turns a text and a voice into a WAV file. [Espeak] does it with the program espeak-ng; [Cache] keeps what was
// said before, so that a sentence is spoken once however many callers hear it.
//
//	engine, err := speech.NewEspeak(speech.EspeakConfig{})
//	voice := speech.NewCache(engine, speech.CacheConfig{})
//	wav, err := voice.Synthesize(ctx, "en-us", "Please hold the line.", 0)
//
// # Security
//
// Texts may hold what callers or customers typed. A text never becomes an argument or a file: it goes to the program's standard input. What the program would
// take for a command is replaced first: control characters (espeak-ng has commands that begin with one), its phonemes in [[brackets]] and markup. Arguments are
// fixed; a voice is a short word of letters and digits, so it cannot name a file or an option. The program gets an environment of its own, without this
// process's secrets. Text, time, output and the number of processes are bounded; the program is killed and waited for when its context ends. Errors never hold
// the text, and the cache remembers its SHA-256 only; the audio is in memory until it is pushed out.
//
// # Goroutines
//
// Espeak runs the goroutines of os/exec, which have ended when Synthesize returns. Cache starts none. All methods are safe for concurrent use.
//
// # Importing alone
//
// speech imports only the standard library. espeak-ng is under the GPL and is run as a program, not linked.
package speech
