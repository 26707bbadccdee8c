package audit

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/deploy/proof"
)

// Paper is the ledger of a paper broker, at its admin address, as http://127.0.0.1:8081. The key
// ids of its accounts must be the names of their tenants. It is used by one audit at a time.
func Paper(admin string) Broker {
	return &paperLedger{admin: admin, orders: make(map[string][]proof.Booking)}
}

type paperLedger struct {
	admin  string
	orders map[string][]proof.Booking // by account
	read   int
}

func (p *paperLedger) Name() string { return "the paper broker at " + p.admin }

// Tenants reads what was booked since it last read.
func (p *paperLedger) Tenants(ctx context.Context) ([]string, error) {
	more, err := proof.ReadBookings(ctx, p.admin, p.read)
	if err != nil {
		return nil, err
	}
	p.read += len(more)
	for _, b := range more {
		p.orders[b.Account] = append(p.orders[b.Account], b)
	}
	return slices.Collect(maps.Keys(p.orders)), nil
}

func (p *paperLedger) Orders(_ context.Context, tenant string, after time.Time, yield func(proof.Booking) error) error {
	for _, b := range p.orders[tenant] {
		if b.Received.Before(after) {
			continue
		}
		if err := yield(b); err != nil {
			return err
		}
	}
	return nil
}
