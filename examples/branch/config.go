package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsimple"
)

// config is the configuration file. Unknown names in it are errors with file and line. Paths are relative to the file.
type config struct {
	Domain   string            `hcl:"domain"`
	Data     string            `hcl:"data"` // folder of the journal
	Users    string            `hcl:"users"`
	Listen   listenConfig      `hcl:"listen,block"`
	Upstream upstreamConfig    `hcl:"upstream,block"`
	Trunk    *trunkConfig      `hcl:"trunk,block"`       // none: phones call each other only, and nobody can be called for help
	Fallback map[string]string `hcl:"fallback,optional"` // users who are rung for queues and menus
}

type listenConfig struct {
	Address     string `hcl:"address"`
	Certificate string `hcl:"certificate"`
	Key         string `hcl:"key"`
}

type upstreamConfig struct {
	Address     string `hcl:"address"`
	Authorities string `hcl:"authorities,optional"` // PEM file; empty: those of the system
	Instance    string `hcl:"instance,optional"`    // urn:uuid:... of this branch; empty: a new one at each start
	Inbox       string `hcl:"inbox,optional"`       // https:// address where calls are reported; empty: nowhere
	InboxKey    string `hcl:"inbox_key,optional"`   // file with the key for it
}

type trunkConfig struct {
	Country  string            `hcl:"country"`          // ISO 3166: which numbers lead to help
	Code     string            `hcl:"code,optional"`    // country code, "49", for numbers dialed with 0 or 00; empty: only those with a plus sign are public
	Numbers  map[string]string `hcl:"numbers,optional"` // what a user presents, E.164; who is not listed calls anonymously
	Carriers []carrierConfig   `hcl:"carrier,block"`
}

type carrierConfig struct {
	Name         string `hcl:"name,label"`
	Domain       string `hcl:"domain"`
	User         string `hcl:"user,optional"`
	PasswordFile string `hcl:"password_file,optional"`
	Authorities  string `hcl:"authorities,optional"` // PEM file; empty: those of the system
}

// loadConfig reads path. It does not read the files that are named in it.
func loadConfig(path string) (*config, error) {
	var c config
	if err := hclsimple.DecodeFile(path, nil, &c); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if c.Domain == "" || c.Data == "" || c.Users == "" {
		return nil, errors.New("configuration: domain, data and users must not be empty")
	}
	if (c.Upstream.Inbox == "") != (c.Upstream.InboxKey == "") {
		return nil, errors.New("configuration: upstream.inbox and upstream.inbox_key belong together")
	}
	if c.Trunk != nil && len(c.Trunk.Carriers) == 0 {
		return nil, errors.New("configuration: a trunk needs a carrier")
	}
	files := []*string{&c.Data, &c.Users, &c.Listen.Certificate, &c.Listen.Key, &c.Upstream.Authorities, &c.Upstream.InboxKey}
	if c.Trunk != nil {
		for i := range c.Trunk.Carriers {
			files = append(files, &c.Trunk.Carriers[i].PasswordFile, &c.Trunk.Carriers[i].Authorities)
		}
	}
	for _, f := range files {
		if *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(filepath.Dir(path), *f)
		}
	}
	return &c, nil
}

// readSecret reads a file that only its owner may read.
func readSecret(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s holds secrets and may be read by others: chmod 600", path)
	}
	return os.ReadFile(path)
}

// readUsers reads {"1001": "password"}.
func readUsers(path string) (map[string]string, error) {
	b, err := readSecret(path)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	var users map[string]string
	if err := json.Unmarshal(b, &users); err != nil {
		return nil, fmt.Errorf("users: %s is not a JSON object of names and passwords", path) // the error of the parser could quote one
	}
	for name, password := range users {
		if name == "" || password == "" || strings.ContainsAny(name, " :@") {
			return nil, fmt.Errorf("users: %s has a user without name or password", path)
		}
	}
	return users, nil
}
