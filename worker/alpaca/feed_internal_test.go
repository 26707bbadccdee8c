package alpaca

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
)

// FuzzEvent: whatever a stream says is an event of an order, or an error.
func FuzzEvent(f *testing.F) {
	for _, seed := range []string{
		`{"event":"fill","price":"1.5","qty":"2","timestamp":"2026-05-04T14:30:00Z","order":{"id":"o","client_order_id":"acme.a","filled_qty":"2","legs":[{"id":"l"}]}}`,
		`{"event":"canceled","order":{"id":"o","status":"canceled","canceled_at":"2026-05-04T14:30:00Z"}}`,
		`{"event":"new","order":{"id":""}}`, `{"event":"new"}`, `{}`, `null`, `[]`, `{"event":1}`, `{"event":"fill","qty":"","order":{"id":"o"}}`, `{"order":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := event(data)
		if err == nil && (e.Kind == "" || e.Order.ID == "") {
			t.Errorf("%q is the event %+v", data, e)
		}
		if err == nil && e.Order.Status == order.EventCanceled && e.Order.Over() != true {
			t.Errorf("%q is not over", data)
		}
	})
}

// FuzzServerSent: whatever a stream of all accounts says, nothing panics, reading comes to an
// end, and what is taken for this account's is by a slower reading, too.
func FuzzServerSent(f *testing.F) {
	const ours = account("acct-1")
	for _, seed := range []string{
		": welcome to the Alpaca events\n\ndata: {\"account_id\":\"acct-1\",\"event\":\"fill\",\"order\":{\"id\":\"o\"}}\n\n:heartbeat\n\n",
		"data: {\"event\":\"new\",\ndata: \"account_id\":\"acct-2\"}\r\n\r\n",
		"data: {\"order\":{\"account_id\":\"acct-1\"},\"account_id\":\"x\"}\n\n", "data:\n\n", "data\n\n", ": dropped\n", "id: 1\n\n", "data: {",
		"data: {\"account_id\":\"\\u0061cct-1\"}\n\n", "data: [\"account_id\",\"acct-1\"]\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		in := serverSent{in: bufio.NewReaderSize(bytes.NewReader(stream), 16)}
		for n := 0; ; n++ {
			data, err := in.next(func() error { return nil })
			if err != nil {
				return
			}
			if n > len(stream) {
				t.Fatal("it does not end")
			}
			mine, err := ours.owns(data)
			if err != nil || !mine || !json.Valid(data) {
				continue
			}
			dec := json.NewDecoder(bytes.NewReader(data))
			_, _ = dec.Token()
			for dec.More() { // the first member of that name
				name, _ := dec.Token()
				var value json.RawMessage
				_ = dec.Decode(&value)
				if name != "account_id" {
					continue
				}
				var id string
				if json.Unmarshal(value, &id) != nil || !strings.EqualFold(id, string(ours)) {
					t.Errorf("%q is taken for ours", data)
				}
				break
			}
		}
	})
}
