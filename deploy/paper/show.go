package paper

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/shopspring/decimal"
)

// show answers GET /v2/account.
func (a *account) show() *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	var long, short num
	for _, p := range a.positions {
		if v := p.asset.value(p.qty, p.asset.last()); v.IsPositive() {
			long = long.Add(v)
		} else {
			short = short.Add(v)
		}
	}
	equity, power := a.cash.Add(long).Add(short), a.buyingPower()
	margin := long.Add(short.Abs())
	opened := stampOf(a.opened)

	b := appendString(append(make([]byte, 0, 1400), `{"id":`...), a.id)
	b = fieldString(b, "account_number", a.accountNumber)
	b = append(b, `,"status":"ACTIVE","crypto_status":"ACTIVE","currency":"USD"`...)
	for _, f := range []struct {
		name  string
		value num
	}{
		{"cash", a.cash}, {"buying_power", power}, {"regt_buying_power", power}, {"daytrading_buying_power", power},
		{"non_marginable_buying_power", power}, {"options_buying_power", power}, //nolint:misspell // Alpaca\'s word
		{"equity", equity}, {"last_equity", equity}, {"portfolio_value", equity},
		{"long_market_value", long}, {"short_market_value", short}, {"position_market_value", margin},
		{"initial_margin", margin}, {"maintenance_margin", margin}, {"last_maintenance_margin", margin},
		{"sma", equity}, {"multiplier", one}, {"accrued_fees", num{}}, {"pending_transfer_in", num{}},
		{"pending_transfer_out", num{}}, {"pending_reg_taf_fees", num{}}, {"intraday_adjustments", num{}},
	} {
		b = fieldNum(b, f.name, f.value)
	}
	b = fieldTime(b, "created_at", opened)
	b = fieldString(b, "balance_asof", a.opened.UTC().Format(time.DateOnly))
	for _, name := range []string{"account_blocked", "trading_blocked", "transfers_blocked", "pattern_day_trader"} {
		b = fieldBool(b, name, false)
	}
	b = fieldBool(b, "trade_suspended_by_user", a.settings.SuspendTrade)
	b = fieldBool(b, "shorting_enabled", !a.settings.NoShorting)
	b = append(b, `,"daytrade_count":0,"options_approved_level":3,"options_trading_level":`...)
	b = strconv.AppendInt(b, int64(a.settings.MaxOptionsTradingLevel), 10)
	return &answer{status: http.StatusOK, body: append(b, '}')}
}

// configuration is what the user of an account may set.
type configuration struct {
	DisableOvernightTrading bool   `json:"disable_overnight_trading"`
	DTBPCheck               string `json:"dtbp_check"`
	FractionalTrading       bool   `json:"fractional_trading"`
	MaxMarginMultiplier     string `json:"max_margin_multiplier"`
	MaxOptionsTradingLevel  int    `json:"max_options_trading_level"`
	NoShorting              bool   `json:"no_shorting"`
	PDTCheck                string `json:"pdt_check"`
	PTPNoExceptionEntry     bool   `json:"ptp_no_exception_entry"`
	SuspendTrade            bool   `json:"suspend_trade"`
	TradeConfirmEmail       string `json:"trade_confirm_email"`
}

func defaultConfiguration() configuration {
	return configuration{
		DTBPCheck: "entry", FractionalTrading: true, MaxMarginMultiplier: "1", MaxOptionsTradingLevel: 3,
		PDTCheck: "entry", TradeConfirmEmail: "all",
	}
}

// showConfiguration answers GET /v2/account/configurations.
func (a *account) showConfiguration() *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settings.answer()
}

func (c configuration) answer() *answer {
	body, err := json.Marshal(c)
	if err != nil {
		return refuse(http.StatusInternalServerError, 50010000, "internal server error")
	}
	return &answer{status: http.StatusOK, body: body}
}

// configure answers PATCH /v2/account/configurations: what is named is changed.
func (a *account) configure(body []byte) *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := a.settings
	if refusal := decode(body, &next); refusal != nil {
		return refusal
	}
	switch {
	case !isOneOf(next.DTBPCheck, "both", "entry", "exit"):
		return invalid("invalid dtbp_check")
	case !isOneOf(next.PDTCheck, "both", "entry", "exit"):
		return invalid("invalid pdt_check")
	case !isOneOf(next.TradeConfirmEmail, "all", "none"):
		return invalid("invalid trade_confirm_email")
	case !isOneOf(next.MaxMarginMultiplier, "1", "2", "4"):
		return invalid("invalid max_margin_multiplier")
	case next.MaxOptionsTradingLevel < 0 || next.MaxOptionsTradingLevel > 3:
		return invalid("invalid max_options_trading_level")
	}
	a.settings = next
	return next.answer()
}

// mayTrade refuses orders of an account that its user suspended.
func (a *account) mayTrade() *answer {
	if a.settings.SuspendTrade {
		return refuse(http.StatusForbidden, codeForbidden, "new orders are rejected by user request")
	}
	return nil
}

var hundred = decimal.NewFromInt(100)
