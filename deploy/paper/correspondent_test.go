package paper_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

// corr is a correspondent who calls a broker's handler.
type corr struct {
	*client
	key, secret string
}

func (c *corr) call(method, target, body string) reply {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, target, strings.NewReader(body))
	if c.key != "" {
		r.SetBasicAuth(c.key, c.secret)
	}
	return c.send(r)
}

// want calls and wants an answer of a status that holds a text.
func (c *corr) want(status int, text, method, target, body string) reply {
	c.t.Helper()
	r := c.call(method, target, body)
	if r.status != status || !strings.Contains(r.body, text) {
		c.t.Errorf("%s %s %s: %d %s, want %d … %s", method, target, body, r.status, r.body, status, text)
	}
	return r
}

func newCorrespondents(t testing.TB, cfg paper.Config) (b *paper.Broker, ours, others *corr) {
	b, c := newClient(t, cfg)
	return b, &corr{c, "CK1", "one"}, &corr{c, "CK2", "two"}
}

// TestCorrespondentTrades: the Trading API's endpoints, for an account that the path names.
func TestCorrespondentTrades(t *testing.T) {
	b, ours, _ := newCorrespondents(t, paper.Config{})
	const base = "/v1/trading/accounts/acct-1"
	first := ours.want(200, `"status":"pending_new"`, "POST", base+"/orders", strings.Replace(buyOne, "{", `{"client_order_id":"t.1",`, 1))
	var o struct{ ID string }
	if err := json.Unmarshal([]byte(first.body), &o); err != nil {
		t.Fatal(err)
	}
	ours.want(200, `"status":"filled"`, "GET", base+"/orders/"+o.ID, "")
	ours.want(200, o.ID, "GET", base+"/orders:by_client_order_id?client_order_id=t.1", "")
	ours.want(200, `"qty":"1"`, "GET", base+"/positions/AAPL", "")
	ours.want(200, `"id":"acct-1"`, "GET", base+"/account", "")
	ours.want(200, `"client_order_id":"t.1"`, "GET", base+"/orders?status=all", "")
	ours.want(200, `"suspend_trade":true`, "PATCH", base+"/account/configurations", `{"suspend_trade":true}`)
	ours.want(403, "user request", "POST", base+"/orders", buyOne)
	ours.want(207, "[]", "DELETE", base+"/orders", "")
	ours.want(200, `"account_id":"acct-1","activity_type":"FILL"`, "GET", "/v1/accounts/activities/FILL?account_id=acct-1", "")
	ours.want(200, `"account_id":"acct-1"`, "GET", "/v1/accounts/activities?account_id=acct-1&activity_types=FILL", "")
	ours.want(200, "[]", "GET", "/v1/accounts/activities/FILL?account_id=acct-2", "")

	ours.want(422, "account_id", "GET", "/v1/accounts/activities/FILL", "")
	ours.want(404, "endpoint", "GET", base+"/account/activities/FILL", "")
	ours.want(404, "endpoint", "GET", "/v1/accounts", "")
	ours.want(404, "endpoint", "POST", "/v1/events/trades", "")
	ours.want(404, "account not found", "GET", "/v1/trading/accounts//orders", "")
	ours.want(404, "account not found", "GET", "/v1/trading/accounts/a.b/orders", "")

	arrived := b.Ledger().Arrived(0)
	if len(arrived) != 2 || arrived[0].Account != "acct-1" || arrived[0].Path != "/v2/orders" || arrived[1].Status != 403 {
		t.Errorf("arrived %+v", arrived)
	}
	if booked := b.Ledger().Booked(0); len(booked) != 1 || booked[0].Account != "acct-1" {
		t.Errorf("booked %+v", booked)
	}
}

