package brokertest

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// testLimits: the rate limit is read off whatever answer states it, by the broker's clock,
// and half of one, or nonsense, is none.
func testLimits(t *testing.T, connect Connect) {
	broken := time.Date(1999, 12, 31, 23, 59, 0, 0, time.UTC) // the broker's clock
	header := func(limit, remaining, reset string) http.Header {
		return http.Header{
			"Date":                  {broken.Format(http.TimeFormat)},
			"X-Ratelimit-Limit":     {limit},
			"X-Ratelimit-Remaining": {remaining},
			"X-Ratelimit-Reset":     {reset},
		}
	}
	unix := func(d time.Duration) string { return fmt.Sprint(broken.Add(d).Unix()) }
	for name, c := range map[string]struct {
		header http.Header
		want   broker.Limits
	}{
		"none":               {nil, broker.Limits{}},
		"some remain":        {header("200", "7", unix(20*time.Second)), broker.Limits{Limit: 200, Remaining: 7, Reset: 20 * time.Second}},
		"none remain":        {header("200", "0", unix(20*time.Second)), broker.Limits{Limit: 200, Reset: 20 * time.Second}},
		"reset has passed":   {header("200", "0", unix(-time.Minute)), broker.Limits{Limit: 200}},
		"reset in a century": {header("200", "1", unix(100*365*24*time.Hour)), broker.Limits{Limit: 200, Remaining: 1, Reset: time.Hour}},
		"no reset":           {header("200", "0", ""), broker.Limits{}},
		"no remaining":       {header("200", "", unix(time.Second)), broker.Limits{}},
		"no limit":           {header("", "0", unix(time.Second)), broker.Limits{}},
		"a limit of nothing": {header("0", "0", unix(time.Second)), broker.Limits{}},
		"negative":           {header("200", "-1", unix(time.Second)), broker.Limits{}},
		"words":              {header("many", "few", "soon"), broker.Limits{}},
		"huge":               {header("200", "99999999999999999999", unix(time.Second)), broker.Limits{}},
	} {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, connect)
			reply := Error(404, 40410000, "order not found")
			for k, v := range c.header {
				reply.Header[k] = v
			}
			b.Server.Reply(reply)
			v := b.ByClientID(t.Context(), id)
			want(t, v, broker.NotFound)
			if v.Limits != c.want {
				t.Errorf("limits %+v, want %+v", v.Limits, c.want)
			}
		})
	}
}
