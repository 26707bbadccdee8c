package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
	"github.com/spf13/pflag"
)

// intentFlags describe an intent on the command line.
type intentFlags struct {
	id, cancel, replace, closing string
	cancelAll, extended          bool
	expiresIn                    time.Duration
	expiresAt                    string
	labels                       map[string]string

	symbol, side, kind, tif, class, intent               string
	qty, notional, limit, stop, trailPrice, trailPercent string
	trail, takeProfit, stopLoss, stopLossLimit           string
}

func (f *intentFlags) define(flags *pflag.FlagSet) {
	flags.StringVar(&f.id, "id", "", "intent id, unique within the tenant; made up if left out")
	flags.StringVar(&f.cancel, "cancel", "", "cancel the order of this intent")
	flags.StringVar(&f.replace, "replace", "", "change the order of this intent: --qty, --tif, --limit-price, --stop-price, --trail")
	flags.StringVar(&f.closing, "close", "", "close the position in this symbol, or --qty of it")
	flags.BoolVar(&f.cancelAll, "cancel-all", false, "cancel every open order of the account")
	flags.DurationVar(&f.expiresIn, "expires-in", time.Minute, "how long it may wait to be submitted")
	flags.StringVar(&f.expiresAt, "expires-at", "", "until when it may wait to be submitted (RFC 3339)")
	flags.StringToStringVar(&f.labels, "label", nil, "a label of yours, as strategy=momentum")
	flags.StringVar(&f.symbol, "symbol", "", "what to trade: AAPL, BTC/USD, AAPL271217C00250000")
	flags.StringVar(&f.side, "side", "", "buy or sell")
	flags.StringVar(&f.kind, "type", "", "market, limit, stop, stop_limit or trailing_stop")
	flags.StringVar(&f.tif, "tif", "", "time in force: day, gtc, opg, cls, ioc or fok")
	flags.StringVar(&f.class, "class", "", "order class: simple, bracket, oco or oto (mleg: as JSON)")
	flags.StringVar(&f.intent, "position-intent", "", "buy_to_open, buy_to_close, sell_to_open or sell_to_close")
	flags.BoolVar(&f.extended, "extended-hours", false, "trade outside regular hours as well")
	for _, d := range f.decimals(nil) {
		flags.StringVar(d.text, d.flag, "", d.usage)
	}
}

// number is a decimal flag and where its value goes.
type number struct {
	flag, usage string
	text        *string
	into        **decimal.Decimal
}

// decimals are the flags that hold numbers; o may be nil to define them.
func (f *intentFlags) decimals(o *order.Order) []number {
	profit, loss := &order.TakeProfit{}, &order.StopLoss{}
	if o == nil {
		o = &order.Order{}
	}
	if f.takeProfit != "" {
		o.TakeProfit = profit
	}
	if f.stopLoss != "" || f.stopLossLimit != "" {
		o.StopLoss = loss
	}
	return []number{
		{"qty", "quantity, or contracts", &f.qty, &o.Qty},
		{"notional", "dollars, instead of a quantity", &f.notional, &o.Notional},
		{"limit-price", "limit price", &f.limit, &o.LimitPrice},
		{"stop-price", "stop price", &f.stop, &o.StopPrice},
		{"trail-price", "distance of a trailing stop, in dollars", &f.trailPrice, &o.TrailPrice},
		{"trail-percent", "distance of a trailing stop, in percent", &f.trailPercent, &o.TrailPercent},
		{"trail", "with --replace: the new distance", &f.trail, &o.Trail},
		{"take-profit", "limit price of the take-profit leg", &f.takeProfit, &profit.LimitPrice},
		{"stop-loss", "stop price of the stop-loss leg", &f.stopLoss, &loss.StopPrice},
		{"stop-loss-limit", "limit price of the stop-loss leg", &f.stopLossLimit, &loss.LimitPrice},
	}
}

// intents yields the intent of the flags or, if they describe none, those on in.
func (f *intentFlags) intents(flags *pflag.FlagSet, in io.Reader) (func() (order.Intent, error), error) {
	described := false
	flags.Visit(func(flag *pflag.Flag) {
		switch flag.Name {
		case "id", "cancel", "replace", "close", "cancel-all", "expires-in", "expires-at", "label", "symbol", "side", "type", "tif", "class", "position-intent", "extended-hours":
			described = true
		}
		for _, d := range f.decimals(nil) {
			described = described || flag.Name == d.flag
		}
	})
	if !described {
		return decodeIntents(in), nil
	}
	one, err := f.intentOf()
	if err != nil {
		return nil, err
	}
	given := false
	return func() (order.Intent, error) {
		if given {
			return order.Intent{}, io.EOF
		}
		given = true
		return one, nil
	}, nil
}

// intentOf is the intent that the flags describe. Whether it makes sense is for its own
// rules to say.
func (f *intentFlags) intentOf() (order.Intent, error) {
	in := order.Intent{ID: f.id, Kind: order.KindOrder, Labels: f.labels, ExpiresAt: time.Now().Add(f.expiresIn)}
	if f.expiresAt != "" {
		at, err := time.Parse(time.RFC3339, f.expiresAt)
		if err != nil {
			return in, fmt.Errorf("--expires-at: %q is no RFC 3339 time, as 2030-01-02T15:04:05Z", f.expiresAt)
		}
		in.ExpiresAt = at
	}
	if in.ID == "" {
		in.ID = order.NewID()
	}
	o := &order.Order{
		Symbol: f.symbol, Side: order.Side(f.side), Type: order.Type(f.kind), TimeInForce: order.TimeInForce(f.tif),
		OrderClass: order.Class(f.class), PositionIntent: order.PositionIntent(f.intent), ExtendedHours: f.extended,
	}
	for _, d := range f.decimals(o) {
		if *d.text == "" {
			continue
		}
		value, err := decimal.NewFromString(*d.text)
		if err != nil {
			return in, fmt.Errorf("--%s: %q is no number", d.flag, *d.text)
		}
		*d.into = &value
	}
	kinds := 0
	for _, k := range []struct {
		given  bool
		kind   order.Kind
		target string
	}{
		{f.cancel != "", order.KindCancel, f.cancel},
		{f.replace != "", order.KindReplace, f.replace},
		{f.closing != "", order.KindClosePosition, ""},
		{f.cancelAll, order.KindCancelAll, ""},
	} {
		if k.given {
			kinds++
			in.Kind, in.Target = k.kind, k.target
		}
	}
	if kinds > 1 {
		return in, errors.New("--cancel, --replace, --close and --cancel-all exclude each other")
	}
	if f.closing != "" {
		o.Symbol = f.closing
	}
	if in.Order = o; in.Kind == order.KindCancel || in.Kind == order.KindCancelAll {
		in.Order = nil
	}
	if err := in.Validate(); err != nil {
		return in, fmt.Errorf("%w", err)
	}
	return in, nil
}

// decodeIntents reads intents of JSON, one a line.
func decodeIntents(r io.Reader) func() (order.Intent, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 2*order.MaxMessage)
	number := 0
	return func() (order.Intent, error) {
		for lines.Scan() {
			number++
			if text := bytes.TrimSpace(lines.Bytes()); len(text) > 0 {
				in, err := order.DecodeIntent(text)
				if err != nil {
					return in, fmt.Errorf("standard input, line %d: %w", number, err)
				}
				return in, nil
			}
		}
		if err := lines.Err(); err != nil {
			return order.Intent{}, fmt.Errorf("standard input, line %d: %w", number+1, err)
		}
		return order.Intent{}, io.EOF
	}
}