// TestCorrespondentsBorders: an account is its correspondent's, and a key's is nobody else's.
func TestCorrespondentsBorders(t *testing.T) {
	b, ours, others := newCorrespondents(t, paper.Config{})
	ours.want(200, "", "POST", "/v1/trading/accounts/acct-1/orders", buyLow)
	for _, target := range []string{"/orders", "/positions", "/account", "/orders/x"} {
		others.want(404, "account not found", "GET", "/v1/trading/accounts/acct-1"+target, "")
	}
	others.want(404, "account not found", "DELETE", "/v1/trading/accounts/acct-1/orders", "")
	others.want(404, "account not found", "GET", "/v1/accounts/activities/FILL?account_id=acct-1", "")
	(&corr{ours.client, "CK1", "guess"}).want(401, "unauthorized", "GET", "/v1/trading/accounts/acct-1/orders", "")
	(&corr{ours.client, "", ""}).want(403, "forbidden", "GET", "/v1/trading/accounts/acct-1/orders", "")
	// "acme" is the account of a key of its own.
	ours.list("/v2/orders")
	ours.want(404, "account not found", "GET", "/v1/trading/accounts/acme/orders", "")
	(&client{t, ours.api, "acct-1"}).do(401, "GET", "/v2/orders", "")
	if n := len(b.Ledger().Arrived(0)); n != 1 {
		t.Errorf("%d requests were let in", n)
	}
}

// TestCorrespondentLimit: the limit is one over all accounts, whatever is asked, in windows of
// its length; what the ledger tells agrees.
func TestCorrespondentLimit(t *testing.T) {
	now := noon.Truncate(time.Minute)
	b, ours, others := newCorrespondents(t, paper.Config{
		Correspondent: paper.Limit{Requests: 3, Window: 5 * time.Second}, Clock: func() time.Time { return now },
	})
	for i, tc := range []struct {
		after          time.Duration
		who            *corr
		method, target string
		status         int
		remaining      string
	}{
		{0, ours, "GET", "/v1/trading/accounts/a/orders", 200, "2"},
		{4 * time.Second, ours, "DELETE", "/v1/trading/accounts/b/orders", 207, "1"},
		{0, ours, "GET", "/v1/accounts/activities/FILL?account_id=c", 200, "0"},
		{0, others, "GET", "/v1/trading/accounts/z/orders", 200, "2"},
		{0, ours, "DELETE", "/v1/trading/accounts/a/orders/x", 429, "0"},
		{0, ours, "GET", "/v1/trading/accounts/z/orders", 429, "0"},
		{time.Second, ours, "GET", "/v1/trading/accounts/z/orders", 404, "2"},
	} {
		now = now.Add(tc.after)
		r := tc.who.want(tc.status, "", tc.method, tc.target, "")
		reset := fmt.Sprint(now.Truncate(5 * time.Second).Add(5 * time.Second).Unix())
		if h := r.header; h.Get("X-RateLimit-Limit") != "3" || h.Get("X-RateLimit-Remaining") != tc.remaining || h.Get("X-RateLimit-Reset") != reset {
			t.Errorf("request %d: %v", i, h)
		}
	}
	u := b.Usage("CK1", time.Time{}, time.Time{})
	if u.Requests != 6 || u.Refused != 2 || u.Cancels != 2 || u.Most != 5 || u.Limit.Requests != 3 {
		t.Errorf("usage %+v", u)
	}
	start := noon.Truncate(time.Minute)
	if u := b.Usage("CK1", start, start.Add(5*time.Second)); u.Requests != 5 || u.Share != 1 {
		t.Errorf("of the first window: %+v", u)
	}
	if u := b.Usage("CK1", start.Add(5*time.Second), start.Add(15*time.Second)); u.Requests != 1 || u.Share < 0.16 || u.Share > 0.17 {
		t.Errorf("of the next two: %+v", u)
	}
	if u := b.Usage("CK2", time.Time{}, time.Time{}); u.Requests != 1 || u.Share < 0.33 || u.Share > 0.34 {
		t.Errorf("of a moment: %+v", u)
	}
	if u := b.Usage("nobody", time.Time{}, time.Time{}); u.Requests != 0 || u.Most != 0 || u.Share != 0 {
		t.Errorf("of nobody: %+v", u)
	}
	b.SetCorrespondentLimit(paper.Limit{Requests: paper.Unlimited})
	for range 5 {
		if r := ours.want(200, "", "GET", "/v1/trading/accounts/a/orders", ""); r.header.Get("X-RateLimit-Limit") != "" {
			t.Error("no limit is stated as one")
		}
	}
}

