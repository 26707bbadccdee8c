package proof

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/shopspring/decimal"
)

// noon is when the history of these tests begins.
var noon = time.Date(2026, 6, 17, 12, 0, 0, 0, time.UTC)

func after(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func buy(qty string) *order.Order {
	q := decimal.RequireFromString(qty)
	price := decimal.RequireFromString("1.25")
	return &order.Order{Symbol: "AAPL", Qty: &q, Side: order.Buy, Type: order.Limit, TimeInForce: order.Day, LimitPrice: &price}
}

// history is a clean one, of two tenants:
//
//	a: x accepted, y rejected, z accepted after a second request, w expired
//	b: x accepted, x again a duplicate, c cancelled, m invalid
func history() *History {
	h := &History{Expect: Expect{Credentials: true, Unblocked: true}}
	intent := func(seq uint64, tenant, id string, kind order.Kind) {
		in := Intent{Tenant: tenant, Seq: seq, At: after(int(seq))}
		in.ID, in.Kind, in.ExpiresAt = id, kind, after(1000)
		if kind == order.KindOrder {
			in.Order = buy("1")
		} else {
			in.Target = "x"
		}
		h.Intents = append(h.Intents, in)
		h.Receipts = append(h.Receipts, Receipt{Tenant: tenant, ID: id, Seq: seq})
	}
	intent(1, "a", "x", order.KindOrder)
	intent(2, "b", "x", order.KindOrder)
	intent(3, "a", "y", order.KindOrder)
	intent(4, "a", "z", order.KindOrder)
	intent(5, "b", "x", order.KindOrder)
	intent(6, "b", "c", order.KindCancel)
	intent(7, "a", "w", order.KindOrder)
	intent(8, "b", "m", order.KindOrder)
	h.Intents[6].ExpiresAt = after(50)
	h.Intents[7].Order.Qty = nil
	sign(h)

	arrival := func(second int, tenant, id string, status int) {
		h.Arrivals = append(h.Arrivals, Arrival{Account: tenant, Method: "POST", ClientOrderID: tenant + "." + id, Status: status, Time: after(second)})
	}
	arrival(20, "a", "x", 200)
	arrival(20, "b", "x", 200)
	arrival(21, "a", "y", 422)
	arrival(22, "a", "z", 500)
	arrival(24, "a", "z", 200)
	arrival(49, "a", "w", 503)
	booking := func(second int, tenant, id string) {
		h.Bookings = append(h.Bookings, Booking{
			Account: tenant, ClientOrderID: tenant + "." + id, OrderID: "at-broker-" + tenant + id,
			Symbol: "AAPL", Side: "buy", Type: "limit", Qty: "1.0", Received: after(second),
		})
	}
	booking(20, "a", "x")
	booking(20, "b", "x")
	booking(24, "a", "z")

	outcome := func(seq, intent uint64, status order.Status, epoch uint64) *Outcome {
		in := h.Intents[intent-1]
		o := Outcome{Tenant: in.Tenant, Seq: seq, At: after(int(seq))}
		o.IntentID, o.IntentSeq, o.Status, o.Epoch = in.ID, intent, status, epoch
		if status == order.Accepted && in.Kind == order.KindOrder {
			o.ClientOrderID, o.BrokerOrderID = in.Tenant+"."+in.ID, "at-broker-"+in.Tenant+in.ID
		}
		h.Outcomes = append(h.Outcomes, o)
		return &h.Outcomes[len(h.Outcomes)-1]
	}
	outcome(100, 1, order.Accepted, 1)
	outcome(101, 2, order.Accepted, 1)
	outcome(102, 3, order.Rejected, 1).HTTPStatus = 422
	outcome(103, 4, order.Accepted, 2)
	outcome(104, 5, order.Duplicate, 2).DuplicateOf = 2
	outcome(105, 6, order.Accepted, 2)
	outcome(106, 7, order.Expired, 2)
	outcome(107, 8, order.Invalid, 2)
	for i, seq := range []uint64{99, 102} {
		h.Epochs = append(h.Epochs, Epoch{Seq: seq, Epoch: ledger.Epoch{Epoch: uint64(i + 1)}})
	}
	return h
}

// sign makes the receipts those of what the ledger has.
func sign(h *History) {
	for i := range h.Receipts {
		h.Receipts[i].Digest = DigestOf(h.Intents[i].Intent)
	}
}

func TestACleanHistory(t *testing.T) {
	r := Check(*history())
	if !r.OK() || len(r.Findings) > 0 || r.Violations != nil {
		t.Errorf("%+v", r)
	}
	if r.Acknowledged != 8 || r.Intents != 8 || r.Outcomes != 8 || r.Orders != 3 || r.Failed != 0 {
		t.Errorf("counted %+v", r)
	}
	if r := Check(History{}); !r.OK() {
		t.Errorf("nothing happened: %+v", r)
	}
}

// drop removes an element.
func drop[T any](s *[]T, i int) { *s = append((*s)[:i:i], (*s)[i+1:]...) }

// fault is a plant: it breaks one rule of a clean history.
type fault struct {
	name    string
	plant   func(h *History)
	rule    Rule
	finding string
}

var faults = []fault{
	{"a publish was acknowledged and is gone", func(h *History) { drop(&h.Intents, 6); drop(&h.Outcomes, 6); drop(&h.Arrivals, 5) },
		MissingIntent, "w of a was acknowledged as 7"},
	{"the ledger has another in its place", func(h *History) { h.Receipts[5].ID = "other" },
		MissingIntent, "other of b"},
	{"an outcome is missing", func(h *History) { drop(&h.Outcomes, 6) },
		MissingOutcome, "intent 7 of a (w) has no outcome"},
	{"an outcome twice", func(h *History) { h.Outcomes = append(h.Outcomes, h.Outcomes[7]) },
		SecondOutcome, "intent 8 of b ended as invalid at 107"},
	{"an outcome of nothing", func(h *History) { drop(&h.Intents, 5); drop(&h.Receipts, 5) },
		StrayOutcome, "outcome 105 of b is of no intent"},
	{"an order twice", func(h *History) { h.Bookings = append(h.Bookings, h.Bookings[2]) },
		SecondOrder, "under a.z"},
	{"two intents for one order", func(h *History) {
		h.Outcomes[4].Status, h.Outcomes[4].ClientOrderID, h.Outcomes[4].BrokerOrderID = order.Accepted, "b.x", "at-broker-bx"
	}, SharedOrder, "intents 2 and 5 of b"},
	{"outcomes out of order", func(h *History) { o := h.Outcomes; o[0], o[2] = o[2], o[0] },
		OutcomeOrder, "the outcome of intent 1 of a comes behind that of 3"},
	{"orders out of order", func(h *History) { b := h.Bookings; b[0], b[2] = b[2], b[0] },
		BookingOrder, "the order of intent 1 of a was booked behind that of 4"},
	{"an intent overtaken on its way", func(h *History) { a := h.Arrivals; a[2], a[3] = a[3], a[2] },
		ArrivalOrder, "a request for intent 3 of a arrived behind one for 4"},
	{"an order is missing", func(h *History) { drop(&h.Bookings, 2) },
		MissingOrder, "the broker has no order a.z"},
	{"another order id", func(h *History) { h.Outcomes[0].BrokerOrderID = "at-broker-az" },
		OtherOrder, "accepted as order at-broker-az"},
	{"another quantity", func(h *History) { h.Bookings[0].Qty = "2" }, OtherOrder, "another qty: 2"},
	{"another symbol", func(h *History) { h.Bookings[0].Symbol = "MSFT" }, OtherOrder, "another symbol: MSFT"},
	{"another side", func(h *History) { h.Bookings[0].Side = "sell" }, OtherOrder, "another side: sell"},
	{"another type", func(h *History) { h.Bookings[0].Type = "market" }, OtherOrder, "another type: market"},
	{"rejected, but booked", func(h *History) { h.Outcomes[3].Status = order.Rejected; h.Outcomes[3].HTTPStatus = 422 },
		DeniedOrder, "a.z ended as rejected"},
	{"expired, but booked", func(h *History) { h.Outcomes[3].Status = order.Expired; h.Intents[3].ExpiresAt = after(90) }, DeniedOrder, "a.z ended as expired"},
	{"an order that nobody asked for", func(h *History) {
		h.Bookings = append(h.Bookings, Booking{Account: "a", ClientOrderID: "7c9b", OrderID: "n"})
	}, UnexplainedOrder, `under "7c9b" on the account of a`},
	{"on another's account", func(h *History) { h.Bookings[1].Account = "a" }, OtherAccount, "b.x is on the account of a"},
	{"accepted before it was sent", func(h *History) { h.Outcomes[3].At = after(23) }, Premature, "1s before its request"},
	{"rejected without being asked", func(h *History) { h.Arrivals[2].Status = 500 }, NeverRefused, "intent 3 of a"},
	{"a request for an intent behind one of its successor", func(h *History) {
		h.Arrivals[4], h.Arrivals[5] = h.Arrivals[5], h.Arrivals[4]
	}, ArrivalOrder, "intent 4 of a arrived behind one for 7"},
	{"a request of a former owner", func(h *History) {
		late := h.Arrivals[1]
		late.Time = after(200)
		h.Arrivals = append(h.Arrivals, late)
	}, Afterlife, "b.x arrived 1m36s after its outcome"},
	{"a request on another's account", func(h *History) { h.Arrivals[5].Account = "b" }, OtherAccount, "a.w arrived on the account of b"},
	{"a request for nobody", func(h *History) { h.Arrivals[5].ClientOrderID = "7c9b" }, StrangeRequest, `"7c9b"`},
	{"a request without an id", func(h *History) { h.Arrivals[5].ClientOrderID = "" }, StrangeRequest, "account of a"},
	{"two owners at once", func(h *History) { h.Outcomes[6].Worker = "other" }, SharedEpoch, "outcome 106 of a is by other"},
	{"an id that was used again", func(h *History) { h.Outcomes[4].Status, h.Outcomes[4].HTTPStatus = order.Rejected, 200 }, Repeated, "has the id of 2"},
	{"the ledger has something else", func(h *History) { h.Intents[6].Order.Symbol = "MSFT" }, Altered, "intent 7 of a"},
	{"rejected for a moment's trouble", func(h *History) { h.Outcomes[2].HTTPStatus, h.Arrivals[2].Status = 503, 503 }, NeverRefused, "intent 3 of a"},
	{"rejected by a rate limit", func(h *History) { h.Outcomes[2].HTTPStatus, h.Arrivals[2].Status = 429, 429 }, NeverRefused, "intent 3 of a"},
	{"a replace rejected for a moment's trouble", func(h *History) {
		h.Intents[2].Kind, h.Outcomes[2].HTTPStatus, h.Arrivals[2].Status = order.KindReplace, 408, 408
	}, NeverRefused, "intent 3 of a"},
	{"a replace rejected without being asked", func(h *History) { h.Intents[2].Kind = order.KindReplace; h.Arrivals[2].Status = 500 }, NeverRefused, "intent 3 of a"},
	{"a cancel rejected for a moment's trouble", func(h *History) { h.Outcomes[5].Status, h.Outcomes[5].HTTPStatus = order.Rejected, 500 },
		NeverRefused, "intent 6 of b"},
	{"keys refused that are good", func(h *History) { h.Outcomes[2].HTTPStatus = 401 }, NeverRefused, "intent 3 of a"},
	{"rejected by nobody", func(h *History) { h.Outcomes[2].HTTPStatus = 0 }, NeverRefused, "intent 3 of a"},
	{"expired before its time", func(h *History) { h.Intents[6].ExpiresAt = after(1000) }, Early, "14m54s before its time"},
	{"invalid, but it is not", func(h *History) { h.Intents[7].Order = buy("1") }, NeverInvalid, "intent 8 of b"},
	{"blocked by nothing", func(h *History) { h.Outcomes[7].Status = order.Blocked }, NeverBlocked, "intent 8 of b"},
	{"given up while there was time", func(h *History) { h.Outcomes[3].Status = order.Failed }, GaveUp, "14m57s before it expired"},
	{"invalid, but asked", func(h *History) {
		h.Arrivals = append(h.Arrivals, Arrival{Account: "b", ClientOrderID: "b.m", Time: after(60)})
	}, Touched, "intent 8 of b ended as invalid"},
	{"blocked, but asked", func(h *History) {
		h.Expect.Unblocked = false
		h.Outcomes[7].Status, h.Outcomes[7].Received = order.Blocked, after(59)
		h.Arrivals = append(h.Arrivals, Arrival{Account: "b", ClientOrderID: "b.m", Time: after(60)})
	}, Touched, "intent 8 of b ended as blocked"},
	{"sent after its time", func(h *History) { h.Arrivals[5].Time = after(51) }, Stale, "a.w arrived 1s after"},
	{"an outcome of a former owner", func(h *History) { h.Outcomes[6].Epoch = 1 }, Fenced, "epoch 1, behind one of epoch 2"},
	{"an outcome of an epoch that nobody began", func(h *History) { h.Outcomes[7].Epoch = 3 }, Unannounced, "epoch 3 of shard 0, which begins at 0"},
	{"an outcome before its epoch", func(h *History) {
		h.Outcomes[7].Epoch = 3
		h.Epochs = append(h.Epochs, Epoch{Seq: 200, Epoch: ledger.Epoch{Epoch: 3}})
	}, Unannounced, "epoch 3 of shard 0, which begins at 200"},
	{"an outcome of another name", func(h *History) { h.Outcomes[6].IntentID = "z" }, Misnamed, `names "z"; intent 7 is "w"`},
	{"an outcome of another order", func(h *History) { h.Outcomes[0].ClientOrderID = "random" }, Misnamed, `names the order "random"`},
	{"a duplicate of nothing", func(h *History) { h.Outcomes[4].DuplicateOf = 5 }, Misnamed, "has the id of 5"},
}

// TestEveryFaultIsFound plants one violation at a time.
func TestEveryFaultIsFound(t *testing.T) {
	found := make(map[Rule]bool)
	for _, tc := range slices.Concat(faults, governedFaults) {
		t.Run(tc.name, func(t *testing.T) {
			h := history()
			tc.plant(h)
			r := Check(*h)
			if r.OK() || r.Violations[tc.rule] == 0 {
				t.Errorf("not seen: %+v", r)
			}
			if n := r.Lost + r.Duplicated + r.Reordered + r.Contradicted; n > 2 {
				t.Errorf("one fault is counted %d times: %q", n, r.Findings)
			}
			if !strings.Contains(strings.Join(r.Findings, "\n"), tc.finding) {
				t.Errorf("findings %q do not say %q", r.Findings, tc.finding)
			}
		})
		found[tc.rule] = true
	}
	for _, l := range Rules {
		if !found[l.Rule] {
			t.Errorf("no test breaks %s", l.Rule)
		}
	}
}

// What is on its way for a while is not stale.
func TestSlack(t *testing.T) {
	h := history()
	h.Arrivals[5].Time, h.Slack = after(51), 2*time.Second
	if r := Check(*h); !r.OK() {
		t.Errorf("%+v", r)
	}
}

// A fleet that trades nothing has an excuse for every intent. None is believed.
func TestNothingTraded(t *testing.T) {
	for name, excuse := range map[string]func(o *Outcome){
		"failed":           func(o *Outcome) { o.Status = order.Failed },
		"expired":          func(o *Outcome) { o.Status = order.Expired },
		"invalid":          func(o *Outcome) { o.Status = order.Invalid },
		"blocked":          func(o *Outcome) { o.Status = order.Blocked },
		"forbidden":        func(o *Outcome) { o.Status, o.HTTPStatus = order.Rejected, 403 },
		"unauthorized":     func(o *Outcome) { o.Status, o.HTTPStatus = order.Rejected, 401 },
		"rejected unasked": func(o *Outcome) { o.Status, o.HTTPStatus = order.Rejected, 0 },
		"unprocessable":    func(o *Outcome) { o.Status, o.HTTPStatus = order.Rejected, 422 },
		"busy":             func(o *Outcome) { o.Status, o.HTTPStatus = order.Rejected, 429 },
		"duplicate":        func(o *Outcome) { o.Status = order.Duplicate },
		"accepted":         func(o *Outcome) { o.Status = order.Accepted },
	} {
		t.Run(name, func(t *testing.T) {
			h := history()
			h.Arrivals, h.Bookings = nil, nil
			for i := range h.Outcomes {
				excuse(&h.Outcomes[i])
			}
			if r := Check(*h); r.Contradicted < 3 {
				t.Errorf("believed: %+v", r)
			}
		})
	}
}

// Where keys may be bad and rules may block, those reasons are believed.
func TestNothingExpected(t *testing.T) {
	h := history()
	h.Expect = Expect{}
	h.Outcomes[2].HTTPStatus = 401
	h.Outcomes[3].Status, h.Outcomes[7].Status = order.Failed, order.Blocked
	if r := Check(*h); !r.OK() {
		t.Errorf("%+v", r)
	}
}

// What nobody could decide in its time is listed, whatever the broker has.
func TestFailedIsNoViolation(t *testing.T) {
	h := history()
	h.Intents[2].ExpiresAt, h.Intents[3].ExpiresAt = after(70), after(70)
	sign(h)
	h.Outcomes[3].Status = order.Failed // with an order
	h.Outcomes[2].Status = order.Failed // without
	if r := Check(*h); !r.OK() || r.Failed != 2 {
		t.Errorf("%+v", r)
	}
}

// An operator drives a failed intent again, much later: its order bears the first one's id.
func TestDrivenAgain(t *testing.T) {
	h := history()
	h.Outcomes[2].Status = order.Failed // y, without an order
	h.Intents[2].ExpiresAt = after(70)
	sign(h)
	again := h.Intents[2]
	again.Seq, again.ID, again.RetryOf, again.ExpiresAt = 9, "y-again", "y", after(2000)
	h.Intents = append(h.Intents, again)
	h.Arrivals = append(h.Arrivals, Arrival{Account: "a", ClientOrderID: "a.y", Status: 200, Time: after(1500)})
	booking := h.Bookings[0]
	booking.ClientOrderID, booking.OrderID, booking.Received = "a.y", "at-broker-ay", after(1500)
	h.Bookings = append(h.Bookings, booking)
	o := Outcome{Tenant: "a", Seq: 1600, At: after(1600)}
	o.IntentID, o.IntentSeq, o.Status, o.Epoch, o.ClientOrderID, o.BrokerOrderID = "y-again", 9, order.Accepted, 2, "a.y", "at-broker-ay"
	h.Outcomes = append(h.Outcomes, o)
	if r := Check(*h); !r.OK() || r.Failed != 1 {
		t.Errorf("%+v", r)
	}
}

// Findings stay few, counts do not.
func TestManyFindings(t *testing.T) {
	h := &History{}
	for seq := range uint64(3 * maxFindings) {
		h.Intents = append(h.Intents, Intent{Tenant: "a", Seq: seq + 1})
	}
	if r := Check(*h); r.Lost != 3*maxFindings || len(r.Findings) != maxFindings {
		t.Errorf("%d lost, %d findings", r.Lost, len(r.Findings))
	}
}

// TestBlockedAfterRequests: an intent may be blocked after requests that came to nothing, its
// worker's or an earlier owner's.
func TestBlockedAfterRequests(t *testing.T) {
	for name, change := range map[string]func(*Outcome){
		"of its own":         func(o *Outcome) { o.Attempts, o.Received = 1, after(1) },
		"of an owner before": func(o *Outcome) { o.Received = after(61) },
	} {
		t.Run(name, func(t *testing.T) {
			h := history()
			h.Expect.Unblocked = false
			h.Outcomes[7].Status = order.Blocked
			change(&h.Outcomes[7])
			h.Arrivals = append(h.Arrivals, Arrival{Account: "b", ClientOrderID: "b.m", Time: after(60)})
			if n := Check(*h).Violations[Touched]; n != 0 {
				t.Errorf("%d found", n)
			}
		})
	}
}
