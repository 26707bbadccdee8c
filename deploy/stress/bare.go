package stress

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	sdk "github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"
	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"

	"github.com/orderfleet/orderfleet/deploy/parts"
)

// RoleBare is the part that [Bare] plays.
const RoleBare = "bare"

// bareGoroutines is how many clients the bare loop has.
const bareGoroutines = 256

// bareResult is what the bare loop says when it is done.
type bareResult struct {
	Orders  int
	Elapsed time.Duration
}

// Bare is the yardstick, a [parts.Role]: the official SDK in a loop, with a client and a transport for
// each goroutine, and nothing else.
func Bare(ctx context.Context, args []string) error {
	var (
		brokerURL string
		orders    int
	)
	flags := flag.NewFlagSet(RoleBare, flag.ContinueOnError)
	flags.StringVar(&brokerURL, "broker", "", "")
	flags.IntVar(&orders, "orders", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := parts.Say(struct{}{}); err != nil {
		return err
	}
	qty, price := decimal.RequireFromString(orderQty), decimal.RequireFromString(orderPrice)
	var next atomic.Int64
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for g := range bareGoroutines {
		group.Go(func() error {
			client := sdk.NewClient(sdk.ClientOpts{
				APIKey: fmt.Sprintf("bare%d", g), APISecret: "stress", BaseURL: brokerURL,
				HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}},
			})
			for n := next.Add(1); n <= int64(orders) && ctx.Err() == nil; n = next.Add(1) {
				if _, err := client.PlaceOrder(sdk.PlaceOrderRequest{
					Symbol: orderSymbol, Qty: &qty, Side: sdk.Buy, Type: sdk.Limit, TimeInForce: sdk.Day,
					LimitPrice: &price, ClientOrderID: fmt.Sprintf("bare.%d", n),
				}); err != nil {
					return fmt.Errorf("stress: bare loop: %w", err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := parts.Say(bareResult{orders, time.Since(began)}); err != nil {
		return err
	}
	parts.AwaitParent(ctx)
	return nil
}
