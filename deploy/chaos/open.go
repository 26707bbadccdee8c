package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/orderfleet/orderfleet/shared/tenant"
)

// openOrders counts the open orders that the broker has of some tenants.
func (s *system) openOrders(ctx context.Context, of map[string]tenant.Limits) (map[string]int, error) {
	open := make(map[string]int, len(of))
	for name := range of {
		var orders []struct{}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.broker.URL+"/v2/orders?status=open&limit=500", http.NoBody)
		if err != nil {
			return nil, fmt.Errorf("chaos: %w", err)
		}
		req.Header.Set("APCA-API-KEY-ID", name)
		req.Header.Set("APCA-API-SECRET-KEY", secretOf(name))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, fmt.Errorf("chaos: ask for open orders: %w", err)
		}
		err = json.NewDecoder(resp.Body).Decode(&orders)
		resp.Body.Close() //nolint:errcheck // read to its end
		if err != nil {
			return nil, fmt.Errorf("chaos: ask for open orders of %s: %s: %w", name, resp.Status, err)
		}
		open[name] = len(orders)
	}
	return open, nil
}
