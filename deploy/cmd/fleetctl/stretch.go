package main

import (
	"context"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

// stretchFlags are the flags of commands that read a stretch of a ledger, or of an export.
type stretchFlags struct {
	since, until cli.Moment
	first, last  uint64
	from         string
}

// add gives a command the flags.
func (f *stretchFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&f.since, "since", "only what the ledger took so lately (2h), or since a time (RFC 3339)")
	flags.Var(&f.until, "until", "only what it took longer ago, or before a time")
	flags.Uint64Var(&f.first, "from-seq", 0, "only from this sequence number on, in each shard")
	flags.Uint64Var(&f.last, "to-seq", 0, "only up to this sequence number, in each shard")
	flags.StringVar(&f.from, "from", "", "read an export instead of the running ledger")
}

// stretch is what the flags ask for, of the tenants that the arguments name, or of all.
func (f *stretchFlags) stretch(tenants []string) (history.Stretch, error) {
	for _, t := range tenants {
		if err := order.ValidTenant(t); err != nil {
			return history.Stretch{}, cli.Usage(err)
		}
	}
	switch {
	case !f.until.IsZero() && !f.since.Before(f.until.Time):
		return history.Stretch{}, cli.Usagef("--until: there is nothing between %s and %s", &f.since, &f.until)
	case f.last != 0 && f.first > f.last:
		return history.Stretch{}, cli.Usagef("--to-seq: there is nothing from %d to %d", f.first, f.last)
	}
	return history.Stretch{Tenants: tenants, Since: f.since.Time, Until: f.until.Time, From: f.first, To: f.last}, nil
}

// source opens what the flags say is to be read: the running ledger, or an export. The
// caller calls done.
func (f *stretchFlags) source(ctx context.Context, c *common) (src history.Source, done func(), err error) {
	if f.from != "" {
		a, err := history.Open(f.from)
		if err != nil {
			return nil, nil, err
		}
		return a, func() { _ = a.Close() }, nil // it was only read
	}
	l, nc, err := c.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	return history.Live(l), nc.Close, nil
}
