package borders

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"
)

// Mode is how servers know users.
type Mode string

// The modes.
const (
	// Plain: the configuration lists every user's public key. A change is a reload.
	Plain Mode = "nkeys"
	// Signed: users bring JWTs, and a server believes whom our operator's key has signed for. A
	// change is pushed to the running servers.
	Signed Mode = "jwt"
)

// ErrKnown says that a user is there already.
var ErrKnown = errors.New("borders: is known already; remove it first to give it other keys")

// ErrUnknown says that there is no such user.
var ErrUnknown = errors.New("borders: is not known")

// state is what users.json holds. None of it is a secret.
type state struct {
	Mode   Mode   `json:"mode"`
	Shards int    `json:"shards"`
	Server Server `json:"server"`
	// System is the public key of the servers' own user, or of its account where JWTs say so.
	System string `json:"system"`
	// Operator and Ledger are the operator's JWT and the public key of the ledger's account.
	Operator string `json:"operator,omitempty"`
	Ledger   string `json:"ledger,omitempty"`
	Users    []User `json:"users"`
	// Accounts are the JWTs of accounts by their public keys, also of users that were removed:
	// theirs say that nobody is let in any more.
	Accounts map[string]string `json:"accounts,omitempty"`
}

// Folder is a configuration on disk: server.conf, accounts.conf, users.json from which these
// follow, and keys, each a file of its own that nobody else may read. One process at a time
// may change it.
type Folder struct {
	path string
	state
}

// Create makes a new folder with the keys of the servers' own user and, with JWTs, of the
// operator and the ledger's account. It overwrites nothing.
func Create(path string, mode Mode, shards int, server Server) (*Folder, error) {
	switch {
	case mode != Plain && mode != Signed:
		return nil, fmt.Errorf("borders: %q is neither %s nor %s", mode, Plain, Signed)
	case shards < 1 || shards > 256:
		return nil, fmt.Errorf("borders: %d shards are not 1 to 256", shards)
	case len(server.Names) == 0:
		return nil, errors.New("borders: a configuration is of one server at least")
	}
	f := &Folder{path, state{Mode: mode, Shards: shards, Server: server, Accounts: map[string]string{}}}
	if _, err := os.Stat(f.file("users.json")); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("borders: %s is a configuration already, and keys are never overwritten", path)
	}
	if err := os.MkdirAll(f.file("keys"), 0o700); err != nil {
		return nil, fmt.Errorf("borders: %w", err)
	}
	establish := f.plain
	if mode == Signed {
		establish = f.signed
	}
	if err := establish(); err != nil {
		return nil, err
	}
	return f, f.save()
}

// Open reads a folder.
func Open(path string) (*Folder, error) {
	f := &Folder{path: path}
	data, err := os.ReadFile(f.file("users.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("borders: %s is no configuration; fleetctl nats config makes one: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("borders: %w", err)
	}
	if err := json.Unmarshal(data, &f.state); err != nil {
		return nil, fmt.Errorf("borders: %s: %w", f.file("users.json"), err)
	}
	return f, nil
}

// Users are all users, by role and name.
func (f *Folder) Users() []User { return slices.Clone(f.state.Users) }

// Mode is how the folder's servers know users.
func (f *Folder) Mode() Mode { return f.state.Mode }

func (f *Folder) file(parts ...string) string {
	return filepath.Join(append([]string{f.path}, parts...)...)
}

// plain makes the keys of a configuration of plain users.
func (f *Folder) plain() error {
	system, err := newKey(f.file("keys", "system.nk"), nkeys.PrefixByteUser)
	if err != nil {
		return err
	}
	f.System = public(system)
	return nil
}

// Added is a user that was added, with its credentials: a seed, or a JWT and a seed, in the
// form of a file for NATS_NKEY or NATS_CREDS. The folder keeps no copy of them.
type Added struct {
	User
	Secret []byte
}

// Add makes users of a role. The configuration is written once, when all are made, or not at
// all. [ErrKnown] if one is there already, or named twice.
func (f *Folder) Add(role Role, names ...string) ([]Added, error) {
	known := make(map[string]bool, len(f.state.Users)+len(names))
	for _, u := range f.state.Users {
		known[u.id()] = true
	}
	users, accounts := slices.Clone(f.state.Users), maps.Clone(f.state.Accounts)
	added := make([]Added, 0, len(names))
	for _, name := range names {
		u := User{Role: role, Name: name}
		if err := u.Validate(); err != nil {
			return nil, err
		}
		if known[u.id()] {
			return nil, fmt.Errorf("%s %w", u, ErrKnown)
		}
		known[u.id()] = true
		pair, err := nkeys.CreateUser()
		if err != nil {
			return nil, fmt.Errorf("borders: make a key: %w", err)
		}
		u.Key = public(pair)
		var secret []byte
		if f.state.Mode == Signed {
			secret, err = f.enrol(&u, pair)
		} else {
			secret, err = pair.Seed()
		}
		if err != nil {
			f.state.Accounts = accounts
			return nil, err
		}
		users, added = append(users, u), append(added, Added{u, secret})
	}
	slices.SortFunc(users, func(a, b User) int { return strings.Compare(a.id(), b.id()) })
	f.state.Users = users
	return added, f.save()
}

// Remove takes a user out: servers that read the new configuration let it in no more, and end
// its connections. [ErrUnknown] if it is not there.
func (f *Folder) Remove(role Role, name string) error {
	u := User{Role: role, Name: name}
	i := slices.IndexFunc(f.state.Users, u.same)
	if i < 0 {
		return fmt.Errorf("%s %w", u, ErrUnknown)
	}
	if f.state.Mode == Signed {
		if err := f.revoke(f.state.Users[i]); err != nil {
			return err
		}
	}
	f.state.Users = slices.Delete(f.state.Users, i, i+1)
	return f.save()
}

// Refresh writes the whole configuration again, as this release knows what each role needs.
func (f *Folder) Refresh() error {
	if f.state.Mode == Signed {
		if err := f.signAgain(); err != nil {
			return err
		}
	}
	return f.save()
}

func (u User) same(other User) bool { return u.Role == other.Role && u.Name == other.Name }

// save writes all that follows from the state, and the state last.
func (f *Folder) save() error {
	identities := "\ninclude accounts.conf\n"
	if err := f.write("server.conf", func(w io.Writer) error { return f.Server.write(w, identities) }); err != nil {
		return err
	}
	err := f.write("accounts.conf", func(w io.Writer) error {
		if f.state.Mode == Signed {
			return f.writeResolver(w)
		}
		return writeAccounts(w, f.state.Shards, f.System, f.state.Users)
	})
	if err != nil {
		return err
	}
	return f.write("users.json", func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(f.state)
	})
}

// write replaces a file as a whole: a server may read it at any time.
func (f *Folder) write(name string, fill func(io.Writer) error) error {
	next, err := os.CreateTemp(f.path, "."+name+".*")
	if err != nil {
		return fmt.Errorf("borders: %w", err)
	}
	defer os.Remove(next.Name()) //nolint:errcheck // it is gone if all went well
	err = fill(next)
	if err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Chmod(0o644), next.Close()); err == nil {
		err = os.Rename(next.Name(), f.file(name))
	}
	if err != nil {
		return fmt.Errorf("borders: write %s: %w", f.file(name), err)
	}
	return nil
}
