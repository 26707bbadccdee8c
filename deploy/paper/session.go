package paper

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // New York's hours must be known on every machine
)

// newYork is where the market is.
var newYork = func() *time.Location {
	l, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(fmt.Sprintf("paper: embedded time zone data: %v", err))
	}
	return l
}()

// Hours says when the market is open.
type Hours int32

// The hours of a market.
const (
	AlwaysOpen   Hours = iota // day and night
	AlwaysClosed              // for all but crypto
	NewYorkHours              // 09:30 to 16:00 in New York on its trading days
)

// session is the time as the market sees it. Its zero value is always open at the
// time of the clock.
type session struct {
	mode   atomic.Int32 // Hours
	offset atomic.Int64 // of the broker's time from its clock, in nanoseconds
	opened atomic.Bool  // whether the market was open when auctions were last looked for

	mu    sync.Mutex // guards what follows
	until stamp      // close is good up to here
	close stamp      // of the day at hand
	after stamp      // end of its extended hours
	open  stamp      // of the day at hand
	pre   stamp      // begin of its extended hours
}

func (s *session) now(clock time.Time) time.Time {
	return clock.Add(time.Duration(s.offset.Load()))
}

func (s *session) hours() Hours { return Hours(s.mode.Load()) }

// day is one trading day.
type day struct{ pre, open, close, after stamp }

// day returns the trading day that is not over at a time: today's, or the next. It
// is worked out once a day.
func (s *session) day(at time.Time) day {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := stampOf(at)
	if now > s.after || now < s.until {
		t := nextTradingDay(at)
		s.pre, s.open = stampOf(clockOn(t, 4, 0)), stampOf(clockOn(t, 9, 30))
		s.close, s.after = stampOf(clockOn(t, closingHour(t), 0)), stampOf(clockOn(t, 20, 0))
		s.until = now
	}
	return day{s.pre, s.open, s.close, s.after}
}

// isOpen says whether regular trading goes on.
func (s *session) isOpen(at time.Time) bool {
	switch s.hours() {
	case AlwaysOpen:
		return true
	case NewYorkHours:
		d := s.day(at)
		return stampOf(at) >= d.open && stampOf(at) < d.close
	case AlwaysClosed:
	}
	return false
}

// trades says whether an order can trade now: crypto always, orders for the opening
// or the closing auction only in it, the others while the market is open or, with
// extended hours, around that.
func (s *session) trades(o *order, at time.Time) bool {
	switch {
	case o.asset != nil && o.asset.class == crypto:
		return true
	case o.tif == tifOPG || o.tif == tifCLS:
		return false
	case s.isOpen(at):
		return true
	case s.hours() == NewYorkHours && o.extended:
		d := s.day(at)
		return stampOf(at) >= d.pre && stampOf(at) < d.after
	}
	return false
}

// gtcDays is how long an order good till canceled lives.
const gtcDays = 90

// expiry is when an order that is booked now ends by itself.
func (s *session) expiry(o *order, at time.Time) stamp {
	switch {
	case o.tif == tifGTC || o.asset != nil && o.asset.class == crypto:
		return stampOf(at.AddDate(0, 0, gtcDays))
	case o.extended:
		return s.day(at).after
	}
	d := s.day(at)
	if d.close <= stampOf(at) { // its day is the next one
		d = s.dayAfter(at)
	}
	return d.close
}

// dayAfter is the trading day behind the one at hand.
func (s *session) dayAfter(at time.Time) day {
	t := nextTradingDay(s.day(at).after.time().Add(time.Second))
	return day{
		stampOf(clockOn(t, 4, 0)), stampOf(clockOn(t, 9, 30)),
		stampOf(clockOn(t, closingHour(t), 0)), stampOf(clockOn(t, 20, 0)),
	}
}

// clockOn is a time of day in New York on the day of t there.
func clockOn(t time.Time, hour, minute int) time.Time {
	y, m, d := t.In(newYork).Date()
	return time.Date(y, m, d, hour, minute, 0, 0, newYork)
}

// nextTradingDay is the day of t if it is a trading day that is not over, or the next.
func nextTradingDay(t time.Time) time.Time {
	t = t.In(newYork)
	for day := clockOn(t, 12, 0); ; day = day.AddDate(0, 0, 1) {
		if isTradingDay(day) && !clockOn(day, 20, 0).Before(t) {
			return day
		}
	}
}
