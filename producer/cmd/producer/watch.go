package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/spf13/cobra"
)

func newWatch(c *common) *cobra.Command {
	var (
		since string
		seq   uint64
	)
	cmd := &cobra.Command{
		Use:   "watch TENANT",
		Short: "Show a tenant's outcomes, from now or from earlier, until Ctrl-C",
		Example: `  producer watch acme
  producer watch acme --since 2h
  producer watch acme --since 2026-01-02T15:04:05Z -o json
  producer watch acme --from-seq 1`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			from, err := parseFrom(since, seq, cmd.Flags().Changed("from-seq"))
			if err != nil {
				return cli.Usage(err)
			}
			p, nc, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			out := printer{cmd.OutOrStdout(), c.output == cli.JSON}
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
	cmd.Flags().StringVar(&since, "since", "", "begin so long ago (2h) or at a time (RFC 3339)")
	cmd.Flags().Uint64Var(&seq, "from-seq", 0, "begin at this sequence number of the tenant's shard")
	return cmd
}

// parseFrom says where to begin.
func parseFrom(since string, seq uint64, bySeq bool) (producer.From, error) {
	switch {
	case since != "" && bySeq:
		return producer.From{}, errors.New("--since and --from-seq exclude each other")
	case bySeq:
		return producer.FromSeq(seq), nil
	case since == "":
		return producer.Now(), nil
	}
	if d, err := time.ParseDuration(since); err == nil && d > 0 {
		return producer.SinceTime(time.Now().Add(-d)), nil
	}
	at, err := time.Parse(time.RFC3339, since)
	if err != nil {
		return producer.From{}, fmt.Errorf("--since: %q is neither a positive duration, as 2h, nor an RFC 3339 time", since)
	}
	return producer.SinceTime(at), nil
}
