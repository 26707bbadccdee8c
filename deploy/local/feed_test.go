package local

import (
	"bufio"
	"bytes"
	"encoding/json"
	"testing"
)

// The shipped feed has every kind, class, type and time in force.
func TestFeedCoversEverything(t *testing.T) {
	want := map[string][]string{
		"kind":          {"order", "replace", "cancel", "cancel_all", "close_position"},
		"order_class":   {"", "bracket", "oco", "oto", "mleg"},
		"type":          {"market", "limit", "stop", "stop_limit", "trailing_stop"},
		"time_in_force": {"day", "gtc", "opg", "cls", "ioc", "fok"},
	}
	seen := make(map[string]map[string]bool)
	for field := range want {
		seen[field] = make(map[string]bool)
	}
	fields := make(map[string]bool)
	tenants := make(map[string]bool)
	lines := bufio.NewScanner(bytes.NewReader(orders))
	for lines.Scan() {
		var line struct {
			Tenant string
			Kind   string
			Order  map[string]any
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // the malformed one
		}
		tenants[line.Tenant] = true
		seen["kind"][line.Kind] = true
		if line.Kind != "order" {
			continue
		}
		for field := range line.Order {
			fields[field] = true
		}
		for _, field := range []string{"order_class", "type", "time_in_force"} {
			word, _ := line.Order[field].(string)
			seen[field][word] = true
		}
	}
	for field, words := range want {
		for _, word := range words {
			if !seen[field][word] {
				t.Errorf("no line has %s %q", field, word)
			}
		}
	}
	for _, field := range []string{"qty", "notional", "limit_price", "stop_price", "trail_price", "trail_percent", "extended_hours", "take_profit", "stop_loss", "legs", "position_intent"} {
		if !fields[field] {
			t.Errorf("no order has %s", field)
		}
	}
	if len(tenants) != 20 {
		t.Errorf("%d tenants", len(tenants))
	}
}
