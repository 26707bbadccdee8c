package paper

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"
)

// maxBody is the most bytes of a request's body that are read.
const maxBody = 64 << 10

// orderRequest is the body of POST /v2/orders. Fields that it does not name are
// ignored, as Alpaca does.
type orderRequest struct {
	Symbol        string       `json:"symbol"`
	Qty           number       `json:"qty"`
	Notional      number       `json:"notional"`
	Side          string       `json:"side"`
	Type          string       `json:"type"`
	TimeInForce   string       `json:"time_in_force"`
	LimitPrice    number       `json:"limit_price"`
	StopPrice     number       `json:"stop_price"`
	TrailPrice    number       `json:"trail_price"`
	TrailPercent  number       `json:"trail_percent"`
	ExtendedHours bool         `json:"extended_hours"`
	ClientOrderID string       `json:"client_order_id"`
	OrderClass    string       `json:"order_class"`
	Intent        string       `json:"position_intent"`
	TakeProfit    *takeProfit  `json:"take_profit"`
	StopLoss      *stopLoss    `json:"stop_loss"`
	Legs          []legRequest `json:"legs"`
}

type takeProfit struct {
	LimitPrice number `json:"limit_price"`
}

type stopLoss struct {
	StopPrice  number `json:"stop_price"`
	LimitPrice number `json:"limit_price"`
}

type legRequest struct {
	Symbol   string `json:"symbol"`
	RatioQty number `json:"ratio_qty"`
	Side     string `json:"side"`
	Intent   string `json:"position_intent"`
}

// patchRequest is the body of PATCH /v2/orders/{id}.
type patchRequest struct {
	Qty           number `json:"qty"`
	TimeInForce   string `json:"time_in_force"`
	LimitPrice    number `json:"limit_price"`
	StopPrice     number `json:"stop_price"`
	Trail         number `json:"trail"`
	ClientOrderID string `json:"client_order_id"`
}

// number is a decimal in a JSON string or a JSON number; null is none.
type number opt

func (n number) opt() opt { return opt(n) }

// errNumber refuses what is not a plain decimal. Exponents are refused: expanded, a
// short text could take all memory.
var errNumber = errors.New("paper: not a decimal number")

// UnmarshalJSONFrom reads a string, a number or null.
func (n *number) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case jsontext.KindNull:
		*n = number{}
		return nil
	case jsontext.KindString, jsontext.KindNumber:
		d, err := parseNumber(tok.String())
		if err != nil {
			return err
		}
		*n = number(some(d))
		return nil
	default:
		return errNumber
	}
}

// maxDigits bounds a number: far more than any price or quantity has.
const maxDigits = 40

func parseNumber(s string) (num, error) {
	if len(s) > maxDigits || strings.ContainsAny(s, "eE") {
		return num{}, errNumber
	}
	d, err := decimal.NewFromString(s)
	if err != nil {
		return num{}, errNumber
	}
	return d, nil
}

// decode reads a body into one of the request types.
func decode(body []byte, into any) *answer {
	err := json.Unmarshal(body, into)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNumber):
		var at *json.SemanticError
		field := "number"
		if errors.As(err, &at) && at.JSONPointer != "" {
			field = strings.TrimPrefix(string(at.JSONPointer), "/")
		}
		return invalid("invalid " + strings.ReplaceAll(field, "/", "."))
	default:
		return refuse(400, codeBody, "request body format is invalid")
	}
}
