// Command paper runs a paper broker that speaks Alpaca's Trading API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"

	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/cli"
)

func main() { cli.Main(newRoot()) }

// options are the flags.
type options struct {
	listen, admin, cash string
	rateLimit           int
	seed                uint64
	noDuplicateCheck    bool
	correspondentLimit  int
	correspondentWindow time.Duration
}

func newRoot() *cobra.Command {
	var o options
	cmd := cli.Command(&cobra.Command{
		Use:   "paper",
		Short: "Run a paper broker that speaks Alpaca's Trading API",
		Long: `Runs a paper broker that speaks Alpaca's Trading API: point any Alpaca client at it.

Any key pair opens an account of its own; the first secret of a key is the right one. As a
user and password under /v1/ it is a correspondent's of the Broker API, who opens an account
by naming it. The market is always open, prices move by themselves, and nothing outlives the
process. The admin address sets faults, prices, clock and settings, and shows the broker's own
ledger. Keep it private: it asks for no credentials.`,
		Example: `  paper
  paper --listen 127.0.0.1:8600 --cash 25000 --seed 7
  paper --rate-limit -1 --no-duplicate-check

  # place an order
  curl -H 'APCA-API-KEY-ID: me' -H 'APCA-API-SECRET-KEY: mine' http://127.0.0.1:8600/v2/orders \
    -d '{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}'

  # the same for an account of a correspondent; then how its limit was used
  curl -u corr:mine http://127.0.0.1:8600/v1/trading/accounts/acct-1/orders \
    -d '{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}'
  curl 'http://127.0.0.1:8601/usage?correspondent=corr'

  # book every third order or so, but answer 503
  curl http://127.0.0.1:8601/faults \
    -d '{"operation":"place","kind":"error","status":503,"when":"after","probability":0.3}'
  curl -X DELETE http://127.0.0.1:8601/faults

  # move a price; close the market; look at what was booked
  curl http://127.0.0.1:8601/prices -d '{"AAPL":"190.12"}'
  curl http://127.0.0.1:8601/clock -d '{"open":false}'
  curl 'http://127.0.0.1:8601/ledger?kind=booked'`,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), cmd.OutOrStdout(), o) },
	})
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8600", "address of the API")
	f.StringVar(&o.admin, "admin", "127.0.0.1:8601", "address of the admin endpoints; empty for none")
	f.StringVar(&o.cash, "cash", paper.DefaultCash.String(), "dollars that an account opens with")
	f.IntVar(&o.rateLimit, "rate-limit", paper.DefaultRateLimit, "requests a minute an account; -1 for no limit")
	f.IntVar(&o.correspondentLimit, "correspondent-limit", paper.DefaultCorrespondentLimit, "requests a window of a correspondent, over all its accounts; -1 for no limit")
	f.DurationVar(&o.correspondentWindow, "correspondent-window", paper.DefaultWindow, "length of that window, in whole seconds")
	f.Uint64Var(&o.seed, "seed", 1, "seed of prices, ids and faults")
	f.BoolVar(&o.noDuplicateCheck, "no-duplicate-check", false, "let client order ids be used again, as no real broker does")
	return cmd
}

// config checks the flags.
func (o *options) config() (paper.Config, error) {
	cash, err := decimal.NewFromString(o.cash)
	if err != nil || !cash.IsPositive() {
		return paper.Config{}, cli.Usagef("--cash %q: want dollars above 0, such as 25000", o.cash)
	}
	if o.rateLimit == 0 || o.rateLimit < paper.Unlimited {
		return paper.Config{}, cli.Usagef("--rate-limit %d: want a number above 0, or -1 for no limit", o.rateLimit)
	}
	if o.correspondentLimit == 0 || o.correspondentLimit < paper.Unlimited {
		return paper.Config{}, cli.Usagef("--correspondent-limit %d: want a number above 0, or -1 for no limit", o.correspondentLimit)
	}
	if o.correspondentWindow <= 0 || o.correspondentWindow%time.Second != 0 {
		return paper.Config{}, cli.Usagef("--correspondent-window %v: want whole seconds, such as 60s", o.correspondentWindow)
	}
	return paper.Config{
		Cash: cash, RateLimit: o.rateLimit, Seed: o.seed, NoDuplicateCheck: o.noDuplicateCheck,
		Correspondent: paper.Limit{Requests: o.correspondentLimit, Window: o.correspondentWindow},
	}, nil
}

func serve(ctx context.Context, out io.Writer, o options) error {
	config, err := o.config()
	if err != nil {
		return err
	}
	api, err := listen(ctx, "--listen", o.listen)
	if err != nil {
		return err
	}
	var admin net.Listener
	if o.admin != "" {
		if admin, err = listen(ctx, "--admin", o.admin); err != nil {
			return errors.Join(err, api.Close())
		}
	}
	if err := announce(out, api, admin); err != nil {
		closeErr := api.Close()
		if admin != nil {
			closeErr = errors.Join(closeErr, admin.Close())
		}
		return errors.Join(err, closeErr)
	}
	return paper.New(config).Run(ctx, api, admin)
}

func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s %s: %w", flag, address, err)
	}
	return l, nil
}

func announce(out io.Writer, api, admin net.Listener) error {
	_, err := fmt.Fprintf(out, "paper broker on http://%s", api.Addr())
	if err == nil && admin != nil {
		_, err = fmt.Fprintf(out, ", admin on http://%s", admin.Addr())
	}
	if err == nil {
		_, err = fmt.Fprintf(out, `
try: curl -H 'APCA-API-KEY-ID: me' -H 'APCA-API-SECRET-KEY: mine' http://%s/v2/orders \
  -d '{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}'
`, api.Addr())
	}
	return err
}
