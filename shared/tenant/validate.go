package tenant

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// maxSymbols bounds the lists of a [Limits].
const maxSymbols = 5000

// Validate says what is wrong with limits, by the field's name.
func (l *Limits) Validate() error {
	for _, f := range []struct {
		name  string
		value *decimal.Decimal
	}{
		{"max_qty", l.MaxQty},
		{"max_notional", l.MaxNotional},
		{"notional_per_second", l.NotionalPerSecond},
		{"notional_per_minute", l.NotionalPerMinute},
		{"notional_per_day", l.NotionalPerDay},
		{"credit", l.Credit},
		{"collar_percent", l.CollarPercent},
	} {
		if f.value == nil {
			continue
		}
		if err := order.ValidDecimal(*f.value); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if !f.value.IsPositive() {
			return fmt.Errorf("%s: %s is not above 0; leave it out for no limit", f.name, f.value)
		}
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"orders_per_second", int64(l.OrdersPerSecond)},
		{"orders_per_minute", int64(l.OrdersPerMinute)},
		{"orders_per_day", int64(l.OrdersPerDay)},
		{"open_orders", int64(l.OpenOrders)},
		{"price_max_age", int64(l.PriceMaxAge)},
		{"duplicate_window", int64(l.DuplicateWindow)},
		{"max_backlog", int64(l.MaxBacklog)},
		{"publishes_per_minute", int64(l.PublishesPerMinute)},
	} {
		if f.value < 0 {
			return fmt.Errorf("%s: is negative", f.name)
		}
	}
	for name, list := range map[string][]string{"allowed": l.Allowed, "restricted": l.Restricted} {
		if len(list) > maxSymbols {
			return fmt.Errorf("%s: has more than %d symbols", name, maxSymbols)
		}
		for _, s := range list {
			if err := order.ValidSymbol(s); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for _, t := range l.Types {
		if !slices.Contains(order.Types, t) {
			return fmt.Errorf("types: %.40q is none of %v", t, order.Types)
		}
	}
	for i, h := range l.Hours {
		if err := h.Validate(); err != nil {
			return fmt.Errorf("hours[%d].%w", i, err)
		}
	}
	return nil
}

// Validate says what is wrong with hours.
func (h *Hours) Validate() error {
	_, err := h.parse()
	return err
}

// Open says whether a moment belongs to the hours. Those that are not valid never open.
func (h *Hours) Open(at time.Time) bool { return h.Opening()(at) }

// Opening is [Hours.Open], understood once for many moments.
func (h *Hours) Opening() func(at time.Time) bool {
	w, err := h.parse()
	if err != nil {
		return func(time.Time) bool { return false }
	}
	return func(at time.Time) bool {
		at = at.In(w.zone)
		minute := at.Hour()*60 + at.Minute()
		return w.days[at.Weekday()] && w.from <= minute && minute < w.until
	}
}

// week is hours, understood: days of a week, and minutes of a day.
type week struct {
	zone        *time.Location
	days        [7]bool
	from, until int
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (h *Hours) parse() (w week, err error) {
	if w.zone, err = time.LoadLocation(h.Zone); err != nil || h.Zone == "" || h.Zone == "Local" {
		return w, fmt.Errorf("zone: %.40q is no time zone as America/New_York", h.Zone)
	}
	for part := range strings.SplitSeq(h.Days, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		from, to := dayOf(first), dayOf(last)
		if from < 0 || to < 0 {
			return w, fmt.Errorf("days: %.40q is no day as mon, nor a range as mon-fri", part)
		}
		for d := from; ; d = (d + 1) % 7 {
			w.days[d] = true
			if d == to {
				break
			}
		}
	}
	if w.from, err = minuteOf(h.From); err != nil {
		return w, fmt.Errorf("from: %w", err)
	}
	if w.until, err = minuteOf(h.Until); err != nil {
		return w, fmt.Errorf("until: %w", err)
	}
	if w.until <= w.from {
		return w, errors.New("until: is not behind from; hours over midnight are two entries")
	}
	return w, nil
}

func dayOf(s string) int {
	for i, day := range weekdays {
		if s == day {
			return i
		}
	}
	return -1
}

func minuteOf(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	at, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%.40q is no time as 09:30", s)
	}
	return at.Hour()*60 + at.Minute(), nil
}
