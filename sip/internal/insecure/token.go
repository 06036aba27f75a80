// Package insecure holds the key that opens a plaintext listener. Being internal, only sip/insecuretransport can turn it.
package insecure

import "time"

// Waiver names why a plaintext listener exists and until when. Valid waivers are made by Grant only.
type Waiver struct {
	Name   string
	Until  time.Time
	Digest bool // passwords may be asked for in the clear
	ok     bool
}

// Grant makes a waiver valid.
func Grant(name string, until time.Time, digest bool) Waiver {
	return Waiver{Name: name, Until: until, Digest: digest, ok: true}
}

// Valid reports whether w was granted and is not over.
func (w Waiver) Valid(now time.Time) bool { return w.ok && w.Name != "" && now.Before(w.Until) }
