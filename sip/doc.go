// Package sip is the signalling of a secure contact center: an [Endpoint] that listens, authenticates, registers phones and turns
// INVITEs into [Call] values, and that places calls of its own.
//
// Message parser, transports and transactions come from a library and never show in this API. Dialogs (RFC 3261 section 12),
// digest authentication (RFC 8760), registration (section 10) and the guards in front of them are ours. A body is []byte: this package
// moves session descriptions, [Media] understands them.
//
//	ep, err := sip.New(sip.Config{Realm: realms, OnCall: answer})
//	err = ep.ServeTLS(ctx, listener, serverTLS)
//
// Browsers connect by [Endpoint.ServeWSS], SIP over WebSocket (RFC 7118), and are endpoints like any other from there on. [Certificates] are read from
// files that are renewed.
//
// # Calls
//
// A [Call] is one dialog, whichever side began it. Incoming: [Call.Ring], [Call.Progress] for early media (reliably, RFC 3262), [Call.Answer] or [Call.Reject]. Placed by
// us: [Endpoint.Dial], over a flow on which somebody registered or a connection that we open, whose certificate is verified at every reconnect. Of the
// forks that answer, the first is the call; the others are acknowledged and ended. [Call.Reoffer] offers media again, [Call.OnTransfer] serves REFER, [Call.Refer] asks for
// one, [Config.OnReplace] decides about INVITEs with Replaces, [Call.SendDigit] and [Call.OnDigit] are DTMF by INFO. Both sides prove from time to time that they
// are still there (session timers, RFC 4028), so a call whose peer has died ends. [Call.Snapshot] is a call as plain values, from which [Endpoint.Resume] continues it on another
// node, with new media. Requests that the peer sends in one dialog are served in the order in which they arrived.
//
// What belongs to a carrier (failover, health, caller identity, emergency calls) is in sip/trunk; who may call what and for how much in sip/toll; who really calls in
// sip/stir; bodies of events in sip/event; what phones are told in sip/provision.
//
// # Security
//
// A listener is TLS 1.2 or newer with AEAD suites; [ServerTLS] and [ClientTLS] are the only way to make one. A plaintext listener
// exists only in package sip/insecuretransport, which takes a named and dated waiver. Keys and signatures below today's floor are refused, ours and
// those of others; a client certificate is accepted only from authorities that are named, and only for whom a look-up knows ([TLSConfig.WithPeers]).
// A browser is asked for its Origin before the upgrade to a WebSocket, because a page of anybody can make it connect, with the network position of the agent in
// front of it. For the same reason nothing that such a page can cause counts towards a ban: a foreign page must not be able to lock out an office.
// The realm of a request, and with it the tenant, follows from the domain in the Request-URI and from the TLS server name; a request
// whose two names belong to different realms is refused. The caller of a [Call] is the user that proved a password, never the From header.
// An unknown user and a wrong password get the same answer after the same work. Digest credentials are asked for only on an encrypted
// transport, so nobody is led to send them in the clear.
// Before authentication a stranger costs no state. A connection costs one goroutine for a bounded time: the TLS handshake has a deadline, and a
// connection that has not authenticated within [Config.AuthTimeout] is closed. Every message is read by a strict parser of ours before the
// library sees it, within limits of size, headers and URI length, and what passes is written anew, so that two readers cannot
// understand one message differently. What does not pass is answered with the status of RFC 3261 and forgotten; challenges are stateless too. A
// datagram gets further only with a nonce that was sent to its source, so forged sources are never remembered.
// Requests without proof are limited per source and in total ([Config.RequestRate]), wrong passwords make one wait longer and longer
// ([Config.LockAfter]), and a source that behaves like a scanner is banned for a time that grows ([Config.BanAfter], [Config.AllowSources]). A
// log-in gives back what it cost, and connections that have authenticated are not limited, locked or banned for what their neighbours do, so a large
// office behind one address is safe. A lock holds for a user and a source together: failing on purpose in the name of a user harms
// nobody elsewhere. All of these tables have a fixed size. [Stats] counts what was refused; a log line is written for a ban only, so that strangers
// cannot fill the log.
// What is not limited here: bandwidth, and many sources at once beyond [Config.TotalRate]; that is for the network in front.
// Values that reach the wire from this API are checked for control characters, so a header cannot be injected.
//
// A phone is reached over the connection on which it registered and never by dialing what its Contact or Path claims. Binding.Flow names that connection with
// a MAC: a name that was made up, or kept from a connection that is gone, reaches nothing, whoever has the address today.
// Requests inside a dialog come from its own flow, or from one on which its user has authenticated. A transfer is declined unless a handler takes it; the handler decides who may
// transfer whom. A dialog of another realm is as good as none to an INVITE with Replaces. [Config.OnSecurity] is told of suspicious traffic in a form that a stranger cannot
// use to fill a log.
// Nobody watches anything unless [Config.OnSubscribe] allows it, for the user that proved a password, at each refresh again.
//
// # Goroutines
//
// One goroutine runs [Config.OnCall] for each incoming call, and ends when that function returns; after [Call.Detach] the call lives on without one. [Endpoint.Dial] works in its caller's
// goroutine; a call it gave up has one more until its INVITE transaction is over. A Registration has one, a Serve method one per connection, a WebSocket
// no other; [Certificates] have none, a [Subscription] has none while it waits.
// [Endpoint.Close] stops and waits for all of them. Handlers must return when their context ends, which is when the call ends.
//
// # Importing alone
//
// sip imports no other room. It knows no media, no tenants and no queues: [Media], [Config.Realm] and [Config.OnCall] are where they meet.
package sip
