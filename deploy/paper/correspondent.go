package paper

import (
	"net/http"
	"strings"
	"sync"
)

// correspondent is whoever holds a key of the Broker API, with many accounts under it. mu
// guards what stands below it; it is taken after an account's, never before.
type correspondent struct {
	key, secret string

	mu    sync.Mutex
	rate  window
	tales tales
}

// The endpoints of the Broker API.
const (
	tradingPrefix    = "/v1/trading/accounts/" // of an account, as /v2/ is of the one that a key names
	activitiesPrefix = "/v1/accounts/activities"
	legacyEvents     = "/v1/events/trades"
	eventsPath       = "/v2/events/trades"
)

// correspond says whether a request is one of the Broker API: one with Basic authentication
// of a path of version 1, or of the stream of events, which both APIs have.
func correspond(r *http.Request) bool {
	return r.Header.Get("Apca-Api-Key-Id") == "" && (r.URL.Path == eventsPath || strings.HasPrefix(r.URL.Path, "/v1/"))
}

// introduce finds the correspondent of a call of the Broker API and the account that it
// names, and turns its path into that of the Trading API. Of the stream of events, which is
// of all accounts, the account is nil.
func (b *Broker) introduce(c *call, r *http.Request) *answer {
	key, secret, ok := r.BasicAuth()
	if !ok || key == "" || secret == "" {
		return forbidden()
	}
	if c.correspondent = b.openCorrespondent(key, secret); c.correspondent == nil {
		return unauthorized()
	}
	id := ""
	switch rest, trading := strings.CutPrefix(c.path, tradingPrefix); {
	case trading:
		id, rest, _ = strings.Cut(rest, "/")
		if strings.HasPrefix(rest, "account/activities") {
			return notFound("endpoint not found")
		}
		c.path = "/v2/" + rest
	case c.path == activitiesPrefix, strings.HasPrefix(c.path, activitiesPrefix+"/"):
		if id = c.query.Get("account_id"); id == "" {
			return invalid("account_id is required") // the real one lists all accounts then
		}
		c.path = "/v2/account" + strings.TrimPrefix(c.path, "/v1/accounts")
	case c.follows():
		return nil
	default:
		return notFound("endpoint not found")
	}
	if c.account = b.openFor(c.correspondent, id); c.account == nil {
		return notFound("account not found")
	}
	return nil
}

// openCorrespondent returns the correspondent of a key, new if the key is; nil means that
// the key has another secret.
func (b *Broker) openCorrespondent(key, secret string) *correspondent {
	if len(key) > maxKey || len(secret) > maxKey {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.correspondents[key]
	if c == nil {
		c = &correspondent{key: key, secret: secret}
		b.correspondents[key] = c
	}
	if c.secret != secret {
		return nil
	}
	return c
}

// openFor returns the account of an id, new if the id is; nil means that it is another's, or
// that the id is none.
func (b *Broker) openFor(c *correspondent, id string) *account {
	b.mu.RLock()
	a := b.accounts[id]
	b.mu.RUnlock()
	if a == nil {
		if !isAccountID(id) {
			return nil
		}
		b.mu.Lock()
		if a = b.accounts[id]; a == nil {
			a = b.newAccount(id, "")
			a.id, a.owner = id, c
			b.accounts[id] = a
		}
		b.mu.Unlock()
	}
	if a.owner != c {
		return nil
	}
	return a
}

// isAccountID: the broker's own are UUIDs; tests may give names.
func isAccountID(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
	})
}

// SetCorrespondentLimit sets what each correspondent may ask, over all its accounts.
func (b *Broker) SetCorrespondentLimit(l Limit) {
	l = l.whole()
	b.correspondentLimit.Store(&l)
}
