package chaos

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/worker/plant"
)

// Catch is what became of a planted bug. Its names in JSON are part of the contract.
type Catch struct {
	Bug    plant.Bug          `json:"bug"` // empty for the worker without one
	Runs   int                `json:"runs"`
	Broken map[proof.Rule]int `json:"broken,omitempty"` // the rules that the judge found broken
	// Finding is the first of the judge's words.
	Finding string `json:"finding,omitempty"`
}

// Caught says whether the judge saw the bug; of the worker without one, that it saw nothing.
func (c *Catch) Caught() bool { return (len(c.Broken) > 0) == (c.Bug != "") }

// plantedRuns is how many schedules a bug may hide in: some show only when a fault strikes
// at the right moment.
const plantedRuns = 4

// PlantedOptions are those of short runs that are hard on a worker.
func PlantedOptions() Options {
	return Options{
		Duration: 15 * time.Second, Tenants: 80, Rate: 160, Shards: 4, Patience: 6 * time.Second,
		Always: []Misbehaviour{
			{Kind: "unseen", Operation: "place", Probability: 0.02, Delay: "400ms"},
			{Kind: "reset", When: "after", Operation: "place", Probability: 0.02},
		},
	}
}

// Planted runs workers with each of the bugs, one at a time, and first without any, until
// the judge has seen each. The worker command has to be built with the tag planted.
func Planted(ctx context.Context, o Options, bugs []plant.Bug, tell func(Catch)) ([]Catch, error) {
	var all []Catch
	for _, bug := range append([]plant.Bug{""}, bugs...) {
		c := Catch{Bug: bug}
		for c.Runs < plantedRuns && len(c.Broken) == 0 {
			o.Planted = string(bug)
			r, err := Run(ctx, o)
			if err != nil {
				return all, fmt.Errorf("with the bug %q: %w", bug, err)
			}
			c.Runs++
			o.Seed++
			if r.Logs != "" && bug != "" && o.Dir == "" {
				if err := os.RemoveAll(r.Logs); err != nil { // it was to be flawed
					return all, fmt.Errorf("chaos: %w", err)
				}
			}
			if c.Broken = r.Violations; len(r.Findings) > 0 {
				c.Finding = r.Findings[0]
			}
			if bug == "" {
				break
			}
		}
		all = append(all, c)
		tell(c)
	}
	return all, nil
}

// Print writes one line.
func (c *Catch) Print(w io.Writer) {
	name, verdict := string(c.Bug), "caught"
	switch {
	case c.Bug == "" && c.Caught():
		name, verdict = "none", "nothing found"
	case c.Bug == "":
		name, verdict = "none", "FOUND"
	case !c.Caught():
		verdict = "NOT CAUGHT"
	}
	var broken []string
	for _, rule := range slices.Sorted(maps.Keys(c.Broken)) {
		broken = append(broken, fmt.Sprintf("%s %d", rule, c.Broken[rule]))
	}
	fmt.Fprintf(w, "%-13s %-14s in %d runs  %s\n", name, verdict, c.Runs, strings.Join(broken, ", "))
}
