package fleetctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

// Status is the fleet at a moment. Its names in JSON are part of the contract.
type Status struct {
	Members []Member `json:"members"`
	Shards  []Shard  `json:"shards"`
	// Switches are those that lie on everybody, on groups and on tenants, the oldest first. What
	// lies on a tenant because it is disabled is told by its settings.
	Switches []tenant.Switch `json:"switches"`
}

// Member is a worker.
type Member struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	// State is joining, serving, overloaded or draining.
	State    string `json:"state"`
	Shards   int    `json:"shards"`   // that it owns
	Sessions int    `json:"sessions"` // tenants that it serves now
	Waiting  int    `json:"waiting"`  // tenants with work that wait for a session
	// Differing is of how many tenants broker and ledger differ, as far as they were reconciled
	// on schedule.
	Differing int `json:"differing"`
}

// Shard is a part of the ledger.
type Shard struct {
	Shard int `json:"shard"`
	// Owner is a member's id; empty if nobody owns the shard now.
	Owner string `json:"owner"`
	Epoch uint64 `json:"epoch"`
	// Low is the low watermark as its owner last wrote it, End the last message.
	Low uint64 `json:"low"`
	End uint64 `json:"end"`
}

// ReadStatus reads the fleet's bucket, the ends of the shards, and which switches lie.
func ReadStatus(ctx context.Context, l *ledger.Ledger) (*Status, error) {
	snapshot, err := fleet.Look(ctx, l)
	if err != nil {
		return nil, err
	}
	lie, err := registry.NewStore(l).Switches(ctx, time.Now())
	if err != nil && !errors.Is(err, ledger.ErrOlder) { // then there are none
		return nil, err
	}
	s := &Status{Members: []Member{}, Switches: append([]tenant.Switch{}, lie...)}
	owns := make(map[string]int)
	for shard, lease := range snapshot.Leases {
		end, err := l.End(ctx, shard)
		if err != nil {
			return nil, err
		}
		owner := lease.Owner
		if _, live := snapshot.Members[owner]; !live {
			owner = ""
		}
		owns[owner]++
		s.Shards = append(s.Shards, Shard{shard, owner, lease.Epoch, lease.Low, end})
	}
	for id, m := range maps.All(snapshot.Members) {
		s.Members = append(s.Members, Member{id, m.Name, m.Since, state(m), owns[id], m.Load.Sessions, m.Load.Waiting, m.Load.Differing})
	}
	slices.SortFunc(s.Members, func(a, b Member) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return s, nil
}

// state says what a member is up to.
func state(m fleet.Member) string {
	switch {
	case m.Draining:
		return "draining"
	case m.Joining:
		return "joining"
	case m.Load.Waiting > 0:
		return "overloaded"
	}
	return "serving"
}

// Unowned is how many shards nobody serves.
func (s *Status) Unowned() int {
	n := 0
	for _, shard := range s.Shards {
		if shard.Owner == "" {
			n++
		}
	}
	return n
}

// Print writes the status for people.
func (s *Status) Print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WORKER\tMEMBER\tSINCE\tSTATE\tSHARDS\tSESSIONS\tWAITING\tDIFFERING")
	for _, m := range s.Members {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\n", m.Name, m.ID, m.Since.Format(time.RFC3339), m.State, m.Shards, m.Sessions, m.Waiting, m.Differing)
	}
	table.Flush() //nolint:errcheck // as any print to w
	fmt.Fprintln(w)
	fmt.Fprintln(table, "SHARD\tOWNER\tEPOCH\tLOW\tEND")
	for _, shard := range s.Shards {
		fmt.Fprintf(table, "%d\t%s\t%d\t%d\t%d\n", shard.Shard, cmp.Or(shard.Owner, "NOBODY"), shard.Epoch, shard.Low, shard.End)
	}
	table.Flush() //nolint:errcheck // as any print to w
	fmt.Fprintf(w, "\n%s, %s, %d of them without an owner\n", cli.Count(len(s.Members), "worker"), cli.Count(len(s.Shards), "shard"), s.Unowned())
	s.printSwitches(w)
}

// shownSwitches is how many switches are shown to people; all are in JSON.
const shownSwitches = 20

func (s *Status) printSwitches(w io.Writer) {
	if len(s.Switches) == 0 {
		return
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SWITCH\tON\tSINCE\tUNTIL\tBY\tWHY")
	for i, one := range s.Switches {
		if i == shownSwitches {
			break
		}
		until := "resumed"
		if !one.Until.IsZero() {
			until = stamp(one.Until)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", strings.ToUpper(string(one.Mode)), one.Scope, stamp(one.At), until, printable(one.By), printable(one.Reason))
	}
	table.Flush() //nolint:errcheck // as any print to w
	if more := len(s.Switches) - shownSwitches; more > 0 {
		fmt.Fprintf(w, "and %d more: fleetctl status -o json\n", more)
	}
}
