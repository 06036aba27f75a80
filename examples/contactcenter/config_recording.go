package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// recordingConfig says whose consent a recording needs, and which keys steer it.
type recordingConfig struct {
	// Place is where the calls take place, as ISO 3166 says it, such as "DE" or "US-CA". The strictest rule of the place is kept.
	Place string `hcl:"place"`
	// CallersTold says that every caller has heard that the call is recorded before an agent answers, such as in the flow's first prompt.
	CallersTold bool `hcl:"callers_told,optional"`
	// PauseKeys are what an agent presses to pause the recording, such as for a card number, and again to go on; empty: none.
	PauseKeys string `hcl:"pause_keys,optional"`
	// WithdrawKeys are what a caller presses to withdraw consent: the recording ends and what was taken is purged; empty: none.
	WithdrawKeys string `hcl:"withdraw_keys,optional"`
	// Replica is a second place that has every recording within moments; none: there is one place.
	Replica *replicaConfig `hcl:"replica,block"`
	// Backup is a sealed copy, made now and then; none: there is none.
	Backup *backupConfig `hcl:"backup,block"`
}

var keysPattern = regexp.MustCompile(`^[0-9*#A-D]{2,8}$`)

func (r *recordingConfig) check() error {
	if r == nil {
		return nil
	}
	if !placePattern.MatchString(r.Place) {
		return fmt.Errorf("recording.place: %q is not a place such as DE or US-CA", r.Place)
	}
	for _, keys := range []string{r.PauseKeys, r.WithdrawKeys} {
		if keys != "" && !keysPattern.MatchString(keys) {
			return fmt.Errorf("recording: %q is not two to eight keys", keys)
		}
	}
	if r.PauseKeys != "" && (strings.HasSuffix(r.PauseKeys, r.WithdrawKeys) || strings.HasSuffix(r.WithdrawKeys, r.PauseKeys)) && r.WithdrawKeys != "" {
		return errors.New("recording: one sequence of keys ends like the other")
	}
	if err := r.Replica.check(); err != nil {
		return fmt.Errorf("recording.replica.%w", err)
	}
	if err := r.Backup.check(); err != nil {
		return fmt.Errorf("recording.backup.%w", err)
	}
	return nil
}

var placePattern = regexp.MustCompile(`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`)

// records reports whether conversations of a queue are recorded: not without a place, because nobody can say then whose consent is needed.
func (t tenantConfig) records(queue string) bool {
	if t.Recording == nil {
		return false
	}
	for _, q := range t.Queues {
		if q.Name == queue {
			return !q.Unrecorded
		}
	}
	return true
}
