package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

// errNotAccepted says that an awaited outcome is not the one that was hoped for.
var errNotAccepted = errors.New("not accepted")

func newPublish(c *common) *cobra.Command {
	f := &intentFlags{}
	var wait bool
	cmd := &cobra.Command{
		Use:   "publish TENANT",
		Short: "Publish an intent, from flags or as JSON on standard input",
		Long: `Publishes one intent that flags describe or, without such flags, every JSON intent on
standard input. Prints where each is on the ledger; with --wait its outcome as well,
and then the exit code is 1 unless every intent was accepted.`,
		Example: `  producer publish acme --symbol AAPL --qty 1 --side buy --type limit --limit-price 187.50 --tif gtc
  producer publish acme --symbol BTC/USD --notional 50 --side buy --type market --tif gtc --wait
  producer publish acme --replace my-order --limit-price 188
  producer publish acme --cancel my-order --wait
  producer publish acme --close AAPL --qty 2
  producer publish acme < intents.json`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			next, err := f.intents(cmd.Flags(), cmd.InOrStdin())
			if err != nil {
				return cli.Usage(err)
			}
			p, nc, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			return publishAll(cmd.Context(), p, names[0], next, printer{cmd.OutOrStdout(), c.output == cli.JSON}, wait)
		},
	}
	f.define(cmd.Flags())
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the outcome")
	return cmd
}

// publishAll publishes what next yields until it says io.EOF. It goes on behind an intent
// that was not accepted, but not behind one that could not be published.
func publishAll(ctx context.Context, p *producer.Producer, tenant string, next func() (order.Intent, error), out printer, wait bool) error {
	accepted := true
	for {
		in, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		r, err := p.Publish(ctx, tenant, in)
		if err != nil {
			return err
		}
		if !wait {
			if err := out.receipt(r); err != nil {
				return err
			}
			continue
		}
		o, err := p.Await(ctx, r)
		if err != nil {
			return err
		}
		if err := out.outcome(o, o.Committed); err != nil {
			return err
		}
		accepted = accepted && o.Status == order.Accepted
	}
	if !accepted {
		return errNotAccepted
	}
	return nil
}

// printer writes results, for people or for machines.
type printer struct {
	w    io.Writer
	json bool
}

func (p printer) receipt(r producer.Receipt) error {
	if p.json {
		return json.NewEncoder(p.w).Encode(r)
	}
	already := ""
	if r.Duplicate {
		already = " (it was there already)"
	}
	_, err := fmt.Fprintf(p.w, "%s: shard %d, sequence %d%s\n", r.ID, r.Shard, r.Seq, already)
	return err
}

func (p printer) outcome(o order.Outcome, at time.Time) error {
	if p.json {
		data, err := order.EncodeOutcome(o)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.w, "%s\n", data)
		return err
	}
	id, detail := o.IntentID, o.BrokerOrderID
	if id == "" {
		id = fmt.Sprintf("#%d", o.IntentSeq)
	}
	for _, more := range []string{o.Rule, o.Message} {
		if more != "" && detail != "" {
			detail += ": "
		}
		detail += more
	}
	_, err := fmt.Fprintf(p.w, "%s  %-24s  %-14s  %-9s  %s\n", at.UTC().Format(time.RFC3339), id, o.Kind, o.Status, detail)
	return err
}
