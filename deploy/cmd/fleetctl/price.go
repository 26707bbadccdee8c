package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/price"
	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"
)

func newPrice(c *common) *cobra.Command {
	cmd := cli.Command(&cobra.Command{
		Use:   "price",
		Short: "Set and show the reference prices of the pre-trade checks",
		Long: `Reference prices are what orders are held against: collars, and the worth of orders that name
no price. Workers have each within moments, and believe none that is older than a tenant's limits
say (price_max_age, a minute by default). So a price that is set by hand serves for a minute;
feed them continuously with "price import".`,
		Example: `  fleetctl price set AAPL 191.20
  feed | fleetctl price import
  fleetctl price show AAPL BTC/USD`,
	})
	cmd.AddCommand(newPriceSet(c), newPriceImport(c), newPriceShow(c))
	return cmd
}

func newPriceSet(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "set SYMBOL PRICE",
		Short:   "Set the price of a symbol, as of now",
		Example: "  fleetctl price set AAPL 191.20\n  fleetctl price set BTC/USD 98000",
		Args:    cli.Args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			symbol, q, err := parseQuote(args)
			if err != nil {
				return cli.Usage(err)
			}
			l, nc, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			if err := price.Put(cmd.Context(), l.JetStream(), symbol, q); err != nil {
				return err
			}
			return c.quotes(cmd, map[string]price.Quote{order.Canonical(symbol): q})
		},
	}
}

func newPriceImport(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "import",
		Short: "Set prices from standard input, as they come",
		Long: `Reads a line a price, SYMBOL PRICE [TIME], until the input ends; the time is RFC 3339, or that at
which the line was read. Empty lines, and those that begin with #, are passed over. A line
that makes no sense is told, and the others go on; the exit code is 1 then.`,
		Example: "  feed | fleetctl price import\n  echo AAPL 191.20 2026-11-25T17:00:00Z | fleetctl price import",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, nc, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			feed := price.NewFeed(l.JetStream())
			n, wrong, err := importPrices(cmd.Context(), feed, cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if c.output == cli.JSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
					Prices int `json:"prices"`
					Wrong  int `json:"wrong"`
				}{n, wrong})
			} else {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s set\n", cli.Count(n, "price"))
			}
			if err == nil && wrong > 0 {
				err = fmt.Errorf("of %d lines nothing was set: they make no sense", wrong)
			}
			return err
		},
	}
}

// importPrices writes what comes, line by line, until the input ends or ctx does.
func importPrices(ctx context.Context, feed *price.Feed, in io.Reader, complain io.Writer) (n, wrong int, err error) {
	type line struct {
		no   int
		text string
		err  error // of the reading
	}
	lines := make(chan line)
	go func() { // it ends with the input: a read cannot be called off
		defer close(lines)
		s := bufio.NewScanner(in)
		for no := 1; s.Scan(); no++ {
			select {
			case lines <- line{no: no, text: s.Text()}:
			case <-ctx.Done():
				return
			}
		}
		if s.Err() != nil {
			select {
			case lines <- line{err: s.Err()}:
			case <-ctx.Done():
			}
		}
	}()
	for {
		select {
		case l, more := <-lines:
			switch {
			case !more:
				return n, wrong, feed.Flush(ctx)
			case l.err != nil:
				return n, wrong, l.err
			}
			fields := strings.Fields(l.text)
			if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
				continue
			}
			symbol, q, err := parseQuote(fields)
			if err != nil {
				wrong++
				fmt.Fprintf(complain, "line %d: %v\n", l.no, err)
				continue
			}
			if err := feed.Put(ctx, symbol, q); err != nil {
				return n, wrong, err
			}
			n++
		case <-ctx.Done():
			return n, wrong, context.Cause(ctx)
		}
	}
}

// parseQuote reads SYMBOL PRICE [TIME].
func parseQuote(fields []string) (symbol string, q price.Quote, err error) {
	if len(fields) != 2 && len(fields) != 3 {
		return "", q, fmt.Errorf("%d words, not SYMBOL PRICE [TIME]", len(fields))
	}
	if err := price.ValidSymbol(fields[0]); err != nil {
		return "", q, err
	}
	q.At = time.Now().UTC()
	if len(fields) == 3 {
		if q.At, err = time.Parse(time.RFC3339Nano, fields[2]); err != nil {
			return "", q, fmt.Errorf("%q is no time as 2026-11-25T17:00:00Z", fields[2])
		}
	}
	if len(fields[1]) > 64 {
		return "", q, fmt.Errorf("%.16q… is no price", fields[1])
	}
	if q.Price, err = decimal.NewFromString(fields[1]); err != nil {
		return "", q, fmt.Errorf("%q is no price as 191.20", fields[1])
	}
	return fields[0], q, q.Validate()
}

func newPriceShow(c *common) *cobra.Command {
	return &cobra.Command{
		Use:     "show [SYMBOL...]",
		Short:   "Show prices, of all symbols or of some; exit code 1 if one of them has none",
		Example: "  fleetctl price show\n  fleetctl price show AAPL BTC/USD -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			l, nc, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer nc.Close()
			board, err := price.Read(cmd.Context(), l)
			if err != nil {
				return err
			}
			all := maps.Collect(board.All())
			if len(args) > 0 {
				some := make(map[string]price.Quote, len(args))
				for _, symbol := range args {
					q, ok := board.Quote(symbol)
					if !ok {
						err = fmt.Errorf("there is no price of %s", symbol)
						continue
					}
					some[order.Canonical(symbol)] = q
				}
				all = some
			}
			if shown := c.quotes(cmd, all); shown != nil {
				return shown
			}
			return err
		},
	}
}

// quotes shows prices.
func (c *common) quotes(cmd *cobra.Command, all map[string]price.Quote) error {
	type shown struct {
		Symbol string    `json:"symbol"`
		Price  string    `json:"price"`
		At     time.Time `json:"at"`
	}
	rows := make([]shown, 0, len(all))
	for _, symbol := range slices.Sorted(maps.Keys(all)) {
		rows = append(rows, shown{symbol, all[symbol].Price.String(), all[symbol].At})
	}
	if c.output == cli.JSON {
		return printLines(cmd, rows)
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Symbol, r.Price, r.At.Format(time.RFC3339))
	}
	return table.Flush()
}
