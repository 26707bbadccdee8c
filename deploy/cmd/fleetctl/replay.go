package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"
)

// The targets that are no files.
const (
	toReport = "report"
	toShadow = "shadow"
	toLive   = "live"
	toFile   = "a file" // stands for all that are
)

// replaying is the command's flags.
type replaying struct {
	*common
	stretchFlags
	labels map[string]string
	to     string
	pace   replay.Pace

	// For a shadow.
	limits, prices map[string]string
	faults         []string
	cash           string
	seed           uint64

	// For live.
	driving
}

func newReplay(c *common) *cobra.Command {
	r := &replaying{common: c}
	cmd := &cobra.Command{
		Use:   "replay [TENANT...]",
		Short: "Go through a stretch of the ledger again: as a report, in a shadow, to a file, or live",
		Long: `Takes what was asked in a stretch of the ledger, in its order, to one of these:

  --to report   what was asked and what became of it, at once or at a pace (the default)
  --to shadow   runs the intents through a worker and paper brokers started for it, and prints
                what ends otherwise than it did then, and why
  --to FILE     JSON lines that "producer import" takes; - is standard output
  --to live     drives failed and expired intents again, as new intents that are linked to the
                old ones; without --yes it shows what it would publish

Only --to live publishes anything, and only with --yes. A shadow speaks to no broker but
its own, in this process.

A paced replay goes by the ledger's times: "--pace original" by JetStream's own replay policy
where a running ledger is read, "--pace 10x" ten times as fast. In a shadow at once (the
default), time means nothing: an intent that had not expired when it was published gets two
minutes from its turn on, and the same stretch gives the same report, byte by byte. At a
pace, lifetimes count as they did; a limit needs the original one.

A fault is JSON as the paper broker's admin address takes it (paper --help). It strikes by
the seed and by what is asked, not by when.

The exit code is 1 if a shadow differs, or if an intent that was driven again is not settled.`,
		Example: `  fleetctl replay acme --since 2h
  fleetctl replay --since 2026-11-24T14:00:00Z --until 2026-11-24T14:05:00Z --pace original
  fleetctl replay --from ledger-2026-11-24 --to shadow
  fleetctl replay --since 24h --label strategy=pairs --to shadow --pace original --limit requests_per_minute=100
  fleetctl replay acme --to shadow --fault '{"operation":"place","kind":"error","when":"after","probability":0.2}'
  fleetctl replay acme --from-seq 1200 --to-seq 1300 --to acme.jsonl
  fleetctl replay --since 2h --to live --reason "the broker is back" --yes`,
		Args: cli.Args(cobra.ArbitraryArgs),
		RunE: r.run,
	}
	r.stretchFlags.add(cmd)
	flags := cmd.Flags()
	flags.StringToStringVar(&r.labels, "label", nil, "only intents with this label: key=value")
	flags.StringVar(&r.to, "to", toReport, "report, shadow, live, or a file")
	flags.Var(&r.pace, "pace", "now, original, or a factor such as 10x")
	flags.StringToStringVar(&r.limits, "limit", nil, "shadow: a tenant's limit, requests_per_minute=N; by default there is none")
	flags.StringArrayVar(&r.faults, "fault", nil, "shadow: something that goes wrong at the broker, as JSON; again for more")
	flags.Uint64Var(&r.seed, "seed", 1, "shadow: seed of the faults")
	flags.StringVar(&r.cash, "cash", paper.DefaultCash.String(), "shadow: dollars that an account begins with")
	flags.StringToStringVar(&r.prices, "price", nil, "shadow: a price that stays, SYMBOL=PRICE; by default that of the fills on the ledger")
	r.driving.add(cmd)
	return cmd
}

// targets are those that are no files.
var targets = []string{toReport, toShadow, toLive}

// belongs says which targets a flag is of use to.
var belongs = map[string][]string{
	"pace":  {toReport, toShadow},
	"limit": {toShadow}, "fault": {toShadow}, "seed": {toShadow}, "cash": {toShadow}, "price": {toShadow},
	"reason": {toLive}, "yes": {toLive}, "lifetime": {toLive}, "rate": {toLive},
}

// target is where the replay goes; a file is one for all.
func (r *replaying) target() string {
	if slices.Contains(targets, r.to) {
		return r.to
	}
	return toFile
}

// check says which flags make no sense.
func (r *replaying) check(cmd *cobra.Command) error {
	if r.to == "" {
		return cli.Usagef("--to: say where to: report, shadow, live, or a file")
	}
	for flag, targets := range belongs {
		if cmd.Flags().Changed(flag) && !slices.Contains(targets, r.target()) {
			return cli.Usagef("--%s is of no use with --to %s, but with %s", flag, r.to, strings.Join(targets, " and "))
		}
	}
	switch r.target() {
	case toLive:
		return r.possible(r.from)
	case toFile:
		return r.checkFile()
	}
	return nil
}

// checkFile says that a file is none: a target that is misspelt, or one that is there.
func (r *replaying) checkFile() error {
	for _, target := range targets {
		if strings.EqualFold(r.to, target) {
			return cli.Usagef("--to: %q is %s in small letters, or ./%s for a file of that name", r.to, target, r.to)
		}
	}
	if info, err := os.Stat(r.to); err == nil && info.Mode().IsRegular() {
		return fmt.Errorf("--to: %s is there already: name another file, or remove it", r.to)
	}
	return nil
}

