package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

// What was awaited is not what was hoped for.
var (
	errNotAccepted = errors.New("not accepted")
	errNotFilled   = errors.New("not filled")
)

func newPublish(c *common) *cobra.Command {
	f := &intentFlags{}
	var how waiting
	cmd := &cobra.Command{
		Use:   "publish TENANT",
		Short: "Publish an intent, from flags or as JSON on standard input",
		Long: `Publishes one intent that flags describe or, without such flags, every JSON intent on
standard input. Prints where each is on the ledger; with --wait its outcome instead,
and then the exit code is 1 unless every intent was accepted.

With --until the order is followed further, and what becomes of it is printed as it comes:
until it is filled, or over without that (--until filled; the exit code is 1 unless it was
filled), or until nothing can come of the intent any more, the legs of a bracket, OCO or OTO
order included (--until done). An order that is replaced lives on as the one in its place. An
intent without an order of its own, as a cancel, ends with its outcome.`,
		Example: `  producer publish acme --symbol AAPL --qty 1 --side buy --type limit --limit-price 187.50 --tif gtc
  producer publish acme --symbol BTC/USD --notional 50 --side buy --type market --tif gtc --wait
  producer publish acme --replace my-order --limit-price 188
  producer publish acme --symbol AAPL --qty 1 --side buy --type market --tif day --until filled
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
			return publishAll(cmd.Context(), p, names[0], next, printer{cmd.OutOrStdout(), c.output == cli.JSON}, how)
		},
	}
	f.define(cmd.Flags())
	cmd.Flags().BoolVar(&how.outcome, "wait", false, "wait for the outcome")
	cmd.Flags().Var(&how, "until", "wait until the order is filled, or done (see above)")
	return cmd
}

// waiting is what to wait for behind a publish. As a flag it is --until.
type waiting struct {
	outcome bool
	until   producer.Until
}

func (w *waiting) String() string { return string(w.until) }
func (w *waiting) Type() string   { return "filled|done" }
func (w *waiting) Set(s string) (err error) {
	w.until, err = producer.ParseUntil(s)
	return err
}

// publishAll publishes what next yields until it says io.EOF. It goes on behind an intent
// that did not end as hoped for, but not behind one that could not be published.
func publishAll(ctx context.Context, p *producer.Producer, tenant string, next func() (order.Intent, error), out printer, how waiting) error {
	var disappointed error
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
		switch {
		case how.until != "":
			err = follow(ctx, p, r, how.until, out)
		case how.outcome:
			err = await(ctx, p, r, out)
		default:
			err = out.receipt(r)
		}
		switch {
		case errors.Is(err, errNotAccepted), errors.Is(err, errNotFilled):
			disappointed = cmp.Or(disappointed, err)
		case err != nil:
			return err
		}
	}
	return disappointed
}

// await prints the outcome of an intent.
func await(ctx context.Context, p *producer.Producer, r producer.Receipt, out printer) error {
	o, err := p.Await(ctx, r)
	if err != nil {
		return err
	}
	if err := out.outcome(o, o.Committed); err != nil {
		return err
	}
	if o.Status != order.Accepted {
		return errNotAccepted
	}
	return nil
}

// follow prints what becomes of an intent, until its end.
func follow(ctx context.Context, p *producer.Producer, r producer.Receipt, until producer.Until, out printer) error {
	f := p.Follow(r, until)
	for n, err := range f.News(ctx) {
		if err != nil {
			return err
		}
		if err := out.news(n); err != nil {
			return err
		}
	}
	switch {
	case !f.Over():
		return context.Cause(ctx)
	case !f.Accepted():
		return errNotAccepted
	case until == producer.UntilFilled && f.Places() && !f.Filled():
		return errNotFilled
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

func (p printer) news(n producer.News) error {
	if n.Update != nil {
		return p.update(n.Update.Update)
	}
	return p.outcome(n.Outcome.Outcome, n.Outcome.Committed)
}

func (p printer) update(u order.Update) error {
	if p.json {
		data, err := order.EncodeUpdate(u)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.w, "%s\n", data)
		return err
	}
	detail := u.BrokerOrderID
	if u.Fills() {
		detail += fmt.Sprintf(": %s %s %s at %s, %s in all", u.Side, u.Qty, u.Symbol, u.Price, u.FilledQty)
	}
	if u.ReplacedBy != "" {
		detail += ": by " + u.ReplacedBy
	}
	_, err := fmt.Fprintf(p.w, "%s  %-24s  %-14s  %-9s  %s\n", u.At.UTC().Format(time.RFC3339), u.IntentID, "update", u.Event, detail)
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
	for _, more := range []string{o.Rule, strings.TrimPrefix(o.Message, o.Rule+": ")} {
		if more != "" && detail != "" {
			detail += ": "
		}
		detail += more
	}
	_, err := fmt.Fprintf(p.w, "%s  %-24s  %-14s  %-9s  %s\n", at.UTC().Format(time.RFC3339), id, o.Kind, o.Status, detail)
	return err
}
