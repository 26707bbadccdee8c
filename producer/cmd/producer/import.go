package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/orderfleet/orderfleet/producer/feed"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/spf13/cobra"
)

// errIncomplete says that some lines are not on the ledger; they were reported.
var errIncomplete = errors.New("some lines were not published")

func newImport(c *common) *cobra.Command {
	o := feed.Options{}
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Publish a file of intents: JSON lines or CSV",
		Long: `Publishes every line of a file. A line of JSON is an intent with two members more:
"tenant" and, instead of "expires_at" if you like, "expires_in" ("10m"). The columns of
a CSV file are named in its first line:

  ` + strings.Join(feed.Columns(), ", ") + `

A line that makes no sense is reported with its number and its reason, and the rest goes
on. Importing a file again publishes nothing twice, also after an import that was cut.

The exit code is 1 if any line was not published.`,
		Example: `  producer import orders.jsonl
  producer import orders.csv --expires-in 1h
  generate-orders | producer import - --format jsonl -o json`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			if o.ExpiresIn <= 0 {
				return cli.Usagef("--expires-in: %s is not positive", o.ExpiresIn)
			}
			in, err := openFeed(files[0], cmd.InOrStdin(), &o)
			if err != nil {
				return cli.Usage(err)
			}
			defer in.Close() //nolint:errcheck // it was only read
			p, nc, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			o.Report = func(p feed.LineError) { fmt.Fprintln(cmd.ErrOrStderr(), p) }
			progress := cli.Progress(cmd.ErrOrStderr())
			o.Progress = func(done, of int) { progress("importing "+files[0], done, of) }
			sum, err := feed.Import(cmd.Context(), p, in, o)
			return errors.Join(summarize(cmd.OutOrStdout(), sum, c.output == cli.JSON), err, incomplete(sum))
		},
	}
	cmd.Flags().StringVar((*string)(&o.Format), "format", "", "jsonl or csv; by default from the file's name")
	cmd.Flags().DurationVar(&o.ExpiresIn, "expires-in", feed.DefaultExpiresIn, "how long lines that state no expiry may wait to be submitted")
	return cmd
}

// openFeed opens a feed and settles its format.
func openFeed(name string, stdin io.Reader, o *feed.Options) (io.ReadCloser, error) {
	if o.Format == "" {
		switch strings.ToLower(filepath.Ext(name)) {
		case ".csv":
			o.Format = feed.CSV
		default:
			o.Format = feed.JSONLines
		}
	}
	if o.Format != feed.JSONLines && o.Format != feed.CSV {
		return nil, fmt.Errorf("--format: %q is not jsonl or csv", o.Format)
	}
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(name)
}

func summarize(w io.Writer, sum feed.Summary, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(sum)
	}
	_, err := fmt.Fprintln(w, sum)
	return err
}

func incomplete(sum feed.Summary) error {
	if sum.Clean() {
		return nil
	}
	return errIncomplete
}
