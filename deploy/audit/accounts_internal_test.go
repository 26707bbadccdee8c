package audit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// hurried are the accounts of a broker's tenants, without the pause between requests.
func hurried(address string) *accounts {
	a := Accounts(tenant.Map{
		"acme":    {Name: "acme", BaseURL: address, Credentials: tenant.Credentials{KeyID: "acme", Secret: "s"}},
		"keyless": {Name: "keyless", BaseURL: address, Credentials: tenant.Credentials{KeyID: "keyless"}},
	}).(*accounts)
	a.pace = 0
	return a
}

func ids(t *testing.T, b Broker, after time.Time) (all []string) {
	t.Helper()
	err := b.Orders(t.Context(), "acme", after, func(o proof.Booking) error {
		all = append(all, o.ClientOrderID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAccountsListEveryOrder: however many there are, each once and in its order, also from a
// broker that cuts times to seconds; and a paper broker's own ledger shows the same.
func TestAccountsListEveryOrder(t *testing.T) {
	now := time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)
	b := paper.New(paper.Config{RateLimit: paper.Unlimited, Tick: -1, Clock: func() time.Time { now = now.Add(5 * time.Millisecond); return now }})
	api := b.Handler()
	place(t, api, 1300)
	cut := func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if at, err := time.Parse(time.RFC3339Nano, q.Get("after")); err == nil {
			q.Set("after", at.Truncate(time.Second).Format(time.RFC3339))
			r.URL.RawQuery = q.Encode()
		}
		api.ServeHTTP(w, r)
	}
	admin := httptest.NewServer(b.Admin())
	defer admin.Close()
	own := Paper(admin.URL)
	if known, err := own.Tenants(t.Context()); err != nil || fmt.Sprint(known) != "[acme]" {
		t.Fatalf("knows %v: %v", known, err)
	}
	for name, handler := range map[string]http.Handler{"exact": api, "cut": http.HandlerFunc(cut)} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(handler)
			defer srv.Close()
			a := hurried(srv.URL)
			defer a.client.CloseIdleConnections()
			all := ids(t, a, time.Time{})
			if len(all) != 1300 {
				t.Fatalf("%d orders of 1300", len(all))
			}
			for i, id := range all {
				if id != fmt.Sprintf("acme.%d", i) {
					t.Fatalf("order %d is %s", i, id)
				}
			}
			if fmt.Sprint(ids(t, own, time.Time{})) != fmt.Sprint(all) {
				t.Error("the broker's own ledger shows others")
			}
			if late := ids(t, a, now.Add(-time.Second)); len(late) == 0 || len(late) > 500 || late[len(late)-1] != "acme.1299" {
				t.Errorf("of the last second: %d", len(late))
			}
		})
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestAccountsOfACorrespondent are read with its keys, each tenant's own and no other.
func TestAccountsOfACorrespondent(t *testing.T) {
	b := paper.New(paper.Config{Tick: -1})
	srv := httptest.NewServer(b.Handler())
	defer srv.Close()
	directory := make(tenant.Map)
	for _, name := range []string{"acme", "globex"} {
		directory[name] = tenant.Tenant{Name: name, BaseURL: srv.URL, Credentials: tenant.Credentials{KeyID: "CK1", Secret: "s", Account: "acct-" + name}}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/trading/accounts/acct-"+name+"/orders", strings.NewReader(
			`{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day","client_order_id":"`+name+`.0"}`))
		r.SetBasicAuth("CK1", "s")
		w := httptest.NewRecorder()
		if b.Handler().ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatal(w.Body)
		}
	}
	a := Accounts(directory).(*accounts)
	a.pace = 0
	defer a.client.CloseIdleConnections()
	if all := ids(t, a, time.Time{}); fmt.Sprint(all) != "[acme.0]" {
		t.Errorf("acme has %v", all)
	}
}

func place(t *testing.T, api http.Handler, n int) {
	t.Helper()
	for i := range n {
		body := fmt.Sprintf(`{"symbol":"AAPL","qty":"1","side":"buy","type":"limit","limit_price":"1","time_in_force":"day","client_order_id":"acme.%d"}`, i)
		r := httptest.NewRequest(http.MethodPost, "/v2/orders", strings.NewReader(body))
		r.Header.Set("APCA-API-KEY-ID", "acme")
		r.Header.Set("APCA-API-SECRET-KEY", "s")
		w := httptest.NewRecorder()
		if api.ServeHTTP(w, r); w.Code != http.StatusOK && n > 1 {
			t.Fatalf("order %d: %d %s", i, w.Code, w.Body)
		}
	}
}

// TestAccountsInTrouble: what may pass is asked again; what does not is an error, and shows no
// key; keys go to nobody else; a tenant without an account is told apart.
func TestAccountsInTrouble(t *testing.T) {
	var asked atomic.Int32
	var handler http.HandlerFunc
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); handler(w, r) }))
	defer srv.Close()
	a := hurried(srv.URL)
	defer a.client.CloseIdleConnections()
	none := func(proof.Booking) error { return nil }
	for _, tc := range []struct {
		name  string
		serve http.HandlerFunc
		asked int32
		says  string
	}{
		{"a limit", func(w http.ResponseWriter, _ *http.Request) {
			if asked.Load() < 3 {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			fmt.Fprint(w, "[]")
		}, 3, ""},
		{"an outage", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, tries, "502"},
		{"bad keys", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, 1, "401"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, 1, "302"},
		{"no list", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }, tries, "invalid character"},
		{"too many at one time", func(w http.ResponseWriter, r *http.Request) {
			var list []string
			for i := range page {
				list = append(list, fmt.Sprintf(`{"id":"%d","submitted_at":"2026-11-24T15:00:00Z"}`, i))
			}
			fmt.Fprint(w, "["+strings.Join(list, ",")+"]")
		}, 3, errDense.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked.Store(0)
			handler = tc.serve
			clear(a.down)
			err := a.Orders(t.Context(), "acme", time.Time{}, none)
			if n := asked.Load(); (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) || n != tc.asked {
				t.Errorf("%v, asked %d times", err, n)
			}
		})
	}
	for _, name := range []string{"nobody", "keyless"} {
		if err := a.Orders(t.Context(), name, time.Time{}, none); !errors.Is(err, ErrNoAccount) {
			t.Errorf("of a tenant without an account: %v", err)
		}
	}
	handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	clear(a.down)
	for _, want := range []int32{tries, triesDown, triesDown} {
		asked.Store(0)
		if err := a.Orders(t.Context(), "acme", time.Time{}, none); err == nil || asked.Load() != want {
			t.Errorf("a broker that is down was asked %d times, not %d: %v", asked.Load(), want, err)
		}
	}
	handler = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") }
	if err := a.Orders(t.Context(), "acme", time.Time{}, none); err != nil || a.down[srv.URL] {
		t.Errorf("a broker that is back: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.pace = time.Hour
	if err := a.Orders(ctx, "acme", time.Time{}, none); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
