package paper_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"
	"github.com/shopspring/decimal"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

// TestOfficialSDK drives the broker with Alpaca's own client.
func TestOfficialSDK(t *testing.T) {
	b := run(t, paper.Config{})
	c := alpaca.NewClient(alpaca.ClientOpts{
		BaseURL: b.api, APIKey: "acme", APISecret: "secret", RetryLimit: -1, HTTPClient: b.http,
	})
	one, ten := decimal.NewFromInt(1), decimal.NewFromInt(10)

	placed, err := c.PlaceOrder(alpaca.PlaceOrderRequest{
		Symbol: "AAPL", Qty: &ten, Side: alpaca.Buy, Type: alpaca.Market, TimeInForce: alpaca.Day, ClientOrderID: "sdk-1",
	})
	if err != nil || placed.ClientOrderID != "sdk-1" || !placed.Qty.Equal(ten) || placed.Notional != nil {
		t.Fatalf("%+v %v", placed, err)
	}
	found, err := c.GetOrderByClientOrderID("sdk-1")
	if err != nil || found.ID != placed.ID || found.Status != "filled" || !found.FilledAvgPrice.Equal(dec("190")) || found.FilledAt == nil {
		t.Errorf("%+v %v", found, err)
	}
	limit, profit, loss := dec("150"), dec("220"), dec("100")
	bracket, err := c.PlaceOrder(alpaca.PlaceOrderRequest{
		Symbol: "AAPL", Qty: &one, Side: alpaca.Buy, Type: alpaca.Limit, TimeInForce: alpaca.GTC, LimitPrice: &limit,
		OrderClass: alpaca.Bracket, TakeProfit: &alpaca.TakeProfit{LimitPrice: &profit}, StopLoss: &alpaca.StopLoss{StopPrice: &loss},
	})
	if err != nil || len(bracket.Legs) != 2 || bracket.Legs[0].Status != "held" {
		t.Fatalf("%+v %v", bracket, err)
	}
	higher := dec("151")
	next, err := c.ReplaceOrder(bracket.ID, alpaca.ReplaceOrderRequest{LimitPrice: &higher})
	if err != nil || next.Replaces == nil || *next.Replaces != bracket.ID || len(next.Legs) != 2 {
		t.Errorf("%+v %v", next, err)
	}
	orders, err := c.GetOrders(alpaca.GetOrdersRequest{Status: "all", Nested: true, Limit: 100})
	if err != nil || len(orders) != 3 {
		t.Errorf("%d orders %v", len(orders), err)
	}
	if err := c.CancelOrder(next.ID); err != nil {
		t.Error(err)
	}
	var refused *alpaca.APIError
	if err := c.CancelOrder(next.ID); !errors.As(err, &refused) || refused.StatusCode != http.StatusUnprocessableEntity || refused.Code != 42210000 {
		t.Errorf("%v", err)
	}

	account, err := c.GetAccount()
	if err != nil || !account.Cash.Equal(dec("98100")) || !account.Equity.Equal(dec("100000")) || account.Status != "ACTIVE" {
		t.Errorf("%+v %v", account, err)
	}
	position, err := c.GetPosition("AAPL")
	if err != nil || !position.Qty.Equal(ten) || position.Side != "long" {
		t.Errorf("%+v %v", position, err)
	}
	activities, err := c.GetAccountActivities(alpaca.GetAccountActivitiesRequest{ActivityTypes: []string{"FILL"}})
	if err != nil || len(activities) != 1 || !activities[0].Price.Equal(dec("190")) {
		t.Errorf("%+v %v", activities, err)
	}
	if closed, err := c.ClosePosition("AAPL", alpaca.ClosePositionRequest{Qty: one}); err != nil || closed.Side != alpaca.Sell {
		t.Errorf("%+v %v", closed, err)
	}
	if closed, err := c.CloseAllPositions(alpaca.CloseAllPositionsRequest{CancelOrders: true}); err != nil || len(closed) != 1 {
		t.Errorf("%+v %v", closed, err)
	}
	asset, err := c.GetAsset("BTC/USD")
	if err != nil || asset.Class != alpaca.Crypto || !asset.Fractionable {
		t.Errorf("%+v %v", asset, err)
	}
	if assets, err := c.GetAssets(alpaca.GetAssetsRequest{AssetClass: "us_equity"}); err != nil || len(assets) < 10 {
		t.Errorf("%d %v", len(assets), err)
	}
	if clock, err := c.GetClock(); err != nil || !clock.IsOpen || !clock.NextClose.After(clock.Timestamp) || !clock.NextOpen.After(clock.Timestamp) {
		t.Errorf("%+v %v", clock, err)
	}
	if days, err := c.GetCalendar(alpaca.GetCalendarRequest{Start: noon, End: noon}); err != nil || len(days) != 1 {
		t.Errorf("%+v %v", days, err)
	}
	if config, err := c.GetAccountConfigurations(); err != nil || config.TradeConfirmEmail == "" {
		t.Errorf("%+v %v", config, err)
	}
}

// TestOfficialSDKStream follows trade updates as Alpaca's own client does.
func TestOfficialSDKStream(t *testing.T) {
	b := run(t, paper.Config{})
	c := alpaca.NewClient(alpaca.ClientOpts{
		BaseURL: b.api, APIKey: "acme", APISecret: "secret", RetryLimit: -1, HTTPClient: b.http,
	})
	one := decimal.NewFromInt(1)
	if _, err := c.PlaceOrder(alpaca.PlaceOrderRequest{Symbol: "AAPL", Qty: &one, Side: alpaca.Buy, Type: alpaca.Market, TimeInForce: alpaca.Day}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var kinds []string
	err := c.StreamTradeUpdates(ctx, func(u alpaca.TradeUpdate) {
		if kinds = append(kinds, u.Event); u.Event == "fill" {
			cancel()
		}
	}, alpaca.StreamTradeUpdatesRequest{Since: time.Now().Add(-time.Hour)})
	if !errors.Is(err, context.Canceled) || len(kinds) != 2 || kinds[0] != "new" {
		t.Errorf("%v %v", kinds, err)
	}
}
