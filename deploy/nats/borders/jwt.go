package borders

import (
	"fmt"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// signed is anything that can be made a JWT.
type signed interface {
	Encode(nkeys.KeyPair) (string, error)
	Validate(*jwt.ValidationResults)
}

// encode signs claims, if they make sense.
func encode(c signed, by nkeys.KeyPair) (string, error) {
	results := jwt.CreateValidationResults()
	c.Validate(results)
	if errs := results.Errors(); len(errs) > 0 {
		return "", fmt.Errorf("borders: claims: %w", errs[0])
	}
	token, err := c.Encode(by)
	if err != nil {
		return "", fmt.Errorf("borders: sign claims: %w", err)
	}
	return token, nil
}

// public is a pair's public key, which every pair of ours has.
func public(pair nkeys.KeyPair) string {
	key, _ := pair.PublicKey()
	return key
}

// operatorJWT says which key signs accounts.
func operatorJWT(operator, signing nkeys.KeyPair, system string) (string, error) {
	c := jwt.NewOperatorClaims(public(operator))
	c.Name = "orderfleet"
	c.SigningKeys.Add(public(signing))
	c.SystemAccount = system
	return encode(c, operator)
}

// mapped gives an account the mapping of intents to shards.
func mapped(c *jwt.AccountClaims, shards int) {
	from, to := ledger.Mapping(shards)
	c.AddMapping(jwt.Subject(from), jwt.WeightedMapping{Subject: jwt.Subject(to)})
}

// ledgerJWT is the account of the streams. Its users are signed by another key than its own.
func ledgerJWT(account string, signer string, shards int, revoked jwt.RevocationList, by nkeys.KeyPair) (string, error) {
	c := jwt.NewAccountClaims(account)
	c.Name, c.Revocations = LedgerAccount, revoked
	c.SigningKeys.Add(signer)
	c.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	mapped(c, shards)
	User{Role: Worker}.permit(c, shards)
	for _, e := range exports() {
		x := &jwt.Export{Name: e.subject, Subject: jwt.Subject(e.subject), Type: jwt.Service, ResponseType: jwt.ResponseTypeSingleton, ResponseThreshold: e.within}
		if e.stream {
			x.ResponseType = jwt.ResponseTypeStream
		}
		c.Exports.Add(x)
	}
	return encode(c, by)
}

// systemJWT is the account of the servers themselves.
func systemJWT(account string, by nkeys.KeyPair) (string, error) {
	c := jwt.NewAccountClaims(account)
	c.Name = "SYSTEM"
	return encode(c, by)
}

// accountJWT is the account that a user who is no worker has to itself.
func (u User) accountJWT(account, ledger string, shards int, by nkeys.KeyPair) (string, error) {
	c := jwt.NewAccountClaims(account)
	c.Name = u.account()
	if u.maps() {
		mapped(c, shards)
	}
	for _, r := range u.imports(shards) {
		i := &jwt.Import{Name: r.subject, Subject: jwt.Subject(r.subject), Account: ledger, Type: jwt.Service}
		if r.local != r.subject {
			i.LocalSubject = jwt.RenamingSubject(numbered(r.local))
		}
		c.Imports.Add(i)
	}
	u.permit(c, shards)
	return encode(c, by)
}

// numbered names the wildcards of a subject by their places.
func numbered(subject string) string {
	words, n := strings.Split(subject, "."), 0
	for i, w := range words {
		if w == "*" {
			n++
			words[i] = fmt.Sprint("$", n)
		}
	}
	return strings.Join(words, ".")
}

// permit gives an account's users their permissions. In a user's own JWT they would have to fit
// into the one line by which a client introduces itself; and an account can be pushed anew,
// where a user's JWT is in the user's hands.
func (u User) permit(c *jwt.AccountClaims, shards int) {
	c.DefaultPermissions.Pub.Allow, c.DefaultPermissions.Sub.Allow = u.permissions(shards)
}

// userJWT is a user of an account, signed by one of the account's keys.
func (u User) userJWT(account string, by nkeys.KeyPair) (string, error) {
	c := jwt.NewUserClaims(u.Key)
	c.Name = u.String()
	if public(by) != account {
		c.IssuerAccount = account
	}
	return encode(c, by)
}

// credentials are a user's JWT and seed in one file, as NATS_CREDS takes it.
func credentials(token string, pair nkeys.KeyPair) ([]byte, error) {
	seed, err := pair.Seed()
	if err != nil {
		return nil, fmt.Errorf("borders: %w", err)
	}
	creds, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		return nil, fmt.Errorf("borders: format credentials: %w", err)
	}
	return creds, nil
}
