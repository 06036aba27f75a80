// Package provision gives phones their configuration: each fetches its own, over TLS, with a secret that was made for it.
//
//	p, err := provision.New(provision.Config{BaseURL: "https://prov.example.org/p/", Store: store, Settings: settings, Auditor: audit})
//	mux.Handle("/p/", http.StripPrefix("/p", p))        // on an HTTPS server
//	ticket, err := p.Enroll(ctx, provision.Device{ID: "001565aabbcc", Family: provision.Yealink, Realm: "acme", User: "1001"}, time.Hour)
//
// The operator enters the address of the ticket into the phone, by hand or through the redirection service of its maker. The first fetch uses the ticket up.
// The configuration names an address with a token of its own, from which the phone refreshes itself until [Provisioner.Revoke] or the next
// [Provisioner.Enroll].
//
// # Files
//
// An address is BaseURL/ID/SECRET/FILE. FILE is MAC.cfg for Yealink, settings.xml for Snom and config.json for [Generic], and ca.pem for the authorities that
// the phone is to trust, which is served with the token only. The common file that a Yealink asks for first (y000000000000.cfg) is not there, and asking for
// it uses nothing up.
//
// # Security
//
// The attackers: somebody who walks the range of MAC addresses of a maker, which are printed on boxes and guessed in minutes; somebody on the path who waits
// for a phone that asks over http; somebody who reads the database; a user whose display name contains settings.
//
// A request without TLS gets 403, no body, and no redirect, which would teach the phone to ask in the clear first. What a proxy says of TLS in a header is
// not believed. The ID alone is never enough: secrets have 130 random bits, are stored as hashes, compared in constant time, and an enrolment is good once
// and until it expires. An unknown device, a wrong, used or expired secret, a wrong file and a source that is locked get the same empty 404. Failures are
// counted for device and source together, so that nobody can lock a phone out from elsewhere, and for a source alone, against who walks. Nothing is issued or
// handed out unless the [Auditor] has written it down. A ticket is used up in the store before its answer is sent, so that of two fetches at once one gets
// nothing. A phone that lost the answer must be enrolled again, unless [Config.RefetchWindow] allows the holder of the same client certificate another try.
// Enroll ends the token of the device at once: who had the phone before gets nothing of who has it now. Every value is checked and escaped for its format
// where it is written; what cannot be written safely is an error and never left out. Configurations have SIP over TLS, SRTP mandatory, server certificates
// verified, and no default password of the web page.
//
// # Goroutines
//
// None. All methods are safe for concurrent use.
//
// # Importing alone
//
// Standard library only. Credentials come through [Config.Settings] at each fetch and are not kept here.
package provision
