package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ringfence/ringfence/tenant/password"
)

// User is a person or phone of one tenant, without secrets.
type User struct {
	Name     string // letters, digits, dot, hyphen and underscore, at most 64; also the SIP user, such as 1001
	Display  string // shown to others; at most 128 bytes
	Roles    []Role
	Disabled bool
	Created  time.Time // UTC
}

// NewUser is what CreateUser needs.
type NewUser struct {
	// Name is the user's name. Required.
	Name string
	// Display is shown to others. If zero, the name.
	Display string
	// Roles are what the user is. If zero, none: a phone that can register and nothing else.
	Roles []Role
	// SIPPassword is what the user's phone registers with, at least MinSIPPasswordBytes. If zero, the user cannot register.
	SIPPassword password.Secret
	// ConsolePassword is what the user logs in with, at least password.MinBytes. If zero, the user cannot log in.
	ConsolePassword password.Secret
}

// Change is what UpdateUser changes; nil fields stay as they are.
type Change struct {
	Display         *string          // If zero, unchanged
	Roles           *[]Role          // If zero, unchanged
	Disabled        *bool            // If zero, unchanged
	SIPPassword     *password.Secret // If zero, unchanged; the zero Secret takes the phone's credentials away
	ConsolePassword *password.Secret // If zero, unchanged; the zero Secret takes the log-in away
}

// Users returns all users by name. Right: users.read.
func (t *Tenant) Users(ctx context.Context, p *Principal) ([]User, error) {
	if err := t.permit(ctx, p, ActionUsersRead, "users"); err != nil {
		return nil, err
	}
	var out []User
	for u, err := range t.store.ListUsers(ctx) {
		if err != nil {
			return nil, err
		}
		out = append(out, u.User)
	}
	return out, nil
}

// User returns one user, or ErrUnknownUser. Right: users.read.
func (t *Tenant) User(ctx context.Context, p *Principal, name string) (User, error) {
	if err := t.permit(ctx, p, ActionUsersRead, "user/"+name); err != nil {
		return User{}, err
	}
	u, err := t.store.FindUser(ctx, name)
	return u.User, err
}

// CreateUser adds a user. ErrExists if the name is taken. Right: users.write.
func (t *Tenant) CreateUser(ctx context.Context, p *Principal, n NewUser) (User, error) {
	if err := t.permit(ctx, p, ActionUsersWrite, "user/"+n.Name); err != nil {
		return User{}, err
	}
	rec, err := t.newRecord(ctx, n)
	if err != nil {
		return User{}, err
	}
	return rec.User, t.store.InsertUser(ctx, rec)
}

// UpdateUser changes a user. ErrLastAdmin if no enabled administrator would remain. Right: users.write.
func (t *Tenant) UpdateUser(ctx context.Context, p *Principal, name string, c Change) (User, error) {
	if err := t.permit(ctx, p, ActionUsersWrite, "user/"+name); err != nil {
		return User{}, err
	}
	// Hashes and seals are made before the transaction: they take long, and sealing reads the same database.
	var made UserRecord
	if err := t.setSecrets(ctx, &made, name, c.SIPPassword, c.ConsolePassword); err != nil {
		return User{}, err
	}
	var after User
	err := t.store.ChangeUser(ctx, name, func(u *UserRecord, admins int) error {
		if c.Display != nil {
			u.Display = *c.Display
		}
		if c.Roles != nil {
			u.Roles = slices.Clone(*c.Roles)
		}
		if c.Disabled != nil {
			u.Disabled = *c.Disabled
		}
		if c.SIPPassword != nil {
			u.HA1 = made.HA1
		}
		if c.ConsolePassword != nil {
			u.Console = made.Console
		}
		after = u.User
		if admins == 0 && (u.Disabled || !slices.Contains(u.Roles, RoleAdmin)) {
			return ErrLastAdmin
		}
		return u.validate()
	})
	return after, err
}

