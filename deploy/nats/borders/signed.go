package borders

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// The files of keys that sign. The operator's own is used once: keep it somewhere else.
const (
	operatorKey = "operator.nk"
	accountsKey = "operator-signing.nk" // signs accounts
	ledgerKey   = "ledger.nk"
	workersKey  = "ledger-signing.nk" // signs workers
	systemKey   = "system-account.nk"
)

// signed makes the keys of a configuration whose users bring JWTs.
func (f *Folder) signed() error {
	pairs := map[string]nkeys.KeyPair{}
	for _, k := range []struct {
		name string
		kind nkeys.PrefixByte
	}{
		{operatorKey, nkeys.PrefixByteOperator}, {accountsKey, nkeys.PrefixByteOperator},
		{ledgerKey, nkeys.PrefixByteAccount}, {workersKey, nkeys.PrefixByteAccount}, {systemKey, nkeys.PrefixByteAccount},
	} {
		pair, err := newKey(f.file("keys", k.name), k.kind)
		if err != nil {
			return err
		}
		pairs[k.name] = pair
	}
	f.System, f.Ledger = public(pairs[systemKey]), public(pairs[ledgerKey])
	var err error
	if f.Operator, err = operatorJWT(pairs[operatorKey], pairs[accountsKey], f.System); err != nil {
		return err
	}
	if f.Accounts[f.System], err = systemJWT(f.System, pairs[accountsKey]); err != nil {
		return err
	}
	if f.Accounts[f.Ledger], err = ledgerJWT(f.Ledger, public(pairs[workersKey]), f.state.Shards, nil, pairs[accountsKey]); err != nil {
		return err
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		return fmt.Errorf("borders: make a key: %w", err)
	}
	c := jwt.NewUserClaims(public(user))
	c.Name = "system"
	token, err := encode(c, pairs[systemKey])
	if err != nil {
		return err
	}
	creds, err := credentials(token, user)
	if err != nil {
		return err
	}
	return writeSecret(f.file("keys", "system.creds"), creds)
}

// enrol signs for a user: within the ledger's account for a worker, else in a new account of
// its own, whose key is thrown away. Nobody signs for a second user of that account.
func (f *Folder) enrol(u *User, pair nkeys.KeyPair) (creds []byte, err error) {
	var token string
	if u.Role == Worker {
		by, err := readKey(f.file("keys", workersKey))
		if err != nil {
			return nil, err
		}
		u.Account = f.Ledger
		if token, err = u.userJWT(f.Ledger, by); err != nil {
			return nil, err
		}
		return credentials(token, pair)
	}
	account, err := nkeys.CreateAccount()
	if err != nil {
		return nil, fmt.Errorf("borders: make a key: %w", err)
	}
	u.Account = public(account)
	if token, err = u.userJWT(u.Account, account); err != nil {
		return nil, err
	}
	by, err := readKey(f.file("keys", accountsKey))
	if err != nil {
		return nil, err
	}
	if f.Accounts[u.Account], err = u.accountJWT(u.Account, f.Ledger, f.state.Shards, by); err != nil {
		return nil, err
	}
	return credentials(token, pair)
}

// revoke has a user's account say that it lets the user in no more.
func (f *Folder) revoke(u User) error {
	by, err := readKey(f.file("keys", accountsKey))
	if err != nil {
		return err
	}
	account := u.Account
	c, err := jwt.DecodeAccountClaims(f.Accounts[account])
	if err != nil {
		return fmt.Errorf("borders: account of %s: %w", u, err)
	}
	if u.Role == Worker {
		c.Revoke(u.Key)
	} else {
		c.RevokeAt(jwt.All, time.Now())
		c.Imports = nil
	}
	f.Accounts[account], err = encode(c, by)
	return err
}

// signAgain signs for every account anew. Who was removed stays so.
func (f *Folder) signAgain() error {
	by, err := readKey(f.file("keys", accountsKey))
	if err != nil {
		return err
	}
	old, err := jwt.DecodeAccountClaims(f.Accounts[f.Ledger])
	if err != nil {
		return fmt.Errorf("borders: the ledger's account: %w", err)
	}
	workers, err := readKey(f.file("keys", workersKey))
	if err != nil {
		return err
	}
	if f.Accounts[f.Ledger], err = ledgerJWT(f.Ledger, public(workers), f.state.Shards, old.Revocations, by); err != nil {
		return err
	}
	for _, u := range f.state.Users {
		if u.Role == Worker {
			continue
		}
		if f.Accounts[u.Account], err = u.accountJWT(u.Account, f.Ledger, f.state.Shards, by); err != nil {
			return err
		}
	}
	return nil
}

// writeResolver writes who the operator is, and the accounts that a server begins with.
func (f *Folder) writeResolver(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Written by \"fleetctl nats\", from users.json. Change that by \"fleetctl nats user\".\n\n" +
		"# Whoever this operator's keys have signed for is let in. The keys are not here.\n")
	fmt.Fprintf(&b, "operator: %s\nsystem_account: %s\n\n", f.Operator, f.System)
	fmt.Fprintf(&b, "# Each server keeps all accounts, and learns of changes from \"fleetctl nats push\".\nresolver {\n  type: full\n  dir: %s\n  allow_delete: false\n  interval: \"2m\"\n}\n\n",
		quote(f.Server.StoreDir+"/accounts"))
	b.WriteString("# Those that it begins with. A newer one that it was told of since stays.\nresolver_preload {\n")
	for _, key := range slices.Sorted(maps.Keys(f.Accounts)) {
		fmt.Fprintf(&b, "  %s: %s\n", key, f.Accounts[key])
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Push tells running servers of all accounts, over a connection of the system user. They end
// the connections of users that were removed.
func (f *Folder) Push(ctx context.Context, nc *nats.Conn) error {
	for key, token := range f.Accounts {
		m, err := nc.RequestWithContext(ctx, "$SYS.REQ.CLAIMS.UPDATE", []byte(token))
		if err != nil {
			return fmt.Errorf("borders: push account %s: %w", key, err)
		}
		var answer struct {
			Error *struct {
				Description string `json:"description"`
			} `json:"error"`
		}
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return fmt.Errorf("borders: push account %s: %w", key, err)
		}
		if answer.Error != nil {
			return fmt.Errorf("borders: push account %s: the server says %q", key, answer.Error.Description)
		}
	}
	return nil
}
