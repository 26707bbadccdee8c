package price

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// Quote is what a symbol was worth at a moment, in dollars for one share, coin or, of an
// option, for one of the shares that it is on.
type Quote struct {
	Price decimal.Decimal `json:"price"`
	At    time.Time       `json:"at"`
}

// Validate says what is wrong with a quote.
func (q *Quote) Validate() error {
	switch err := order.ValidDecimal(q.Price); {
	case err != nil:
		return fmt.Errorf("price: %w", err)
	case !q.Price.IsPositive():
		return fmt.Errorf("price: %s is not above 0", q.Price)
	case q.At.IsZero():
		return errors.New("price: there is no moment at which it was true")
	case q.At.Year() < 1 || q.At.Year() > 9999:
		return errors.New("price: the moment's year has not four digits")
	}
	return nil
}

// Encode writes a quote.
func Encode(q Quote) ([]byte, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(q, order.Decimals())
}

// Decode reads a quote and checks it. Members that it does not know are passed over.
func Decode(data []byte) (q Quote, err error) {
	if err := json.Unmarshal(data, &q, order.Decimals()); err != nil {
		return Quote{}, fmt.Errorf("price: %w", err)
	}
	return q, q.Validate()
}
