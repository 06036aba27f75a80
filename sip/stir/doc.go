// Package stir proves and checks who is calling: PASSporT tokens (RFC 8225) of the SHAKEN kind (RFC 8588) in the Identity header of SIP (RFC 8224), signed
// with certificates that say for which numbers they may speak (RFC 8226).
//
//	signer, err := stir.NewSigner(stir.SignerConfig{Key: key, Chain: chain, URL: "https://cert.example.org/sp.pem", Owns: own})
//	header, err := signer.Sign(now, stir.Call{Orig: "+12155551212", Dest: "+12155551213", Authenticated: true})
//
//	verifier, err := stir.NewVerifier(stir.Config{Roots: roots, Certificates: web, Hosts: []string{"cert.example.org"}})
//	result := verifier.Verify(ctx, now, stir.Request{Identity: headers, Orig: from, Dest: to, CallID: id})
//	verdict := policies.Decide(realm, result)
//
// [Verifier.Verify] says what is true; a [Policies] value says what becomes of the call. A [Signer] belongs to one tenant and has its key through a
// crypto.Signer, so that the key may live in a hardware module.
//
// # Security
//
// The attacker calls under a number that is not theirs. They may write any header, own a certificate of the same authorities for other numbers, hear tokens
// of others and send them again, run the web server behind x5u, and choose x5u to make us open connections for them.
//
// Checks that cost nothing come first: form, algorithm, date, the numbers of this very call, the host of x5u. Only then a certificate is fetched, and only a
// token with a good signature is remembered, so that a stranger cannot fill that memory. ES256 is the only algorithm; what the token says of it is compared
// and never obeyed. The token must say the same of its certificate as the header does. A JSON object that names a member twice is refused, so that two
// readers cannot understand it differently. A token is good for one Call-ID within [Config.Window]. Both sides of a signature are the bytes as sent. A
// certificate must lead to [Config.Roots] at the time of the call, be made for signatures on P-256, and have a TNAuthList that covers the number. One with
// constraints on claims (RFC 8226 section 8) is refused, because they are not understood here. Revocation is not checked; what SHAKEN has for it is short
// lifetimes, and [Config.Roots] for authorities.
//
// [HTTPS] fetches with TLS 1.2 or newer and verified names, follows no redirect, uses no proxy, and connects only to public addresses, looked at after the
// name was resolved, so that neither a name nor a rebinding leads it inside. Size, time, fetches at once and what is kept are bounded, failures are kept for
// a while too. What cannot be checked has not passed: every doubt ends as failed or not validated, never as passed.
//
// # Goroutines
//
// None that outlive a call. [HTTPS] works in its caller's goroutine; those that want the same address wait for it. The HTTP client has goroutines of its own
// while a request lasts, and keeps no connection. All methods are safe for concurrent use.
//
// # Importing alone
//
// Standard library only. It knows no SIP message: numbers and header values come and go as strings.
package stir
