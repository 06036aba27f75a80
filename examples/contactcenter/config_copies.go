package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// replicaConfig is the second place of a tenant's recordings.
type replicaConfig struct {
	// Dir is a folder that exists, on another disk or machine. What is the tenant's is in a folder of its name there.
	Dir string `hcl:"dir"`
}

func (r *replicaConfig) check() error {
	if r != nil && r.Dir == "" {
		return errors.New("dir: must name a folder")
	}
	return nil
}

// backupConfig is the sealed copy of a tenant's recordings.
type backupConfig struct {
	// Dir is a folder that exists, on another machine. What is the tenant's is in a folder of its name there.
	Dir string `hcl:"dir"`
	// Recipient is who can open the copy: a public key as backup keygen prints it, or the path of a file with it.
	Recipient string `hcl:"recipient"`
	// Every is how often a running server brings the copy up to date; empty: 24h.
	Every string `hcl:"every,optional"`
}

const (
	backupEvery    = 24 * time.Hour
	minBackupEvery = time.Second
)

func (b *backupConfig) check() error {
	if b == nil {
		return nil
	}
	if b.Dir == "" {
		return errors.New("dir: must name a folder")
	}
	if d, err := duration(b.Every, backupEvery); err != nil || d < minBackupEvery {
		return fmt.Errorf("every: %q is not a duration of %v or more, such as 24h", b.Every, minBackupEvery)
	}
	if _, err := b.recipient(); err != nil {
		return fmt.Errorf("recipient: %w", err)
	}
	return nil
}

// recipient reads the public key. A secret one is refused, and nothing of it is repeated.
func (b *backupConfig) recipient() (recording.Recipient, error) {
	text := b.Recipient
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "ringfence-") { // no key is a path
		raw, err := os.ReadFile(text)
		if err != nil {
			return recording.Recipient{}, err
		}
		text = string(raw)
	}
	return recording.ParseRecipient("backup", text)
}

// folder is where an option's folder really is. It must be there: a folder made in the place of a disk that is not mounted would be a copy beside the original.
func folder(option, dir string) (string, error) {
	path, err := filepath.EvalSymlinks(dir)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("%s: mount or make it first: %w", option, err)
	}
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", path)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", option, err)
	}
	return path, nil
}

// apart refuses a folder that is another one, in it or around it: what burns the one burns the other.
func apart(option, path, other, what string) error {
	in := func(a, b string) bool { return a == b || strings.HasPrefix(a, strings.TrimSuffix(b, "/")+"/") }
	if in(path, other) || in(other, path) {
		return fmt.Errorf("%s: %s and %s (%s) are one place; a copy there is none", option, path, what, other)
	}
	return nil
}

// replicaFolder is where the second place of a tenant's recordings is, checked; empty if its configuration names none.
func (d *deployment) replicaFolder(name string) (string, error) {
	tc := d.configOf(name)
	if tc == nil || tc.Recording == nil || tc.Recording.Replica == nil {
		return "", nil
	}
	return d.outside(name, "recording.replica.dir", tc.Recording.Replica.Dir)
}

// backupFolder is where the backup of a tenant's recordings is, checked; empty if its configuration names none.
func (d *deployment) backupFolder(name string) (string, error) {
	tc := d.configOf(name)
	if tc == nil || tc.Recording == nil || tc.Recording.Backup == nil {
		return "", nil
	}
	const option = "recording.backup.dir"
	path, err := d.outside(name, option, tc.Recording.Backup.Dir)
	if err != nil {
		return "", err
	}
	second, err := d.replicaFolder(name)
	if err == nil && second != "" {
		err = apart(option, path, second, "recording.replica.dir")
	}
	if err != nil {
		return "", fmt.Errorf("tenant %q: %w", name, err)
	}
	return path, nil
}

// outside is a folder that has nothing to do with the data folder.
func (d *deployment) outside(name, option, dir string) (string, error) {
	data, err := folder("data", d.cfg.Data)
	if err != nil {
		return "", err
	}
	path, err := folder(option, dir)
	if err == nil {
		err = apart(option, path, data, "the data folder")
	}
	if err != nil {
		return "", fmt.Errorf("tenant %q: %w", name, err)
	}
	return path, nil
}
