package tenant_test

import (
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

func TestPools(t *testing.T) {
	minute := tenant.Duration(time.Minute)
	for _, tc := range []struct {
		name string
		pool tenant.Pool
		want string // in the error; empty: it is well
	}{
		{"a correspondent's", tenant.Pool{Requests: 1000, Window: minute}, ""},
		{"the least", tenant.Pool{Requests: 1, Window: tenant.Duration(time.Second), ReservePercent: 1}, ""},
		{"the most", tenant.Pool{Requests: tenant.MaxPoolRequests, Window: tenant.Duration(time.Hour), ReservePercent: 50}, ""},
		{"nothing", tenant.Pool{Window: minute}, "requests"},
		{"too many", tenant.Pool{Requests: tenant.MaxPoolRequests + 1, Window: minute}, "requests"},
		{"without a window", tenant.Pool{Requests: 10}, "window"},
		{"a short window", tenant.Pool{Requests: 10, Window: tenant.Duration(time.Millisecond)}, "window"},
		{"a long window", tenant.Pool{Requests: 10, Window: tenant.Duration(25 * time.Hour)}, "window"},
		{"less than nothing for cancels", tenant.Pool{Requests: 10, Window: minute, ReservePercent: -1}, "reserve_percent"},
		{"all for cancels", tenant.Pool{Requests: 10, Window: minute, ReservePercent: 51}, "reserve_percent"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.pool.Validate()
			if (err == nil) != (tc.want == "") || err != nil && !strings.HasPrefix(err.Error(), tc.want+":") {
				t.Errorf("got %v, want one of %q", err, tc.want)
			}
		})
	}
	if got := (tenant.Pool{}).Reserve(); got != tenant.DefaultReservePercent {
		t.Errorf("by default %d%% are for cancels", got)
	}
}
