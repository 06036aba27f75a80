package sip

import (
	"slices"
	"strings"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/sieve"
)

// eventPackages are the packages that can be subscribed to (RFC 6665 section 7.2), with the content type of each.
var eventPackages = map[string]string{
	"message-summary": "application/simple-message-summary", // RFC 3842
	"reg":             "application/reginfo+xml",            // RFC 3680
	"dialog":          "application/dialog-info+xml",        // RFC 4235
}

const allowedEvents = "dialog, message-summary, reg"

// capabilities are what an endpoint can, which follows from its Config.
type capabilities struct {
	methods []string
	allow   string
	options []sieve.Header // of the answer to OPTIONS
}

// capabilitiesOf returns them. extensions are the option tags for dialogs; those for REGISTER are added.
func capabilitiesOf(cfg Config, extensions string) capabilities {
	c := capabilities{methods: slices.Clone(methods)}
	accept := sdpType + ", multipart/mixed"
	if cfg.OnSubscribe != nil {
		c.methods = append(c.methods, string(msg.SUBSCRIBE))
	}
	if cfg.OnMessage != nil {
		c.methods = append(c.methods, string(msg.MESSAGE))
		accept += ", text/plain"
	}
	c.allow = strings.Join(c.methods, ", ")
	c.options = []sieve.Header{
		{Name: "Allow", Value: c.allow}, {Name: "Accept", Value: accept}, {Name: "Accept-Encoding", Value: "identity"},
		{Name: "Accept-Language", Value: "en"}, {Name: "Supported", Value: extensions + ", path, outbound, gruu"},
	}
	if cfg.OnSubscribe != nil {
		c.options = append(c.options, sieve.Header{Name: "Allow-Events", Value: allowedEvents})
	}
	return c
}

// optionTags returns the option tags of a header, in lower case.
func optionTags(m msg.Message, name string) map[string]bool {
	out := make(map[string]bool)
	for tag := range values(m, name) {
		out[strings.ToLower(tag)] = true
	}
	return out
}
