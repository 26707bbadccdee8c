package producer_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

func Example() {
	nc, err := nats.Connect(nats.DefaultURL)
	if err != nil {
		log.Fatal(err)
	}
	if err := buyOne(context.Background(), nc); err != nil {
		log.Fatal(err)
	}
}

// buyOne publishes an order and waits for its outcome.
func buyOne(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	p, err := producer.New(ctx, nc)
	if err != nil {
		return err
	}
	qty := decimal.RequireFromString("1")
	receipt, err := p.Publish(ctx, "acme", order.Intent{
		Kind:  order.KindOrder,
		Order: &order.Order{Symbol: "AAPL", Qty: &qty, Side: order.Buy, Type: order.Market, TimeInForce: order.Day},
	})
	if err != nil {
		return err
	}
	outcome, err := p.Await(ctx, receipt)
	if err != nil {
		return err
	}
	fmt.Println(outcome.Status, outcome.BrokerOrderID)
	return nil
}
