package main

import (
	"errors"
	"time"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/spf13/cobra"
)

func newWatch(c *common) *cobra.Command {
	var (
		since   cli.Moment
		seq     uint64
		updates bool
	)
	cmd := &cobra.Command{
		Use:   "watch TENANT",
		Short: "Show a tenant's outcomes, from now or from earlier, until Ctrl-C",
		Long: `Shows a tenant's outcomes as they come, from now or from earlier, until Ctrl-C. With
--updates also what becomes of its orders at the broker: fills, cancels, replaces, expiries.
An update may come before the outcome of its intent.`,
		Example: `  producer watch acme
  producer watch acme --since 2h
  producer watch acme --since 2026-01-02T15:04:05Z -o json
  producer watch acme --from-seq 1
  producer watch acme --updates --since 1h`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			from, err := start(since.Time, seq, cmd.Flags().Changed("from-seq"))
			if err != nil {
				return cli.Usage(err)
			}
			p, nc, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			out := printer{cmd.OutOrStdout(), c.output == cli.JSON}
			if updates {
				for n, err := range p.WatchAll(cmd.Context(), names[0], from) {
					if err != nil {
						return err
					}
					if err := out.news(n); err != nil {
						return err
					}
				}
				return nil
			}
			for o, err := range p.Watch(cmd.Context(), names[0], from) {
				if err != nil {
					return err
				}
				if err := out.outcome(o.Outcome, o.At); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().Var(&since, "since", "begin so long ago (2h) or at a time (RFC 3339)")
	cmd.Flags().BoolVar(&updates, "updates", false, "show also what becomes of the orders")
	cmd.Flags().Uint64Var(&seq, "from-seq", 0, "begin at this sequence number of the tenant's shard")
	return cmd
}

// start is where to begin.
func start(since time.Time, seq uint64, bySeq bool) (producer.From, error) {
	switch {
	case !since.IsZero() && bySeq:
		return producer.From{}, errors.New("--since and --from-seq exclude each other")
	case bySeq:
		return producer.FromSeq(seq), nil
	case since.IsZero():
		return producer.Now(), nil
	}
	return producer.SinceTime(since), nil
}
