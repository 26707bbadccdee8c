package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// TestAnOutcomeThatCameLate: an earlier owner's outcome reaches the ledger after its shard
// was taken over, while the new owner tries the same intent. It stands, and nothing more is
// asked of the broker for it.
func TestAnOutcomeThatCameLate(t *testing.T) {
	r, log := newRig(t), newJournal()
	asked := make(chan struct{}, 1000)
	r.books.meddle = func(_, id string, _ func()) *broker.Verdict {
		if !strings.HasSuffix(id, ".slow") {
			return nil
		}
		asked <- struct{}{}
		return &broker.Verdict{Kind: broker.Unsent, Message: "no connection"}
	}
	r.work(log.log)
	seq := r.publish("acme", buy("slow"))
	r.publish("acme", buy("next"))
	<-asked
	late := order.Outcome{IntentID: "slow", IntentSeq: seq, Kind: order.KindOrder, Status: order.Rejected, HTTPStatus: 422, Worker: "former", Committed: time.Now()}
	f, err := r.ledger.Append(r.ledger.ShardOf("acme"), "acme", &late, 0)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-f.Ok():
	case err := <-f.Err():
		t.Fatal(err)
	}
	got := r.outcomes("acme", 2)
	if got[0].Worker != "former" || got[1].IntentID != "next" || got[1].Status != order.Accepted {
		t.Errorf("outcomes %+v", got)
	}
	if n, _ := log.count("an earlier owner's outcome came late"); n != 1 {
		t.Errorf("noticed %d times", n)
	}
	if ids := r.books.ids("acme"); len(ids) != 1 || ids[0] != "next" {
		t.Errorf("booked %v", ids)
	}
}
