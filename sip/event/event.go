// Package event writes the bodies of the three event packages that phones subscribe to: waiting messages (RFC 3842), registrations (RFC 3680) and
// dialogs (RFC 4235), the last of which is what lights the busy lamp of a colleague.
//
// # Security
//
// Every text is escaped by the writer of its format or refused, so that a name cannot add a header, an element or an attribute. What a document says about
// whom is decided by who builds it: a dialog document tells a watcher with whom somebody speaks, so leave Remote out unless they may know.
//
// # Goroutines
//
// None. All functions are pure.
//
// # Importing alone
//
// Standard library only.
package event

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Content types of the documents.
const (
	TypeMessageSummary = "application/simple-message-summary"
	TypeRegInfo        = "application/reginfo+xml"
	TypeDialogInfo     = "application/dialog-info+xml"
)

// ErrText is returned for a text that cannot be written: one with control characters or invalid UTF-8, or with a value that the format does not know.
var ErrText = errors.New("event: text cannot be written")

func check(texts ...string) error {
	for _, s := range texts {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%w: not UTF-8", ErrText)
		}
		for _, c := range s {
			if c < 0x20 || c == 0x7f || c == 0xfffe || c == 0xffff {
				return fmt.Errorf("%w: control character", ErrText)
			}
		}
	}
	return nil
}

func oneOf(v string, values ...string) error {
	for _, w := range values {
		if v == w {
			return nil
		}
	}
	return fmt.Errorf("%w: %q is none of %s", ErrText, v, strings.Join(values, ", "))
}

// Count is how many messages wait in one class. Negative numbers count as zero.
type Count struct {
	New, Old             int
	UrgentNew, UrgentOld int
}

// MessageSummary is the state of a mailbox.
type MessageSummary struct {
	// Account is the URI of the mailbox, which phones dial for it. If empty, it is left out.
	Account string
	Voice   Count
}

// Body writes the document. Its lamp is lit when there is a new message.
func (m MessageSummary) Body() ([]byte, error) {
	if err := check(m.Account); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("Messages-Waiting: ")
	if m.Voice.New > 0 || m.Voice.UrgentNew > 0 {
		b.WriteString("yes\r\n")
	} else {
		b.WriteString("no\r\n")
	}
	if m.Account != "" {
		b.WriteString("Message-Account: " + m.Account + "\r\n")
	}
	v := m.Voice
	fmt.Fprintf(&b, "Voice-Message: %d/%d (%d/%d)\r\n", max(0, v.New), max(0, v.Old), max(0, v.UrgentNew), max(0, v.UrgentOld))
	return []byte(b.String()), nil
}

// Contact is one contact of a registration.
type Contact struct {
	// ID tells the contacts of a user apart and stays the same. It must be an XML name token: letters, digits, '-', '_' and '.'.
	ID string
	// Event is why the contact is as it is: "registered", "refreshed", "expired", "deactivated" or "unregistered". The last three say that it is gone.
	Event string
	URI   string
	// Expires is how many seconds are left. Below zero it is left out.
	Expires int
	// Q is the preference in thousandths, 0-1000. At 1000 it is left out.
	Q int
	// PubGRUU and TempGRUU are the addresses of the device (RFC 5628). If empty, they are left out.
	PubGRUU, TempGRUU string
	// Agent is its User-Agent. If empty, it is left out.
	Agent string
}

// RegInfo is the state of a registration.
type RegInfo struct {
	// AOR is the address of record, sip:user@domain.
	AOR string
	// ID names the registration and stays the same. It must be an XML name token.
	ID string
	// Partial says that only the contacts that have changed are in it. The first document of a subscription and that of each refresh are not.
	Partial  bool
	Contacts []Contact
}

type xmlRegInfo struct {
	XMLName xml.Name `xml:"urn:ietf:params:xml:ns:reginfo reginfo"`
	Version int      `xml:"version,attr"`
	State   string   `xml:"state,attr"`
	Reg     xmlReg   `xml:"registration"`
}

type xmlReg struct {
	AOR      string       `xml:"aor,attr"`
	ID       string       `xml:"id,attr"`
	State    string       `xml:"state,attr"`
	Contacts []xmlContact `xml:"contact"`
}

type xmlContact struct {
	ID      string     `xml:"id,attr"`
	State   string     `xml:"state,attr"`
	Event   string     `xml:"event,attr"`
	Expires string     `xml:"expires,attr,omitempty"`
	Q       string     `xml:"q,attr,omitempty"`
	URI     string     `xml:"uri"`
	Unknown []xmlParam `xml:"unknown-param"`
	Pub     *xmlGRUU   `xml:"urn:ietf:params:xml:ns:gruuinfo pub-gruu"`
	Temp    *xmlGRUU   `xml:"urn:ietf:params:xml:ns:gruuinfo temp-gruu"`
}

type xmlGRUU struct {
	URI string `xml:"uri,attr"`
}

