package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

var (
	// ErrChanged says that somebody else changed the credentials meanwhile.
	ErrChanged = errors.New("vault: somebody else changed the tenant's credentials meanwhile; look at them again")
	// ErrGone says that the record names credentials that are not there (any more).
	ErrGone = errors.New("vault: the sealed credentials are not there; set them again (fleetctl credential set)")
	// ErrLeft says that a change was made, and what it replaced could not be removed. It opens for workers
	// alone, and none of them asks for it.
	ErrLeft = errors.New("vault: the change is made, but the old sealed credentials could not be removed")
)

// Vault is the tenants' sealed credentials on a ledger's server. Safe for concurrent use.
type Vault struct {
	records *registry.Store
	blobs   *ledger.Bucket
}

// New makes a vault of a ledger's buckets.
func New(l *ledger.Ledger) *Vault {
	return &Vault{registry.NewStore(l), l.Bucket(ledger.CredentialsBucket)}
}

// Held is which credentials a tenant has, and since when; never what they are.
type Held struct {
	Tenant string `json:"tenant"`
	registry.Credential
	Revision uint64    `json:"revision"`
	Since    time.Time `json:"since"` // by the server's clock
	By       string    `json:"by"`
	Signer   string    `json:"signer"`
	Reason   string    `json:"reason"`
}

// Show says which credentials a tenant has; [tenant.ErrNoCredentials] if it has none.
func (v *Vault) Show(ctx context.Context, name string) (Held, error) {
	h, _, err := v.show(ctx, name)
	return h, err
}

// show returns the revision of the last change of all, too.
func (v *Vault) show(ctx context.Context, name string) (Held, uint64, error) {
	c, last, err := v.records.Get(ctx, registry.CredentialKey(name))
	if err != nil {
		return Held{}, 0, err
	}
	held, err := registry.Held[registry.Credential](c)
	switch {
	case err != nil:
		return Held{}, last, err
	case held == nil:
		return Held{}, last, fmt.Errorf("%w: tenant %q", tenant.ErrNoCredentials, name)
	}
	return Held{
		Tenant: name, Credential: *held, Revision: c.Revision, Since: c.Time,
		By: c.Record.By, Signer: c.Record.Signer, Reason: c.Record.Reason,
	}, last, nil
}

// Broker is the address of the broker that a tenant's settings name; [tenant.ErrUnknown] if nobody
// registered it.
func (v *Vault) Broker(ctx context.Context, name string) (string, error) {
	c, _, err := v.records.Get(ctx, registry.TenantKey(name))
	if err != nil {
		return "", err
	}
	s, err := registry.Held[tenant.Settings](c)
	switch {
	case err != nil:
		return "", err
	case s == nil:
		return "", fmt.Errorf("%w: nobody registered a tenant %q (fleetctl tenant add)", tenant.ErrUnknown, name)
	}
	return s.BaseURL(), nil
}

// Recipients are to whom credentials are sealed; [seal.ErrNoRecipients] if there are none.
func (v *Vault) Recipients(ctx context.Context) (seal.Recipients, error) {
	c, _, err := v.records.Get(ctx, registry.RecipientsKey)
	if err != nil {
		return nil, err
	}
	list, err := registry.Held[registry.RecipientList](c)
	switch {
	case err != nil:
		return nil, err
	case list == nil:
		return nil, seal.ErrNoRecipients
	}
	return list.Recipients, nil
}

// Set seals credentials and makes them a tenant's. They stay the caller's, to wipe. It fails
// with [seal.ErrNoRecipients], [ErrChanged], [ErrLeft], because they make no sense, or with
// another error of the server's, after which the change may have been made.
func (v *Vault) Set(ctx context.Context, by *registry.Signer, name string, c tenant.Credentials, reason string) (Held, error) {
	to, err := v.Recipients(ctx)
	if err != nil {
		return Held{}, err
	}
	blob, err := seal.Seal(name, c, to)
	if err != nil {
		return Held{}, err
	}
	before, last, err := v.show(ctx, name)
	if err != nil && !errors.Is(err, tenant.ErrNoCredentials) {
		return Held{}, err
	}
	return v.put(ctx, by, name, blob, registry.Credential{Kind: c.Kind(), Recipients: to}, reason, before.Digest, last)
}

// Replace puts credentials that a worker sealed anew in the place of those that it opened, with
// the digest from. It fails as [Vault.Set] does.
func (v *Vault) Replace(ctx context.Context, by *registry.Signer, name, from string, blob seal.Blob, to seal.Recipients, reason string) (Held, error) {
	before, last, err := v.show(ctx, name)
	switch {
	case err != nil:
		return Held{}, err
	case before.Digest != from:
		return Held{}, ErrChanged
	}
	return v.put(ctx, by, name, blob, registry.Credential{Kind: before.Kind, Recipients: to}, reason, before.Digest, last)
}