// DeleteUser removes a user and its credentials. ErrLastAdmin if no enabled administrator would remain. Right: users.write.
func (t *Tenant) DeleteUser(ctx context.Context, p *Principal, name string) error {
	if err := t.permit(ctx, p, ActionUsersWrite, "user/"+name); err != nil {
		return err
	}
	return t.store.ChangeUser(ctx, name, func(u *UserRecord, admins int) error {
		if admins == 0 {
			return ErrLastAdmin
		}
		*u = UserRecord{}
		return nil
	})
}

// Reseal encrypts all SIP credentials anew under the tenant's current key, after a rotation and before the old key is destroyed. It returns how many
// users it touched. Right: keys.rotate.
func (t *Tenant) Reseal(ctx context.Context, p *Principal) (int, error) {
	if err := t.permit(ctx, p, "keys.rotate", "users"); err != nil {
		return 0, err
	}
	var records []UserRecord
	for u, err := range t.store.ListUsers(ctx) {
		if err != nil {
			return 0, err
		}
		records = append(records, u)
	}
	n := 0
	for _, rec := range records {
		fresh := map[string][]byte{}
		for alg, sealed := range rec.HA1 {
			aad := ha1AAD(rec.Name, t.profile.Realm, alg)
			ha1, err := t.sealer.Unseal(ctx, sealed, aad)
			if err != nil {
				return n, err
			}
			fresh[alg], err = t.sealer.Seal(ctx, ha1, aad)
			clear(ha1)
			if err != nil {
				return n, err
			}
		}
		err := t.store.ChangeUser(ctx, rec.Name, func(u *UserRecord, _ int) error {
			for alg, old := range rec.HA1 {
				if string(u.HA1[alg]) == string(old) { // unless someone set a new password meanwhile
					u.HA1[alg] = fresh[alg]
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrUnknownUser) {
			return n, err
		}
		n++
	}
	return n, nil
}

func (t *Tenant) newRecord(ctx context.Context, n NewUser) (UserRecord, error) {
	if n.Display == "" {
		n.Display = n.Name
	}
	rec := UserRecord{User: User{Name: n.Name, Display: n.Display, Roles: slices.Clone(n.Roles), Created: t.dir.cfg.Now().UTC()}}
	if err := rec.validate(); err != nil {
		return UserRecord{}, err
	}
	return rec, t.setSecrets(ctx, &rec, n.Name, &n.SIPPassword, &n.ConsolePassword)
}

// setSecrets fills what is stored of the passwords that are given.
func (t *Tenant) setSecrets(ctx context.Context, rec *UserRecord, name string, sip, console *password.Secret) error {
	if sip != nil && !sip.IsZero() {
		if len(sip.ExportSecret()) < MinSIPPasswordBytes {
			return fmt.Errorf("%w: SIP password under %d bytes", ErrInvalid, MinSIPPasswordBytes)
		}
		rec.HA1 = map[string][]byte{}
		for _, alg := range t.profile.Algorithms {
			ha1 := digestHA1(alg, name, t.profile.Realm, *sip)
			sealed, err := t.sealer.Seal(ctx, ha1, ha1AAD(name, t.profile.Realm, alg))
			clear(ha1)
			if err != nil {
				return err
			}
			rec.HA1[alg] = sealed
		}
	}
	if console != nil && !console.IsZero() {
		select {
		case t.dir.hashes <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("tenant: %w", ctx.Err())
		}
		stored, err := password.Hash(*console)
		<-t.dir.hashes
		if err != nil {
			return fmt.Errorf("%w: console password: %w", ErrInvalid, err)
		}
		rec.Console = stored
	}
	return nil
}

func (u *UserRecord) validate() error {
	if !userRule.MatchString(u.Name) {
		return fmt.Errorf("%w: user name %q", ErrInvalid, u.Name)
	}
	if len(u.Display) > 128 {
		return fmt.Errorf("%w: display name over 128 bytes", ErrInvalid)
	}
	for i, r := range u.Roles {
		if !r.Valid() || slices.Contains(u.Roles[:i], r) {
			return fmt.Errorf("%w: role %q", ErrInvalid, r)
		}
	}
	return nil
}
