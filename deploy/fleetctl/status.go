package fleetctl

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/worker/fleet"
)

// Status is the fleet at a moment. Its names in JSON are part of the contract.
type Status struct {
	Members []Member `json:"members"`
	Shards  []Shard  `json:"shards"`
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

// ReadStatus reads the fleet's bucket and the ends of the shards.
func ReadStatus(ctx context.Context, l *ledger.Ledger) (*Status, error) {
	snapshot, err := fleet.Look(ctx, l)
	if err != nil {
		return nil, err
	}
	s := &Status{Members: []Member{}}
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
	fmt.Fprintf(w, "\n%d workers, %d shards, %d of them without an owner\n", len(s.Members), len(s.Shards), s.Unowned())
}
