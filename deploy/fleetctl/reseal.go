package fleetctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/inquiry"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/vault"
	"golang.org/x/sync/errgroup"
)

// Reseal has tenants' credentials sealed to the recipients of now. Only workers can open them:
// the owner of each tenant's shard seals them anew, and what it made takes their place, in the
// name of By.
type Reseal struct {
	Tenants []string
	// Always seals those anew, too, that are sealed to just these recipients.
	Always bool
	By     *registry.Signer
	Reason string
}

// Resealed is what became of one tenant's credentials. Its names in JSON are part of the
// contract.
type Resealed struct {
	Tenant string `json:"tenant"`
	// Worker sealed them; empty if there was nothing to do.
	Worker string `json:"worker,omitzero"`
	// Revision is that of the record that tells of it, 0 if there was nothing to do.
	Revision uint64 `json:"revision,omitzero"`
	// Problem says why they are not sealed to the recipients of now.
	Problem string `json:"problem,omitzero"`
}

const (
	// resealing is how many tenants' credentials are sealed at once.
	resealing = 8
	// resealTries is how often a tenant's are looked at again because somebody changed them.
	resealTries = 3
)

// Run seals them, several at once, and calls tell for each, one at a time. It fails if the
// recipients cannot be read, or with ctx's error.
func (q Reseal) Run(ctx context.Context, l *ledger.Ledger, nc *nats.Conn, progress func(phase string, done, of int), tell func(Resealed)) error {
	v := vault.New(l)
	to, err := v.Recipients(ctx)
	if err != nil {
		return err
	}
	ended := make(chan Resealed)
	var work errgroup.Group
	work.SetLimit(resealing)
	go func() {
		for _, name := range q.Tenants {
			work.Go(func() error {
				ended <- q.one(ctx, l, nc, v, to, name)
				return nil
			})
		}
		_ = work.Wait() // none fails
		close(ended)
	}()
	done := 0
	for r := range ended {
		done++
		progress("sealing", done, len(q.Tenants))
		tell(r)
	}
	return context.Cause(ctx)
}

// one seals one tenant's.
func (q *Reseal) one(ctx context.Context, l *ledger.Ledger, nc *nats.Conn, v *vault.Vault, to seal.Recipients, name string) (r Resealed) {
	r.Tenant = name
	for range resealTries {
		held, err := v.Show(ctx, name)
		if err != nil {
			r.Problem = err.Error()
			return r
		}
		if !q.Always && !held.Stale(to) {
			return r
		}
		a, err := askToReseal(ctx, nc, l.ShardOf(name), inquiry.Question{Verb: inquiry.Reseal, Tenant: name, By: q.By.Name(), Reason: q.Reason})
		if err != nil {
			r.Problem = err.Error()
			return r
		}
		sealed := a.Resealed
		held, err = v.Replace(ctx, q.By, name, sealed.From, sealed.Blob, sealed.Recipients, q.Reason)
		if errors.Is(err, vault.ErrChanged) {
			continue // to what may be sealed to the recipients of now already
		}
		if held.Revision != 0 {
			r.Worker, r.Revision = a.Worker, held.Revision
		}
		switch {
		case err != nil:
			r.Problem = err.Error()
		case held.Stale(to):
			r.Problem = "the recipients changed meanwhile; run it again"
		}
		return r
	}
	r.Problem = vault.ErrChanged.Error()
	return r
}

// askToReseal asks the owner of a shard, or the next one if it has none just now.
func askToReseal(ctx context.Context, nc *nats.Conn, shard int, q inquiry.Question) (inquiry.Answer, error) {
	for began := time.Now(); ; {
		a, err := inquiry.Ask(ctx, nc, shard, q)
		if err == nil && a.Resealed == nil {
			return a, fmt.Errorf("worker %s answered without credentials", a.Worker)
		}
		if !inquiry.Passing(err) || time.Since(began) > handOver || !rest(ctx, askAgain) {
			return a, err
		}
	}
}
