package shard

import (
	"context"

	"github.com/orderfleet/orderfleet/shared/inquiry"
)

// reseal has a tenant's credentials sealed again because an operator asks, in a goroutine of
// its own: they are read from the server. It returns at once.
func (s *shard) reseal(c *inquiry.Call) {
	d, reseal := &s.desk, s.cfg.Reseal
	if reseal == nil {
		c.Refuse(inquiry.Failed, "this worker opens no sealed credentials: it has no identity (ORDERFLEET_IDENTITY_FILE)")
		return
	}
	c.Take()
	d.closed.Go(func() { answerReseal(d.ctx, c, reseal) })
}

func answerReseal(ctx context.Context, c *inquiry.Call, reseal func(context.Context, string) (inquiry.Resealed, error)) {
	r, err := reseal(ctx, c.Tenant)
	switch {
	case err == nil:
		c.Answer(inquiry.Answer{Resealed: &r})
	case ctx.Err() != nil:
		c.Refuse(inquiry.Leaving, "the worker gives the shard up")
	default:
		c.Refuse(inquiry.Failed, "%s", err)
	}
}
