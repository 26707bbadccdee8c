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
	Bug    plant.Bug          `json:"bug"`  // empty for the worker without one
	Seed   uint64             `json:"seed"` // of the last run
	Runs   int                `json:"runs"`
	Wanted []proof.Rule       `json:"wanted,omitempty"` // the rules that the bug breaks, one of them at least
	Broken map[proof.Rule]int `json:"broken,omitempty"` // the rules that the judge found broken in the last run
	// Finding is the first of the judge's words.
	Finding string `json:"finding,omitempty"`
	// Flaws are those of the run without a bug.
	Flaws []string `json:"flaws,omitempty"`
}

// breaks says which rules each bug breaks. At least one of them has to be found broken:
// that something is wrong is not enough.
var breaks = map[plant.Bug][]proof.Rule{
	plant.Fence:       {proof.Fenced, proof.SecondOutcome, proof.Afterlife, proof.ArrivalOrder},
	plant.Lookup:      {proof.SecondOrder},
	plant.Settle:      {proof.SecondOrder},
	plant.Unknown:     {proof.DeniedOrder, proof.NeverRefused},
	plant.Suspects:    {proof.SecondOrder},
	plant.RandomID:    {proof.UnexplainedOrder, proof.StrangeRequest},
	plant.Overtake:    {proof.ArrivalOrder, proof.BookingOrder, proof.OutcomeOrder},
	plant.Skip:        {proof.MissingOutcome},
	plant.EarlyCommit: {proof.Premature, proof.MissingOrder, proof.Afterlife},
	plant.TwiceCommit: {proof.SecondOutcome},
	plant.Accept:      {proof.MissingOrder},
	plant.Expiry:      {proof.Stale},
	plant.Quantity:    {proof.OtherOrder},
	plant.Account:     {proof.OtherAccount},
	plant.Halt:        {proof.Unstopped},
	plant.Switch:      {proof.Unstopped},
	plant.Limits:      {proof.Exceeded},
}

// Caught says whether the judge saw the bug; of the worker without one, that it saw nothing.
func (c *Catch) Caught() bool {
	if c.Bug == "" {
		return len(c.Broken) == 0 && len(c.Flaws) == 0
	}
	return slices.ContainsFunc(c.Wanted, func(r proof.Rule) bool { return c.Broken[r] > 0 })
}

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
// the judge has seen each. The worker command has to be built with the tag planted. Each
// bug has seeds of its own, whichever others are asked for.
func Planted(ctx context.Context, o Options, bugs []plant.Bug, tell func(Catch)) ([]Catch, error) {
	first := o.Seed
	var all []Catch
	for _, bug := range append([]plant.Bug{""}, bugs...) {
		o.Planted, o.Seed = string(bug), first+uint64(plantedRuns*(1+slices.Index(plant.Bugs, bug)))
		c := Catch{Bug: bug, Wanted: breaks[bug]}
		for c.Runs == 0 || bug != "" && c.Runs < plantedRuns && !c.Caught() {
			if err := c.run(ctx, o); err != nil {
				return all, fmt.Errorf("with the bug %q: %w", bug, err)
			}
			o.Seed++
		}
		all = append(all, c)
		tell(c)
	}
	return all, nil
}

// run looks for the bug in one schedule.
func (c *Catch) run(ctx context.Context, o Options) error {
	r, err := Run(ctx, o)
	if err != nil {
		return err
	}
	c.Runs++
	c.Seed, c.Broken = o.Seed, r.Violations
	if len(r.Findings) > 0 {
		c.Finding = r.Findings[0]
	}
	if c.Bug == "" {
		c.Flaws = r.Flaws
		return nil
	}
	if o.Dir == "" && r.Logs != "" { // kept because of what was to be found
		return os.RemoveAll(r.Logs)
	}
	return nil
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
	broken = append(broken, c.Flaws...)
	fmt.Fprintf(w, "%-13s %-14s seed %-4d in %d runs  %s\n", name, verdict, c.Seed, c.Runs, strings.Join(broken, ", "))
}
