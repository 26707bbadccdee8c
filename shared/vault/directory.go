package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// ErrAccount says that the tenant's settings and its credentials name two accounts.
var ErrAccount = errors.New("vault: the tenant's settings name another account than its credentials")

// ErrBroker says that the tenant's keys were set for another broker than its settings name.
var ErrBroker = errors.New("vault: the tenant's keys were set for another broker than its settings name, and are shown to no other; set them again (fleetctl credential set)")

// Directory finds tenants in a registry, with their credentials. Safe for concurrent use.
type Directory struct {
	Registry *registry.Registry
	Vault    *Vault
	// Identities open credentials; nil: no tenant has any that can be opened.
	Identities *seal.Identities
}

var _ tenant.Directory = (*Directory)(nil)

// Lookup implements [tenant.Directory]. The credentials are the caller's, to wipe. It fails with
// [tenant.ErrUnknown], [tenant.ErrNoCredentials], or because they cannot be read or opened.
func (d *Directory) Lookup(ctx context.Context, name string) (tenant.Tenant, error) {
	s, ok := d.Registry.Settings(name)
	if !ok {
		return tenant.Tenant{}, fmt.Errorf("%w: nobody registered a tenant %q (fleetctl tenant add)", tenant.ErrUnknown, name)
	}
	t := s.Tenant(name)
	var err error
	if t.Credentials, t.Keys, err = d.credentials(ctx, name); err != nil {
		return tenant.Tenant{}, err
	}
	if meant := t.Credentials.Broker; meant != "" && meant != t.BaseURL {
		t.Credentials.Wipe()
		return tenant.Tenant{}, fmt.Errorf("%w (tenant %s)", ErrBroker, name)
	}
	if s.Account != "" {
		err = d.actFor(&t, s.Account)
	}
	return t, err
}

// actFor has a tenant's credentials act for the account that its settings name.
func (d *Directory) actFor(t *tenant.Tenant, account string) error {
	keys := t.Credentials
	defer keys.Wipe()
	if keys.Account != "" && keys.Account != account {
		t.Credentials = tenant.Credentials{}
		return fmt.Errorf("%w (tenant %s)", ErrAccount, t.Name)
	}
	keys.Account = account
	t.Credentials = keys.Own()
	return nil
}

// credentials opens a tenant's, and returns what names them.
func (d *Directory) credentials(ctx context.Context, name string) (c tenant.Credentials, digest string, err error) {
	if d.Identities == nil {
		return c, "", fmt.Errorf("vault: the credentials of tenant %q are sealed, and this worker has no identity to open them with (ORDERFLEET_IDENTITY_FILE)", name)
	}
	for last := ""; ; last = digest {
		held, ok := d.Registry.Credential(name)
		if !ok {
			return c, "", fmt.Errorf("%w: tenant %q has none (fleetctl credential set)", tenant.ErrNoCredentials, name)
		}
		digest = held.Digest
		if c, err = d.Vault.Open(ctx, name, digest, d.Identities); !errors.Is(err, ErrGone) || digest == last {
			return c, digest, named(name, err)
		}
		if err := d.Registry.Sync(ctx); err != nil { // others may have taken their place just now
			return c, "", err
		}
	}
}

// named says whose credentials an error is about.
func named(name string, err error) error {
	if err != nil {
		err = fmt.Errorf("tenant %q: %w", name, err)
	}
	return err
}

// unrecorded is for how long sealed credentials may wait for their record: nobody's request takes
// as long.
const unrecorded = time.Hour

// patience is how long sweeping may take.
const patience = 10 * time.Second

// Reseal answers [inquiry.Reseal], and sweeps ([Vault.Sweep]).
func (d *Directory) Reseal(ctx context.Context, name string) (inquiry.Resealed, error) {
	if d.Identities == nil {
		return inquiry.Resealed{}, seal.ErrNoIdentity
	}
	if err := d.Registry.Sync(ctx); err != nil {
		return inquiry.Resealed{}, err
	}
	held, ok := d.Registry.Credential(name)
	if !ok {
		return inquiry.Resealed{}, fmt.Errorf("%w: tenant %q", tenant.ErrNoCredentials, name)
	}
	to := seal.Recipients(d.Registry.Recipients())
	blob, err := d.Vault.Reseal(ctx, name, held.Digest, d.Identities, to)
	if err != nil {
		return inquiry.Resealed{}, err
	}
	sweeping, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := d.Vault.Sweep(sweeping, name, held.Digest, time.Now().Add(-unrecorded)); err != nil {
		return inquiry.Resealed{}, err
	}
	return inquiry.Resealed{From: held.Digest, Blob: blob, Recipients: to}, nil
}
