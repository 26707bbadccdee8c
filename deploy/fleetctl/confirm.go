package fleetctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/inquiry"
	"golang.org/x/sync/errgroup"
)

// Confirmation is what the owner of a shard said of a change of terms. Its names in JSON are
// part of the contract.
type Confirmation struct {
	Shard int `json:"shard"`
	// Worker attests it, and owns the shard under this epoch; empty if nobody does.
	Worker string `json:"worker,omitzero"`
	Epoch  uint64 `json:"epoch,omitzero"`
	// Confirmed: from now on no request is made that the terms do not allow.
	Confirmed bool `json:"confirmed"`
	// After is how long it took since the change was written.
	After time.Duration `json:"-"`
	// AfterMS is the same in milliseconds.
	AfterMS float64 `json:"after_ms"`
	// Sessions is how many tenants the worker serves of the shard just now.
	Sessions int `json:"sessions"`
	// Missing are tenants whose request is still under way, the first of them.
	Missing []string `json:"missing,omitempty"`
	// Open are tenants of which an earlier request got no answer, and may have reached the broker.
	Open []string `json:"open,omitempty"`
	// Problem says why it is not confirmed.
	Problem string `json:"problem,omitzero"`
}

// confirmAgain is between two questions of a shard that nobody answers for.
const confirmAgain = 50 * time.Millisecond

// Confirm asks the owners of shards, all at once, whether they obey the terms of a revision,
// which was written at since. It asks again until they do, or for as long as patience says,
// and calls progress as more and more do. Shards that change hands meanwhile are confirmed by
// their next owner. What is not confirmed is part of the answer; an error is ctx's.
func Confirm(ctx context.Context, nc *nats.Conn, shards []int, revision uint64, since time.Time, patience time.Duration, progress func(phase string, done, of int)) ([]Confirmation, error) {
	patient, cancel := context.WithDeadline(ctx, since.Add(patience))
	defer cancel()
	all := make([]Confirmation, len(shards))
	done := make(chan struct{}, len(shards))
	var group errgroup.Group
	for i, shard := range shards {
		group.Go(func() error {
			all[i] = confirmOne(patient, nc, shard, revision, since)
			done <- struct{}{}
			return nil
		})
	}
	for n := range shards {
		<-done
		progress("waiting for confirmations", n+1, len(shards))
	}
	_ = group.Wait() // none fails
	return all, context.Cause(ctx)
}

// confirmOne asks for one shard.
func confirmOne(ctx context.Context, nc *nats.Conn, shard int, revision uint64, since time.Time) Confirmation {
	c := Confirmation{Shard: shard, Problem: "nobody answered"}
	for ctx.Err() == nil {
		a, err := inquiry.Ask(ctx, nc, shard, inquiry.Question{Verb: inquiry.Obey, Revision: revision})
		if o := a.Obeyed; err == nil && o != nil {
			c.Worker, c.Epoch, c.Sessions, c.Missing, c.Open = a.Worker, a.Epoch, o.Sessions, o.Missing, o.Open
			if c.Confirmed = o.Confirms(revision); c.Confirmed {
				c.Problem = ""
				break
			}
			c.Problem = "requests are still under way"
			if o.Revision < revision {
				c.Problem = "the worker has not heard of the change"
			}
		} else if err != nil && ctx.Err() == nil {
			c.Problem = err.Error()
			if refused, ok := errors.AsType[*inquiry.RefusedError](err); ok && refused.Code == inquiry.UnknownVerb {
				c.Problem += "; it may go on trading until it is of this release"
			}
		}
		if !rest(ctx, confirmAgain) {
			break
		}
	}
	c.After = time.Since(since)
	c.AfterMS = float64(c.After.Microseconds()) / 1000
	return c
}

// Unconfirmed are the shards whose owner has not confirmed.
func Unconfirmed(all []Confirmation) []Confirmation {
	return slices.DeleteFunc(slices.Clone(all), func(c Confirmation) bool { return c.Confirmed })
}

// PrintConfirmations writes for people who has confirmed, and says loudly who has not.
func PrintConfirmations(w io.Writer, all []Confirmation) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WORKER\tSHARDS\tSESSIONS\tCONFIRMED AFTER")
	slowest := time.Duration(0)
	byWorker := make(map[string][]Confirmation)
	for _, c := range all {
		if c.Confirmed {
			byWorker[c.Worker] = append(byWorker[c.Worker], c)
			slowest = max(slowest, c.After)
		}
	}
	workers := make([]string, 0, len(byWorker))
	for name := range byWorker {
		workers = append(workers, name)
	}
	slices.Sort(workers)
	for _, name := range workers {
		its := byWorker[name]
		sessions := 0
		for _, c := range its {
			sessions += c.Sessions
		}
		last := slices.MaxFunc(its, func(a, b Confirmation) int { return cmp.Compare(a.After, b.After) })
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", name, len(its), sessions, last.After.Round(time.Millisecond/10))
	}
	if len(workers) > 0 {
		table.Flush() //nolint:errcheck // as any print to w
		fmt.Fprintln(w)
	}
	if missing := Unconfirmed(all); len(missing) > 0 {
		printUnconfirmed(w, missing, len(all))
	} else {
		fmt.Fprintf(w, "confirmed by %s for %s within %s\n", cli.Count(len(workers), "worker"), cli.Count(len(all), "shard"), slowest.Round(time.Millisecond/10))
	}
	for _, c := range all {
		if len(c.Open) > 0 {
			fmt.Fprintf(w, "shard %d: an earlier request got no answer, and may have reached the broker: %s\n", c.Shard, strings.Join(c.Open, ", "))
		}
	}
}

// printUnconfirmed says loudly who has not confirmed, and what that means.
func printUnconfirmed(w io.Writer, missing []Confirmation, of int) {
	for _, c := range missing {
		fmt.Fprintf(w, "%s: shard %d%s: %s", cli.Alarm(w, "NOT CONFIRMED"), c.Shard, by(c.Worker), c.Problem)
		if len(c.Missing) > 0 {
			fmt.Fprintf(w, ": %s", strings.Join(c.Missing, ", "))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, cli.Alarm(w, fmt.Sprintf("NOT CONFIRMED for %d of %s: their tenants may still trade as before.", len(missing), cli.Count(of, "shard"))))
	fmt.Fprintln(w, "The switch is set, and whoever serves them next obeys it. fleetctl status shows who does; the same command again asks again.")
}

func by(worker string) string {
	if worker == "" {
		return ""
	}
	return " (" + worker + ")"
}