// TestUsageMost: the largest number in any window is what a slow count finds.
func TestUsageMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		b := paper.New(paper.Config{Correspondent: paper.Limit{Requests: paper.Unlimited, Window: 2 * time.Second}, Clock: func() time.Time { return now }})
		api := b.Handler()
		var times []time.Time
		for _, step := range rapid.SliceOfN(rapid.IntRange(0, 900), 1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(step) * time.Millisecond)
			times = append(times, now)
			r := httptest.NewRequestWithContext(context.Background(), "GET", "/v1/trading/accounts/a/orders", http.NoBody)
			r.SetBasicAuth("CK1", "one")
			api.ServeHTTP(httptest.NewRecorder(), r)
		}
		most := 0
		for _, begin := range times {
			n := 0
			for _, at := range times {
				if !at.Before(begin) && at.Before(begin.Add(2*time.Second)) {
					n++
				}
			}
			most = max(most, n)
		}
		if u := b.Usage("CK1", time.Time{}, time.Time{}); u.Most != most || u.Requests != len(times) {
			t.Fatalf("usage %+v, want %d at most", u, most)
		}
	})
}

// tale is an event of the stream of all accounts.
type tale struct {
	AccountID string          `json:"account_id"`
	EventID   json.RawMessage `json:"event_id"`
	EventULID string          `json:"event_ulid"`
	Event     string          `json:"event"`
	At        time.Time       `json:"at"`
}

// stream reads a stream of events: each is one, or a comment.
func (b *running) stream(t *testing.T, key, path string, query url.Values) (next func() (tale, string, bool)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.api+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(key, "one")
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); resp.Body.Close() }) //nolint:errcheck // it was cut off
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return func() (e tale, comment string, ok bool) {
		for lines.Scan() {
			if text, is := strings.CutPrefix(lines.Text(), ":"); is {
				return e, text, true
			}
			if data, is := strings.CutPrefix(lines.Text(), "data: "); is {
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					t.Fatal(err)
				}
				return e, "", true
			}
		}
		return e, "", false
	}
}

// trade places an order for an account of a correspondent.
func (b *running) trade(t *testing.T, key, account, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.api+"/v1/trading/accounts/"+account+"/orders", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(key, "one")
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
}

// TestCorrespondentStream: one stream tells of all accounts of a correspondent, in order, and
// of nobody else's; from an id or a time on, to an id or a time.
func TestCorrespondentStream(t *testing.T) {
	for path, isNumber := range map[string]bool{"/v1/events/trades": true, "/v2/events/trades": false} {
		t.Run(path, func(t *testing.T) {
			now := noon
			b := run(t, paper.Config{Clock: func() time.Time { return now }, Heartbeat: 5 * time.Millisecond})
			b.trade(t, "CK1", "early", buyOne) // nobody follows yet
			live := b.stream(t, "CK1", path, nil)
			if _, comment, ok := live(); !ok || !strings.Contains(comment, "welcome") {
				t.Fatalf("it begins with %q", comment)
			}
			now = now.Add(time.Second)
			b.trade(t, "CK2", "foreign", buyOne)
			b.trade(t, "CK1", "a", buyOne)
			now = now.Add(time.Second)
			b.trade(t, "CK1", "b", buyOne)
			var ids []string
			beats := 0
			for _, want := range []string{"a new", "a fill", "b new", "b fill"} {
				e, comment, ok := live()
				for ; ok && comment == "heartbeat"; e, comment, ok = live() {
					beats++
				}
				if got := e.AccountID + " " + e.Event; !ok || comment != "" || got != want || e.At.IsZero() {
					t.Fatalf("got %s %s, want %s", got, comment, want)
				}
				if isNumber != (e.EventULID != "") {
					t.Errorf("ids %s and %q", e.EventID, e.EventULID)
				}
				if id := strings.Trim(string(e.EventID), `"`); !isNumber && len(ids) > 0 && id <= ids[len(ids)-1] {
					t.Errorf("id %s comes behind %s", id, ids[len(ids)-1])
				}
				ids = append(ids, strings.Trim(string(e.EventID), `"`))
			}
			if _, comment, ok := live(); !ok || comment != "heartbeat" {
				t.Errorf("when nothing happens: %q", comment)
			}
			for name, tc := range map[string]struct {
				query url.Values
				want  int
			}{
				"behind an id":    {url.Values{"since_id": {ids[0]}, "until_id": {ids[2]}}, 2},
				"from a time":     {url.Values{"since": {noon.Add(time.Second).Format(time.RFC3339Nano)}, "until": {"2027-01-01"}}, 4},
				"between times":   {url.Values{"since": {"2026-06-17"}, "until": {noon.Add(time.Second).Format(time.RFC3339Nano)}}, 4},
				"from the outset": {url.Values{"since": {"2026-06-17"}, "until": {"2027-01-01"}}, 6},
			} {
				next := b.stream(t, "CK1", path, tc.query)
				n := 0
				for e, comment, ok := next(); ok; e, comment, ok = next() {
					if comment == "" {
						n++
						if e.AccountID == "foreign" {
							t.Errorf("%s: another correspondent's", name)
						}
					}
				}
				if n != tc.want {
					t.Errorf("%s: %d events, want %d", name, n, tc.want)
				}
			}
			for _, query := range []string{"since_id=x", "since=x", "until=2027-01-01", "since=2026-06-17&since_id=" + ids[0]} {
				req := b.request(t.Context(), "GET", b.api+path+"?"+query, "")
				req.Header.Del("APCA-API-KEY-ID")
				req.SetBasicAuth("CK1", "one")
				resp, err := b.http.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close() //nolint:errcheck,gosec // nothing is read
				if resp.StatusCode != http.StatusUnprocessableEntity {
					t.Errorf("%s: %s", query, resp.Status)
				}
			}
		})
	}
}

