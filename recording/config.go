package recording

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// Config describes a Vault. It is copied by New.
type Config struct {
	// Blobs keeps the encrypted containers. Required.
	Blobs Blobs
	// Catalog keeps the wrapped keys and what is known of each recording. Required.
	Catalog Catalog
	// Keys wraps the recordings' keys. Required.
	Keys KeyWrapper
	// Authorizer is asked for what the Vault does by itself: Create and Recover. Required.
	Authorizer Authorizer
	// Auditor records what the Vault does by itself. Required.
	Auditor Auditor
	// Place is whose recordings these are and where; it is bound into every key. Its Owner is required.
	Place Place
	// Purpose is bound into every key, so that a container made for one purpose does not open for another. If zero, DefaultPurpose.
	Purpose string
	// Signer signs a manifest when a recording ends, so that a third party can check it. If zero, recordings are not signed: still
	// authenticated, but only for whoever has the key.
	Signer Signer
	// Recipients can open what is recorded from now on without this Vault, with their own keys: see Access.Seal. If nil, nobody outside can.
	Recipients []Recipient
	// Policy says until when suites may be used for something new. If zero, the suites' own dates.
	Policy Policy
	// Decoders makes decoders for codecs other than G.711, by their names in SDP. If nil, such audio is kept, verified and sealed, but playing or exporting it
	// is ErrCodec.
	Decoders map[string]func() Decoder
	// Encoders write formats that the Vault cannot: FLAC, for which package flac beside it fits. If nil, exporting these is ErrInvalid.
	Encoders map[Format]Encoder
	// OpusEncoder makes encoders for OggOpus of what was not recorded as Opus. If nil, exporting that as OggOpus is ErrInvalid.
	OpusEncoder func() OpusEncoder
	// Text keeps restricted data out of metadata, marks and reasons. If nil, they are stored as they are.
	Text TextGuard
	// Flagger says which parts of a recording hold restricted data; they leave only if Approver says so. If nil, no part is flagged by itself.
	Flagger Flagger
	// Approver says what is approved in writing. If nil, nothing is: no recording with Meta.Categories is made or let out, and what is flagged is withheld.
	Approver Approver
	// Bulk bounds how much one actor reads in a while. If zero, the defaults named at its fields.
	Bulk Bulk
	// Alarm is told when Bulk stops somebody. If nil, it is only recorded with the actor's Auditor.
	Alarm Alarmer
	// Losing is told when a recording begins to lose audio, because its store failed (err says how) or is too slow (ErrSlow), and again when that begins anew. It
	// must return at once, for all recordings wait for it. If nil, Stats counts and the recordings' marks say it.
	Losing func(id string, err error)
	// MaxQueued is how many bytes of audio may wait to be written before frames are dropped. If zero, DefaultMaxQueued.
	MaxQueued int64
	// Now is the clock. If zero, time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Purpose == "" {
		c.Purpose = DefaultPurpose
	}
	if c.MaxQueued == 0 {
		c.MaxQueued = DefaultMaxQueued
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Recipients = slices.Clone(c.Recipients)
	c.Decoders, c.Encoders = maps.Clone(c.Decoders), maps.Clone(c.Encoders)
	c.Policy.Sunset = maps.Clone(c.Policy.Sunset)
	c.Bulk = c.Bulk.withDefaults()
	return c
}

func (c Config) validate() error {
	if c.Blobs == nil || c.Catalog == nil || c.Keys == nil || c.Authorizer == nil || c.Auditor == nil {
		return fmt.Errorf("%w: Blobs, Catalog, Keys, Authorizer and Auditor are required", ErrConfig)
	}
	if c.MaxQueued < minQueued {
		return fmt.Errorf("%w: MaxQueued under %d bytes", ErrConfig, minQueued)
	}
	if len(c.Purpose) > maxPlace || !utf8.ValidString(c.Purpose) {
		return fmt.Errorf("%w: Purpose is longer than %d bytes or not UTF-8", ErrConfig, maxPlace)
	}
	if err := c.Place.validate(); err != nil {
		return err
	}
	if err := c.Bulk.validate(); err != nil {
		return err
	}
	return c.suites(c.Recipients)
}

// suites returns why new recordings, or wrappings for those recipients, would be made with something they must not be made with.
func (c Config) suites(to []Recipient) error {
	errs := []error{c.Policy.Check(SuiteAES256GCM, c.Now()), c.Policy.Check(SuiteWrapped, c.Now())}
	names := map[string]bool{}
	for _, r := range to {
		if r.key == nil || names[r.name] {
			errs = append(errs, fmt.Errorf("%w: the zero Recipient, or %q twice", ErrConfig, r.name))
			continue
		}
		names[r.name] = true
		if err := c.Policy.Check(r.suite, c.Now()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.name, err))
		}
	}
	if len(to) > MaxRecipients {
		errs = append(errs, fmt.Errorf("%w: more than %d recipients", ErrConfig, MaxRecipients))
	}
	return errors.Join(errs...)
}
