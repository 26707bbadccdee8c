package test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// placeAgain places an order under a client order id that was used.
func placeAgain(ctx context.Context, url, account, id string) error {
	body := fmt.Sprintf(`{"symbol":"AAPL","qty":"1","side":"buy","type":"limit","limit_price":"1.25","time_in_force":"day","client_order_id":%q}`, id)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v2/orders", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("APCA-API-KEY-ID", account)
	req.Header.Set("APCA-API-SECRET-KEY", "parts")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}
