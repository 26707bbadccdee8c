package main

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/shared/vault"
	"github.com/orderfleet/orderfleet/worker/pool"
	"github.com/orderfleet/orderfleet/worker/shard"
	"github.com/rs/zerolog"
)

// tenants is where a worker knows its tenants from: a file, or the registry with the vault.
type tenants struct {
	directory tenant.Directory
	registry  shard.Registry
	pools     pool.Registry
	perMinute func(ctx context.Context, name string) int
	// reseal is nil if credentials are not sealed.
	reseal func(ctx context.Context, name string) (inquiry.Resealed, error)
	// run keeps them up to date until ctx ends.
	run func(ctx context.Context) error
}

// local is what can be had without a server: a file's tenants, or the identities.
type local struct {
	file       *registry.File
	identities *seal.Identities
}

// load reads the files that the settings name. What is wrong with them is a mistake in the
// environment.
func (s *settings) load(log zerolog.Logger) (l local, err error) {
	switch {
	case s.TenantsFile != "":
		if l.file, err = registry.OpenFile(s.TenantsFile, func(err error) {
			log.Error().Err(err).Msg("the tenants file has a mistake: it stays as it was")
		}); err != nil {
			return l, cli.Usagef("%s_TENANTS_FILE: %w", prefix, err)
		}
	case s.IdentityFile != "":
		if l.identities, err = seal.LoadIdentities(s.IdentityFile); err != nil {
			return l, cli.Usagef("%s_IDENTITY_FILE: %w", prefix, err)
		}
	}
	return l, nil
}

// tenants are those of the file, beneath what the registry on the server says, or of that alone.
func (l local) tenants(ctx context.Context, nc *nats.Conn, log zerolog.Logger) (*tenants, error) {
	opened, err := ledger.Await(ctx, nc, nil, func(err error) { log.Warn().Err(err).Msg("waiting for the registry of tenants") })
	if err != nil {
		return nil, err
	}
	reg := registry.New(opened, func(c registry.Change) {
		log.Error().Err(c.Err).Str("key", c.Name).Uint64("revision", c.Revision).Msg("a change of the registry does not count")
	})
	if l.file != nil {
		both := registry.NewLayered(l.file, reg)
		return &tenants{
			directory: l.file,
			registry:  both,
			pools:     both,
			perMinute: perMinute(l.file.Settings),
			run:       both.Run,
		}, nil
	}
	if l.identities == nil {
		log.Warn().Msg("no " + prefix + "_IDENTITY_FILE: this worker opens no tenant's credentials, and blocks the intents of all")
	}
	directory := &vault.Directory{Registry: reg, Vault: vault.New(opened), Identities: l.identities}
	t := &tenants{
		directory: directory,
		registry:  reg,
		pools:     reg,
		perMinute: perMinute(reg.Settings),
		run:       reg.Run,
	}
	if l.identities != nil {
		t.reseal = directory.Reseal
	}
	return t, nil
}

// perMinute is the rate limit that settings state for a tenant, 0 if they state none.
func perMinute(settings func(name string) (tenant.Settings, bool)) func(context.Context, string) int {
	return func(_ context.Context, name string) int {
		s, _ := settings(name)
		return s.RequestsPerMinute
	}
}

// follow keeps the tenants up to date until stop is called, which waits for its end. What
// ends them before is told: nobody trades under terms that may be old.
func (t *tenants) follow(ctx context.Context, ended func(error)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := t.run(ctx); err != nil && ctx.Err() == nil {
			ended(fmt.Errorf("the registry of tenants: %w", err))
		}
	}()
	return func() { cancel(); <-done }
}
