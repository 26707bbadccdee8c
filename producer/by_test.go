package producer_test

import (
	"os/user"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

// TestBy: the ledger says who published an intent, by default who runs the program.
func TestBy(t *testing.T) {
	nc := ledgertest.Provision(t, 1)
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		options []producer.Option
		says    func(by string) bool
	}{
		{"the default", nil, func(by string) bool { return strings.HasPrefix(by, u.Username+"@") && strings.Contains(by, "producer") }},
		{"as told", []producer.Option{producer.By("the rebalancer")}, func(by string) bool { return by == "the rebalancer" }},
		{"nobody", []producer.Option{producer.By("")}, func(by string) bool { return by == "" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := producer.New(t.Context(), nc, tc.options...)
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.Publish(t.Context(), "acme", order.Intent{Kind: order.KindCancelAll})
			if err != nil {
				t.Fatal(err)
			}
			err = p.Ledger().Read(t.Context(), 0, ledger.Start{Seq: r.Seq}, r.Seq, func(e ledger.Entry) error {
				if _, named := e.Header[ledger.ByHeader]; !tc.says(e.By()) || named != (e.By() != "") {
					t.Errorf("published by %q", e.By())
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, bad := range []string{"a\x1b[2J", "a\r\nNats-Msg-Id: x", strings.Repeat("x", ledger.MaxBy+1)} {
		if _, err := producer.New(t.Context(), nc, producer.By(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