// TestCorrespondentStreamFaults: what goes wrong for one account leaves the others' alone.
func TestCorrespondentStreamFaults(t *testing.T) {
	b := run(t, paper.Config{})
	next := b.stream(t, "CK1", "/v2/events/trades", nil)
	next() // welcome
	for _, f := range []paper.Fault{
		{Operation: paper.Stream, Kind: paper.Drop, Account: "a", Count: 1},
		{Operation: paper.Place, Kind: paper.Error, Account: "b", When: paper.After, Count: 1},
	} {
		if err := b.SetFault(f); err != nil {
			t.Fatal(err)
		}
	}
	b.trade(t, "CK1", "a", buyOne)
	b.trade(t, "CK1", "c", buyOne)
	for _, want := range []string{"a fill", "c new", "c fill"} {
		if e, _, ok := next(); !ok || e.AccountID+" "+e.Event != want {
			t.Errorf("%s %s, want %s", e.AccountID, e.Event, want)
		}
	}
	if err := b.SetFault(paper.Fault{Operation: paper.Stream, Kind: paper.Reset, Account: "c"}); err != nil {
		t.Fatal(err)
	}
	b.trade(t, "CK1", "c", buyOne)
	if e, _, ok := next(); ok {
		t.Errorf("after a reset: %+v", e)
	}
	ours := &corr{&client{t, b.Handler(), ""}, "CK1", "one"}
	ours.want(500, "", "POST", "/v1/trading/accounts/b/orders", buyOne)
	if n := len(b.Ledger().Booked(0)); n != 4 {
		t.Errorf("%d booked", n)
	}
	if err := b.SetFault(paper.Fault{Operation: paper.Stream, Kind: paper.RateLimit, Count: 1}); err != nil {
		t.Fatal(err)
	}
	ours.want(429, "rate limit", "GET", "/v2/events/trades", "")
}

// TestUsageByAdmin reads the requests and their count at the admin endpoints.
func TestUsageByAdmin(t *testing.T) {
	b, ours, _ := newCorrespondents(t, paper.Config{})
	ours.want(207, "", "DELETE", "/v1/trading/accounts/a/orders", "")
	for target, want := range map[string]string{
		"/ledger?kind=requested":                             `"correspondent":"CK1","account":"a","cancel":true,"refused":false}`,
		"/usage?correspondent=CK1&from=2020-01-01T00:00:00Z": `"requests":1,"refused":0,"cancels":1,"most":1,`,
		"/usage":                          "correspondent: want",
		"/usage?correspondent=x&from=odd": "want a time",
	} {
		w := httptest.NewRecorder()
		b.Admin().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", target, http.NoBody))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s, want %s", target, w.Body, want)
		}
	}
}