type xmlParam struct {
	Name  string `xml:"name,attr"`
	Value string `xml:",chardata"`
}

// Body writes the document. version is that of the subscription: 0 first, then one more each time.
func (r RegInfo) Body(version int) ([]byte, error) {
	doc := xmlRegInfo{Version: version, State: state(r.Partial), Reg: xmlReg{AOR: r.AOR, ID: r.ID, State: "terminated"}}
	if err := errors.Join(check(r.AOR), nameToken(r.ID)); err != nil {
		return nil, err
	}
	if r.Partial {
		doc.Reg.State = "active"
	}
	for _, c := range r.Contacts {
		if err := errors.Join(nameToken(c.ID), check(c.URI, c.PubGRUU, c.TempGRUU, c.Agent),
			oneOf(c.Event, "registered", "refreshed", "expired", "deactivated", "unregistered")); err != nil {
			return nil, err
		}
		x := xmlContact{ID: c.ID, State: "terminated", Event: c.Event, URI: c.URI}
		if c.Event == "registered" || c.Event == "refreshed" {
			x.State, doc.Reg.State = "active", "active"
		}
		if c.Expires >= 0 {
			x.Expires = strconv.Itoa(c.Expires)
		}
		if c.Q >= 0 && c.Q < 1000 {
			x.Q = strconv.FormatFloat(float64(c.Q)/1000, 'f', -1, 64)
		}
		if c.PubGRUU != "" {
			x.Pub = &xmlGRUU{c.PubGRUU}
		}
		if c.TempGRUU != "" {
			x.Temp = &xmlGRUU{c.TempGRUU}
		}
		if c.Agent != "" {
			x.Unknown = []xmlParam{{"user-agent", c.Agent}}
		}
		doc.Reg.Contacts = append(doc.Reg.Contacts, x)
	}
	return encode(doc)
}

// Dialog is one dialog of the user who is watched.
type Dialog struct {
	// ID tells the dialogs of a user apart and stays the same. It must be an XML name token.
	ID string
	// State is "trying", "proceeding", "early", "confirmed" or "terminated" (RFC 4235 section 3.7.1). A phone rings a colleague's lamp at "early".
	State string
	// Incoming says that the user was called ("recipient"); if false, the user calls ("initiator").
	Incoming bool
	// Remote is the URI of the other side and RemoteName its name. If empty, they are left out.
	Remote, RemoteName string
}

// DialogInfo is the state of the dialogs of a user.
type DialogInfo struct {
	// Entity is the address of record that is watched, sip:user@domain.
	Entity string
	// Partial says that only the dialogs that have changed are in it. The first document of a subscription and that of each refresh are not.
	Partial bool
	Dialogs []Dialog
}

type xmlDialogInfo struct {
	XMLName xml.Name    `xml:"urn:ietf:params:xml:ns:dialog-info dialog-info"`
	Version int         `xml:"version,attr"`
	State   string      `xml:"state,attr"`
	Entity  string      `xml:"entity,attr"`
	Dialogs []xmlDialog `xml:"dialog"`
}

type xmlDialog struct {
	ID        string     `xml:"id,attr"`
	Direction string     `xml:"direction,attr"`
	State     string     `xml:"state"`
	Remote    *xmlRemote `xml:"remote"`
}

type xmlRemote struct {
	Identity struct {
		Display string `xml:"display,attr,omitempty"`
		URI     string `xml:",chardata"`
	} `xml:"identity"`
}

// Body writes the document. version is that of the subscription: 0 first, then one more each time.
func (d DialogInfo) Body(version int) ([]byte, error) {
	if err := check(d.Entity); err != nil {
		return nil, err
	}
	doc := xmlDialogInfo{Version: version, State: state(d.Partial), Entity: d.Entity}
	for _, g := range d.Dialogs {
		if err := errors.Join(nameToken(g.ID), check(g.Remote, g.RemoteName), oneOf(g.State, "trying", "proceeding", "early", "confirmed", "terminated")); err != nil {
			return nil, err
		}
		x := xmlDialog{ID: g.ID, Direction: "initiator", State: g.State}
		if g.Incoming {
			x.Direction = "recipient"
		}
		if g.Remote != "" {
			x.Remote = &xmlRemote{}
			x.Remote.Identity.Display, x.Remote.Identity.URI = g.RemoteName, g.Remote
		}
		doc.Dialogs = append(doc.Dialogs, x)
	}
	return encode(doc)
}

func state(partial bool) string {
	if partial {
		return "partial"
	}
	return "full"
}

// nameToken refuses what is no xs:token of the plain kind that ids of ours are made of.
func nameToken(s string) error {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.", c)) {
			return fmt.Errorf("%w: id", ErrText)
		}
	}
	if s == "" {
		return fmt.Errorf("%w: no id", ErrText)
	}
	return nil
}

func encode(doc any) ([]byte, error) {
	b, err := xml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return append([]byte(xml.Header), b...), nil
}
