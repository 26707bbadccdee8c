package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/spf13/cobra"
)

func newExport(c *common) *cobra.Command {
	var (
		f  stretchFlags
		to string
	)
	cmd := &cobra.Command{
		Use:   "export [TENANT...] --to PATH",
		Short: "Write a stretch of the ledger to compressed files, with checksums",
		Long: `Writes a stretch of the ledger, byte by byte, as compressed JSON lines (zstd): a file for
each shard, and a manifest that says what is in them, with their checksums. PATH is a
directory to be made, or a file if it ends in .zip. An export that was interrupted has no
manifest and is none. "audit", "replay" and "explain" read exports with --from. An export
shows what the ledger shows: keep it as safe.`,
		Example: `  fleetctl export --to ledger-2026-11-24
  fleetctl export acme --since 24h --to acme.zip
  fleetctl export acme --from ledger-2026-11-24 --to acme.zip`,
		Args: cli.Args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return cli.Usagef("--to: say where to write it: a directory, or a file that ends in .zip")
			}
			s, err := f.stretch(args)
			if err != nil {
				return err
			}
			src, done, err := f.source(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer done()
			m, err := history.Export(cmd.Context(), src, s, to, cli.Progress(os.Stderr))
			if err != nil {
				return err
			}
			if c.output == cli.JSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(m)
			}
			printManifest(cmd.OutOrStdout(), m, to)
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&to, "to", "", "directory to make, or file that ends in .zip (required)")
	return cmd
}

// printManifest writes for people what is in an export.
func printManifest(w io.Writer, m *history.Manifest, to string) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FILE\tMESSAGES\tFROM\tTO\tBEGINS\tENDS\tBYTES")
	for _, f := range m.Files {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%s\t%d\n", f.Name, f.Messages, f.First, f.Last,
			f.Begins.Format(time.RFC3339), f.Ends.Format(time.RFC3339), f.Bytes)
	}
	table.Flush() //nolint:errcheck // as any print to w
	fmt.Fprintf(w, "%d messages of %s are in %s\n", m.Messages, m.Source, to)
}
