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
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	nc, err := nats.Connect(nats.DefaultURL)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	p, err := producer.New(ctx, nc)
	if err != nil {
		log.Fatal(err)
	}
	qty := decimal.RequireFromString("1")
	receipt, err := p.Publish(ctx, "acme", order.Intent{
		Kind:  order.KindOrder,
		Order: &order.Order{Symbol: "AAPL", Qty: &qty, Side: order.Buy, Type: order.Market, TimeInForce: order.Day},
	})
	if err != nil {
		log.Fatal(err)
	}
	outcome, err := p.Await(ctx, receipt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outcome.Status, outcome.BrokerOrderID)
}
