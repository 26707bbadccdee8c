package paper

import "fmt"

// pass is a key that is not the one that opened its account, or one that opens none any more.
type pass struct {
	secret  string
	account *account // nil: the key was revoked
}

// IssueKey makes another key of an account, which the first key, by which it is known, or a
// later one has opened. Both are good until one is revoked.
func (b *Broker) IssueKey(of, key, secret string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[of]
	_, known := b.passes[key]
	switch {
	case a == nil:
		return fmt.Errorf("%w: there is no account %q", errSetting, of)
	case known || b.accounts[key] != nil:
		return fmt.Errorf("%w: the key %q is there already", errSetting, key)
	case key == "" || secret == "" || len(key) > maxKey || len(secret) > maxKey:
		return fmt.Errorf("%w: a key and its secret have 1 to %d bytes", errSetting, maxKey)
	}
	if b.passes == nil {
		b.passes = make(map[string]pass)
	}
	b.passes[key] = pass{secret, a}
	return nil
}

// RevokeKey makes a key good for nothing: who shows it gets 401. Its account stays, and its open
// streams go on.
func (b *Broker) RevokeKey(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.passes == nil {
		b.passes = make(map[string]pass)
	}
	b.passes[key] = pass{}
}
