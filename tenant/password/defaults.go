package password

// The costs of a new hash, from the OWASP password storage sheet (argon2id, 19 MiB, 2 passes, 1 lane).
const (
	// Memory is the memory of one hash, in KiB.
	Memory = 19 * 1024
	// Passes is the number of passes over that memory.
	Passes = 2
	// Threads is the number of lanes.
	Threads = 1
	// SaltBytes is the length of the salt.
	SaltBytes = 16
	// HashBytes is the length of the hash.
	HashBytes = 32
)

const (
	// MinBytes is the shortest password accepted by Hash, in bytes (NIST SP 800-63B asks for 8 with a second factor; none is here yet).
	MinBytes = 12
	// MaxBytes is the longest password accepted, in bytes: a bound on what a stranger can make us hash.
	MaxBytes = 1024
)

// Bounds on costs read back from storage.
const (
	maxMemory  = 256 * 1024 // KiB
	maxPasses  = 16
	maxThreads = 8
	maxField   = 64 // bytes of salt or hash
)
