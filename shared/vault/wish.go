package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
)

const (
	// WishKey ends the key of a tenant's wish in the bucket of credentials, <tenant>.wish: the
	// only one that its own user writes. There is one wish of a tenant at most.
	WishKey = "wish"
	// MostWishes is how many changes of a tenant's credentials there may be in any day before
	// its own wishes are refused: what it changes is kept for ever.
	MostWishes = 50

	day = 24 * time.Hour
	// maxWished bounds the record of a wish, in bytes.
	maxWished = 16 << 10
	// patience is for how long workers may take no notice of a wish.
	patience = 10 * time.Second
	// lookAgain is how often a tenant looks whether its wish was granted.
	lookAgain = 50 * time.Millisecond
	// tries and pause are how often a worker tries to grant a wish while its server is away.
	tries, pause = 10, 500 * time.Millisecond
)

var (
	// ErrWaits says that a wish is written and that no worker has taken notice of it yet.
	ErrWaits = errors.New("vault: the change is asked for, and no worker has made it yet: is one running? It is made as soon as one is (producer credential show)")
	// ErrOften says that a tenant changes its credentials too often.
	ErrOften = fmt.Errorf("vault: the tenant's credentials were changed %d times within a day already: an operator may change them still (fleetctl credential)", MostWishes)
	// errWish says that a wish makes no sense.
	errWish = errors.New("vault: the wish makes no sense")
)

// wish is a change that a tenant asks for: the record as it is to stand in the registry, signed
// by the tenant, and what it points to; empty if the credentials are to be removed.
type wish struct {
	Record jsontext.Value `json:"record"`
	Blob   []byte         `json:"blob,omitzero"`
}

// ask writes a wish, and waits until it is granted.
func (v *Vault) ask(ctx context.Context, by *registry.Signer, name string, blob seal.Blob, body any, reason string, last uint64) (uint64, error) {
	k := registry.CredentialKey(name)
	if err := v.seldom(ctx, k); err != nil {
		return 0, err
	}
	record, err := v.records.Sign(ctx, by, k, body, reason, last)
	if err != nil {
		return 0, err
	}
	data, err := json.Marshal(wish{record, blob})
	if err != nil {
		return 0, fmt.Errorf("vault: %w", err)
	}
	if err := v.blobs.Set(ctx, name+"."+WishKey, data); err != nil {
		return 0, fmt.Errorf("vault: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrWaits)
	defer cancel()
	for {
		c, now, err := v.records.Get(ctx, k)
		switch {
		case err != nil && ctx.Err() == nil:
			return 0, err
		case now > last && c.Revision == now && c.Record.Signer == by.Public() && c.Record.After == last:
			return now, nil
		case now > last:
			return 0, ErrChanged
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// seldom refuses more changes of a key than a tenant may make.
func (v *Vault) seldom(ctx context.Context, k registry.Key) error {
	n, since := 0, time.Now().Add(-day)
	err := v.records.History(ctx, k, func(c registry.Change) error {
		if c.Time.After(since) {
			n++
		}
		return nil
	})
	if err == nil && n >= MostWishes {
		err = ErrOften
	}
	return err
}

// Grant makes the changes that tenants ask for, until ctx ends. Every worker may do it: of
// those that try the first one makes the change, by the record's compare-and-set. What is
// refused is told, and gone.
func (v *Vault) Grant(ctx context.Context, refused func(name string, why error)) error {
	return v.blobs.WatchKeys(ctx, "*."+WishKey, func(c ledger.KeyChange) error {
		name := strings.TrimSuffix(c.Key, "."+WishKey)
		if c.Value == nil {
			return nil
		}
		for try := 1; ; try++ {
			err := v.grant(ctx, name, c.Value)
			if err != nil && ledger.Transient(err) && try < tries {
				select {
				case <-time.After(pause):
					continue
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			if err != nil && ctx.Err() == nil {
				refused(name, err)
			}
			break
		}
		if err := v.blobs.Delete(ctx, c.Key, c.Revision); err != nil && !ledger.IsConflict(err) && ctx.Err() == nil {
			refused(name, err) // it is looked at again when a worker starts
		}
		return nil
	})
}

// grant makes one change. It is nil as well if another worker has made it.
func (v *Vault) grant(ctx context.Context, name string, data []byte) error {
	var w wish
	if err := json.Unmarshal(data, &w, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%w: %w", errWish, err)
	}
	if len(w.Record) > maxWished {
		return fmt.Errorf("%w: its record has %d bytes, more than %d", errWish, len(w.Record), maxWished)
	}
	k, blob := registry.CredentialKey(name), seal.Blob(w.Blob)
	c, err := v.records.Judge(ctx, k, w.Record)
	if errors.Is(err, registry.ErrMisplaced) {
		return nil // it is made, or another change was
	}
	if err != nil {
		return err
	}
	wanted, err := registry.Held[registry.Credential](c)
	switch {
	case err != nil:
		return err
	case wanted == nil && len(blob) > 0, wanted != nil && wanted.Digest != blob.Digest():
		return fmt.Errorf("%w: its record is not about what is sealed", errWish)
	}
	if err := v.seldom(ctx, k); err != nil {
		return err
	}
	before, _, err := v.show(ctx, name)
	if err != nil && !errors.Is(err, errNone) {
		return err
	}
	if wanted != nil {
		if _, err := v.blobs.Put(ctx, seal.Key(name, wanted.Digest), blob, 0, 0); err != nil && !ledger.IsConflict(err) {
			return fmt.Errorf("vault: %w", err)
		}
	}
	_, err = v.records.Admit(ctx, k, w.Record, c.Record.After)
	if err == nil {
		return v.discard(ctx, name, before.Digest)
	}
	if !ledger.IsConflict(err) {
		return err
	}
	now, _, err := v.show(ctx, name)
	if err != nil && !errors.Is(err, errNone) || wanted == nil || now.Digest == wanted.Digest {
		return nil // what is left then opens for nobody but workers
	}
	return v.discard(ctx, name, wanted.Digest)
}