func (r *replaying) run(cmd *cobra.Command, args []string) error {
	if err := r.check(cmd); err != nil {
		return err
	}
	s, err := r.stretch(args)
	if err != nil {
		return err
	}
	conditions, err := r.conditions()
	if err != nil {
		return err
	}
	src, done, err := r.source(cmd.Context(), r.common)
	if err != nil {
		return err
	}
	defer done()
	selection := replay.Selection{Stretch: s, Labels: r.labels}
	all, err := replay.Read(cmd.Context(), src, selection, cli.Progress(os.Stderr))
	if err != nil {
		return err
	}
	for _, tenant := range replay.Missing(selection, all) {
		fmt.Fprintf(cmd.ErrOrStderr(), "nothing was asked by tenant %s in this stretch\n", tenant)
	}
	switch r.target() {
	case toShadow:
		return r.shadow(cmd, src, all, conditions)
	case toLive:
		return r.drive(cmd, all)
	case toFile:
		return r.file(cmd, all)
	}
	return r.report(cmd, src, all)
}

// totals is the last line of JSON.
type totals struct {
	Totals any `json:"totals"`
}

func (r *replaying) report(cmd *cobra.Command, src history.Source, all []*replay.Asked) error {
	out, progress := cmd.OutOrStdout(), cli.Progress(os.Stderr)
	enc := json.NewEncoder(out)
	add := func(row replay.Row) error { return enc.Encode(row) }
	if r.output != cli.JSON {
		add = replay.NewTable(out, all).Add
	}
	shown := 0
	waiting := func(next *replay.Asked, in time.Duration) {
		if in > time.Second {
			progress(fmt.Sprintf("next is %s %s in %s", next.Tenant, next.ID, in.Round(time.Second)), shown, len(all))
		}
	}
	err := replay.Play(cmd.Context(), src, all, r.pace, waiting, func(a *replay.Asked) error {
		progress("", len(all), len(all)) // its line gives way
		shown++
		return add(a.Row())
	})
	if err != nil {
		return err
	}
	if r.output == cli.JSON {
		return enc.Encode(totals{replay.Sum(all)})
	}
	_, err = fmt.Fprintln(out, replay.Sum(all))
	return err
}

// errDiffers says that a shadow ended otherwise; it was printed how.
var errDiffers = errors.New("the shadow differs")

func (r *replaying) shadow(cmd *cobra.Command, src history.Source, all []*replay.Asked, conditions replay.Conditions) error {
	fates, err := replay.Shadow(cmd.Context(), src.Shards(), all, conditions, cli.Progress(os.Stderr))
	if errors.Is(err, replay.ErrConditions) {
		return cli.Usage(err)
	}
	if err != nil {
		return err
	}
	d := replay.Compare(all, fates, conditions)
	if r.output == cli.JSON {
		err = errors.Join(printLines(cmd, d.All), printLines(cmd, []totals{{d}}))
	} else {
		d.Print(cmd.OutOrStdout())
	}
	if err == nil && d.Differ > 0 {
		err = errDiffers
	}
	return err
}

// conditions are those of a shadow.
func (r *replaying) conditions() (replay.Conditions, error) {
	c := replay.Conditions{Pace: r.pace, Seed: r.seed, Prices: make(map[string]decimal.Decimal), Log: zerolog.Nop()}
	for name, value := range r.limits {
		n, err := strconv.Atoi(value)
		if name != "requests_per_minute" || err != nil || n < 1 {
			return c, cli.Usagef("--limit %s=%s: want requests_per_minute=N, above 0", name, value)
		}
		c.PerMinute = n
	}
	for _, text := range r.faults {
		f, err := paper.ParseFault(text)
		if err != nil {
			return c, cli.Usagef("--fault %s: %w", text, err)
		}
		c.Faults = append(c.Faults, f)
	}
	cash, err := decimal.NewFromString(r.cash)
	if err != nil || !cash.IsPositive() {
		return c, cli.Usagef("--cash %q: want dollars above 0, such as 25000", r.cash)
	}
	if !cash.Equal(paper.DefaultCash) {
		c.Cash = cash
	}
	for symbol, text := range r.prices {
		price, err := decimal.NewFromString(text)
		if err != nil || !price.IsPositive() || symbol == "" {
			return c, cli.Usagef("--price %s=%s: want a symbol and a price above 0, such as AAPL=190.12", symbol, text)
		}
		c.Prices[symbol] = price
	}
	return c, nil
}

func (r *replaying) file(cmd *cobra.Command, all []*replay.Asked) error {
	said := cmd.OutOrStdout()
	write := func() (replay.Lines, error) { return replay.ExportFile(r.to, all) }
	if r.to == "-" {
		said = cmd.ErrOrStderr() // standard output has the lines
		write = func() (replay.Lines, error) { return replay.Export(cmd.OutOrStdout(), all) }
	}
	sum, err := write()
	if err != nil {
		return err
	}
	if r.output == cli.JSON {
		return json.NewEncoder(said).Encode(sum)
	}
	_, err = fmt.Fprintln(said, sum)
	return err
}
