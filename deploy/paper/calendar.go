package paper

import (
	"net/http"
	"net/url"
	"time"
)

// isTradingDay says whether the market opens on a day in New York: on weekdays that
// are no holiday of the New York Stock Exchange (its rule 7.2).
func isTradingDay(t time.Time) bool {
	if wd := t.Weekday(); wd == time.Saturday || wd == time.Sunday {
		return false
	}
	return !isHoliday(t)
}

func isHoliday(t time.Time) bool {
	y, m, d := t.Date()
	wd := t.Weekday()
	switch {
	case wd == time.Monday && m == time.January && 15 <= d && d <= 21, // Martin Luther King Day
		wd == time.Monday && m == time.February && 15 <= d && d <= 21,   // Presidents' Day
		wd == time.Monday && m == time.May && d >= 25,                   // Memorial Day
		wd == time.Monday && m == time.September && d <= 7,              // Labor Day
		wd == time.Thursday && m == time.November && 22 <= d && d <= 28: // Thanksgiving
		return true
	}
	if friday := easterSunday(y).AddDate(0, 0, -2); m == friday.Month() && d == friday.Day() {
		return true // Good Friday
	}
	return isObserved(t, time.June, 19) && y >= 2022 || isObserved(t, time.July, 4) ||
		isObserved(t, time.December, 25) || m == time.January && (d == 1 || d == 2 && wd == time.Monday)
}

// isObserved says whether a holiday of fixed date is kept on the day: on itself, on
// the Friday before a Saturday or the Monday behind a Sunday.
func isObserved(t time.Time, month time.Month, date int) bool {
	day := time.Date(t.Year(), month, date, 12, 0, 0, 0, t.Location())
	if day.Weekday() == time.Saturday {
		day = day.AddDate(0, 0, -1)
	} else if day.Weekday() == time.Sunday {
		day = day.AddDate(0, 0, 1)
	}
	return t.Month() == day.Month() && t.Day() == day.Day()
}

// easterSunday is Easter by the Gregorian reckoning (Meeus).
func easterSunday(y int) time.Time {
	a, b, c := y%19, y/100, y%100
	d, e := b/4, b%4
	g := (8*b + 13) / 25
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Date(y, time.Month(n/31), n%31+1, 12, 0, 0, 0, time.UTC)
}

// closingHour is 13 on the days that end early, else 16: the day before
// Independence Day, the day behind Thanksgiving, Christmas Eve.
func closingHour(t time.Time) int {
	t = t.In(newYork)
	_, m, d := t.Date()
	if m == time.July && d == 3 || m == time.December && d == 24 ||
		m == time.November && t.Weekday() == time.Friday && 23 <= d && d <= 29 {
		return 13
	}
	return 16
}

// The years that the calendar covers.
var (
	calendarBegin = time.Date(1970, 1, 1, 12, 0, 0, 0, newYork)
	calendarEnd   = time.Date(2029, 12, 31, 12, 0, 0, 0, newYork)
)

// calendar answers GET /v2/calendar.
func calendar(q url.Values) *answer {
	from, to := calendarBegin, calendarEnd
	for name, bound := range map[string]*time.Time{"start": &from, "end": &to} {
		s := q.Get(name)
		if s == "" {
			continue
		}
		t, err := time.ParseInLocation(time.DateOnly, s[:min(len(s), len(time.DateOnly))], newYork)
		if err != nil {
			return invalid("invalid " + name)
		}
		*bound = t.Add(12 * time.Hour)
	}
	if from.Before(calendarBegin) {
		from = calendarBegin
	}
	if to.After(calendarEnd) {
		to = calendarEnd
	}
	b := []byte{'['}
	for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
		if !isTradingDay(day) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = day.AppendFormat(append(b, `{"date":"`...), time.DateOnly)
		b = append(b, `","open":"09:30","close":"`...)
		b = append(b, closing(day)...)
		b = append(b, `:00","session_open":"0400","session_close":"2000","settlement_date":"`...)
		settled := nextTradingDay(clockOn(day, 20, 0).Add(time.Second))
		b = settled.AppendFormat(b, time.DateOnly)
		b = append(b, `"}`...)
	}
	return &answer{status: http.StatusOK, body: append(b, ']')}
}

func closing(day time.Time) string {
	if closingHour(day) == 13 {
		return "13"
	}
	return "16"
}
