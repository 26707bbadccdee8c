package paper

import (
	"encoding/hex"
	"net/http"
	"strconv"
)

// Admin serves the endpoints that steer the broker and show its ledger.
func (b *Broker) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ledger", b.serveLedger)
	mux.HandleFunc("GET /usage", b.getUsage)
	mux.HandleFunc("GET /faults", b.getFaults)
	mux.HandleFunc("POST /faults", b.postFault)
	mux.HandleFunc("DELETE /faults", b.deleteFaults)
	mux.HandleFunc("GET /prices", b.getPrices)
	mux.HandleFunc("POST /prices", b.postPrices)
	mux.HandleFunc("GET /clock", b.getClock)
	mux.HandleFunc("POST /clock", b.postClock)
	mux.HandleFunc("GET /settings", b.getSettings)
	mux.HandleFunc("POST /settings", b.postSettings)
	return mux
}

// ledgerPage is how many entries of the ledger are copied at once.
const ledgerPage = 4096

// serveLedger writes the ledger as JSON lines.
func (b *Broker) serveLedger(w http.ResponseWriter, r *http.Request) {
	after := 0
	if s := r.FormValue("after"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			http.Error(w, "after: want the sequence number of an entry, or 0", http.StatusBadRequest)
			return
		}
		after = n
	}
	var next func(after int, buf []byte) ([]byte, int)
	switch kind := r.FormValue("kind"); kind {
	case "", "booked":
		next = func(after int, buf []byte) ([]byte, int) {
			return appendPage(buf, after, b.ledger.bookedPage(after), (*Booking).append)
		}
	case "arrived":
		next = func(after int, buf []byte) ([]byte, int) {
			return appendPage(buf, after, b.ledger.arrivedPage(after), (*Arrival).append)
		}
	case "requested":
		next = func(after int, buf []byte) ([]byte, int) {
			return appendPage(buf, after, b.ledger.requestedPage(after), (*Request).append)
		}
	default:
		http.Error(w, "kind: want booked, arrived or requested, not "+strconv.Quote(kind), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	for buf := []byte(nil); r.Context().Err() == nil; {
		from := after
		if buf, after = next(after, buf[:0]); after == from {
			return
		}
		if _, err := w.Write(buf); err != nil {
			return // the reader has gone
		}
	}
}

// appendPage appends a page of entries and returns the sequence number of the last.
func appendPage[T any](buf []byte, after int, page []T, line func(*T, []byte) []byte) ([]byte, int) {
	for i := range page {
		buf = append(line(&page[i], buf), '\n')
	}
	return buf, after + len(page)
}

func (a *Arrival) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"seq":`...), int64(a.Seq), 10)
	b = fieldTime(b, "time", stampOf(a.Time))
	b = fieldString(b, "account", a.Account)
	b = fieldString(b, "method", a.Method)
	b = fieldString(b, "path", a.Path)
	b = fieldString(b, "client_order_id", a.ClientOrderID)
	b = fieldString(b, "digest", hex.EncodeToString(a.Digest[:]))
	b = strconv.AppendInt(appendName(b, "status"), int64(a.Status), 10)
	return append(b, '}')
}

func (k *Booking) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"seq":`...), int64(k.Seq), 10)
	b = fieldString(b, "account", k.Account)
	b = fieldString(b, "client_order_id", k.ClientOrderID)
	b = fieldString(b, "order_id", k.OrderID)
	b = fieldString(b, "symbol", k.Symbol)
	b = fieldString(b, "side", k.Side)
	b = fieldString(b, "type", k.Type)
	b = fieldText(b, "qty", k.Qty)
	b = fieldText(b, "notional", k.Notional)
	b = fieldText(b, "replaces", k.Replaces)
	b = fieldTime(b, "received", stampOf(k.Received))
	return append(b, '}')
}

func (r *Request) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"seq":`...), int64(r.Seq), 10)
	b = fieldTime(b, "time", stampOf(r.Time))
	b = fieldString(b, "correspondent", r.Correspondent)
	b = fieldText(b, "account", r.Account)
	b = fieldBool(b, "cancel", r.Cancel)
	b = fieldBool(b, "refused", r.Refused)
	return append(b, '}')
}