// put is the change: the blob, then the record, and then what was before goes.
func (v *Vault) put(ctx context.Context, by *registry.Signer, name string, blob seal.Blob, c registry.Credential, reason, before string, last uint64) (Held, error) {
	c.Digest = blob.Digest()
	key := seal.Key(name, c.Digest)
	if _, err := v.blobs.Put(ctx, key, blob, 0, 0); err != nil {
		return Held{}, fmt.Errorf("vault: %w", err)
	}
	revision, err := v.records.Write(ctx, by, registry.CredentialKey(name), &c, reason, last)
	switch {
	case ledger.IsConflict(err), errors.Is(err, registry.ErrNotAllowed), errors.Is(err, registry.ErrMalformed): // so it was not written
		if ledger.IsConflict(err) {
			err = ErrChanged
		}
		if left := v.blobs.Discard(ctx, key); left != nil {
			err = fmt.Errorf("%w (and what was sealed for nothing is still there: %w)", err, left)
		}
		return Held{}, err
	case err != nil:
		return Held{}, err
	}
	h := Held{Tenant: name, Credential: c, Revision: revision, Since: time.Now().UTC(), By: by.Name(), Signer: by.Public(), Reason: reason}
	return h, v.discard(ctx, name, before)
}

// Remove takes a tenant's credentials away: its intents are then blocked. It fails with
// [tenant.ErrNoCredentials], [ErrChanged] and [ErrLeft].
func (v *Vault) Remove(ctx context.Context, by *registry.Signer, name, reason string) (uint64, error) {
	before, last, err := v.show(ctx, name)
	if err != nil {
		return 0, err
	}
	revision, err := v.records.Write(ctx, by, registry.CredentialKey(name), nil, reason, last)
	switch {
	case ledger.IsConflict(err):
		return 0, ErrChanged
	case err != nil:
		return 0, err
	}
	return revision, v.discard(ctx, name, before.Digest)
}

// discard removes the blob that the record does not name any more. A worker that was about to
// open it looks at the record again.
func (v *Vault) discard(ctx context.Context, name, digest string) error {
	if digest == "" {
		return nil
	}
	if err := v.blobs.Discard(ctx, seal.Key(name, digest)); err != nil {
		return fmt.Errorf("%w: %w", ErrLeft, err)
	}
	return nil
}

// Open opens the credentials that a tenant's record names. They are the caller's, to wipe. It
// fails with [ErrGone], as [seal.Open] does, or with an error of the server's.
func (v *Vault) Open(ctx context.Context, name, digest string, with *seal.Identities) (tenant.Credentials, error) {
	blob, err := v.blobs.Value(ctx, seal.Key(name, digest))
	switch {
	case errors.Is(err, ledger.ErrNone):
		return tenant.Credentials{}, ErrGone
	case err != nil:
		return tenant.Credentials{}, fmt.Errorf("vault: %w", err)
	}
	return with.Open(name, digest, blob)
}

// Reseal opens the credentials that a tenant's record names, and seals them to recipients. It
// writes nothing; see [Vault.Replace].
func (v *Vault) Reseal(ctx context.Context, name, digest string, with *seal.Identities, to seal.Recipients) (seal.Blob, error) {
	c, err := v.Open(ctx, name, digest, with)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	return seal.Seal(name, c, to)
}

// Sweep removes what was sealed for a tenant before a moment and does not have the digest that its
// record names: who died between the two steps of a change left it. The moment has to be long
// ago, lest somebody is about to record it. Only who may read blobs can.
func (v *Vault) Sweep(ctx context.Context, name, digest string, before time.Time) error {
	end, err := v.blobs.End(ctx)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	var left []string
	if err := v.blobs.Read(ctx, seal.Key(name, "*"), ledger.Start{}, end, func(c ledger.KeyChange) error {
		if c.Value != nil && c.Key != seal.Key(name, digest) && c.Time.Before(before) {
			left = append(left, c.Key)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	for _, key := range left {
		if err := v.blobs.Discard(ctx, key); err != nil {
			return fmt.Errorf("vault: %w", err)
		}
	}
	return nil
}

// Stale says that credentials are not sealed to just these recipients.
func (h *Held) Stale(to seal.Recipients) bool {
	have, want := slices.Clone(h.Recipients), slices.Clone([]string(to))
	slices.Sort(have)
	slices.Sort(want)
	return !slices.Equal(have, want)
}
