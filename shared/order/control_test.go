package order_test

import (
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
)

func TestControlRules(t *testing.T) {
	good := order.Control{Version: 1, Verb: order.Release, By: "kim", Reason: "seen at the broker", At: time.Unix(1_790_000_000, 0)}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		spoil func(*order.Control)
		want  string
	}{
		{"a version of tomorrow", func(c *order.Control) { c.Version = 2 }, "v: 2 is not known"},
		{"no verb", func(c *order.Control) { c.Verb = "" }, `verb: "" is not release or drop`},
		{"another verb", func(c *order.Control) { c.Verb = "hold" }, `verb: "hold" is not release or drop`},
		{"a release of an intent", func(c *order.Control) { c.IntentID = "a1" }, "intent_id: belongs to drop"},
		{"a drop of nothing", func(c *order.Control) { c.Verb = order.Drop }, "intent_id: is required"},
		{"a drop of no id", func(c *order.Control) { c.Verb, c.IntentID = order.Drop, "a.1" }, `intent_id: "a.1" may hold only`},
		{"nobody", func(c *order.Control) { c.By = "" }, "by: is required"},
		{"a long name", func(c *order.Control) { c.By = strings.Repeat("k", 129) }, "by: has 129 bytes, more than 128"},
		{"no reason", func(c *order.Control) { c.Reason = "" }, "reason: is required"},
		{"a long reason", func(c *order.Control) { c.Reason = strings.Repeat("r", 513) }, "reason: has 513 bytes"},
		{"a reason of two lines", func(c *order.Control) { c.Reason = "a\nb" }, "reason: is not printable"},
		{"no time", func(c *order.Control) { c.At = time.Time{} }, "at: is required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := good
			test.spoil(&c)
			if err := c.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
