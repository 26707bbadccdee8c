package feed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/producer/feed"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

// read reads a feed to its end.
func read(format feed.Format, text string) (lines []feed.Line, problems []string, err error) {
	for l, err := range feed.Read(strings.NewReader(text), format) {
		if p, ok := errors.AsType[feed.LineError](err); ok {
			problems = append(problems, p.Error())
			continue
		}
		if err != nil {
			return lines, problems, err
		}
		lines = append(lines, l)
	}
	return lines, problems, nil
}

func TestJSONLines(t *testing.T) {
	const good = `{"tenant":"acme","id":"a","kind":"order","expires_in":"5m","order":{"symbol":"AAPL","qty":"0.1","side":"buy","type":"market","time_in_force":"day"}}`
	for _, tc := range []struct {
		name, text string
		lines      int
		problem    string
	}{
		{"one", good, 1, ""},
		{"two, the last without a newline", good + "\n" + good, 2, ""},
		{"empty lines", "\n\n" + good + "\n  \n", 1, ""},
		{"byte order mark", "\xef\xbb\xbf" + good + "\n", 1, ""},
		{"windows", good + "\r\n" + good + "\r\n", 2, ""},
		{"nothing", "", 0, ""},
		{"cut short", good[:40] + "\n" + good, 1, "line 1: it is not JSON at byte 40"},
		{"not an object", "[]\n" + good, 1, "line 1: it is no JSON object"},
		{"unknown field", `{"tenant":"acme","colour":"red"}`, 0, "line 1: colour: is not a known field"},
		{"wrong decimal", strings.Replace(good, "0.1", "0,1", 1), 0, `line 1: order.qty: "0,1" is no`},
		{"wrong tenant", strings.Replace(good, `"acme"`, `7`, 1), 0, "line 1: tenant: is no string"},
		{"wrong lifetime", strings.Replace(good, "5m", "soon", 1), 0, `line 1: expires_in: "soon" is no positive duration`},
		{"both expiries", strings.Replace(good, `"kind"`, `"expires_at":"2030-01-01T00:00:00Z","kind"`, 1), 0, "line 1: expires_in: stands beside expires_at"},
		{"a very long line", good + "\n" + strings.Repeat("x", 3*order.MaxMessage) + "\n" + good, 2, "line 2: it has more than"},
		{"a long line", strings.Repeat("x", order.MaxMessage+1) + "\n" + good, 1, "line 1: it has 65537 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines, problems, err := read(feed.JSONLines, tc.text)
			if err != nil || len(lines) != tc.lines {
				t.Fatalf("%d lines, %v", len(lines), err)
			}
			if (tc.problem == "") != (len(problems) == 0) || tc.problem != "" && !strings.HasPrefix(problems[0], tc.problem) {
				t.Errorf("problems %q, wanted %q", problems, tc.problem)
			}
		})
	}
}

func TestCSV(t *testing.T) {
	const header = "tenant,id,symbol,qty,side,type,limit_price,time_in_force,label.note\n"
	for _, tc := range []struct {
		name, text string
		lines      int
		problem    string
	}{
		{"two", header + "acme,a,AAPL,1,buy,market,,day,\nacme,b,AAPL,2,buy,limit,1.5,gtc,\n", 2, ""},
		{"quotes and newlines", header + "acme,a,AAPL,1,buy,market,,day,\"one,\ntwo\"\nacme,b,AAPL,1,buy,market,,day,x\n", 2, ""},
		{"byte order mark", "\xef\xbb\xbf" + header + "acme,a,AAPL,1,buy,market,,day,\n", 1, ""},
		{"only a header", header, 0, ""},
		{"nothing", "", 0, ""},
		{"too few fields", header + "acme,a\nacme,b,AAPL,1,buy,market,,day,\n", 1, "line 2: wrong number of fields"},
		{"wrong decimal", header + "acme,a,AAPL,one,buy,market,,day,\n", 0, `line 2: order.qty: "one" is no`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines, problems, err := read(feed.CSV, tc.text)
			if err != nil || len(lines) != tc.lines {
				t.Fatalf("%d lines, %v", len(lines), err)
			}
			if (tc.problem == "") != (len(problems) == 0) || tc.problem != "" && !strings.HasPrefix(problems[0], tc.problem) {
				t.Errorf("problems %q, wanted %q", problems, tc.problem)
			}
			for _, l := range lines {
				if err := l.Intent.Validate(); l.Tenant != "acme" || l.Intent.Kind != order.KindOrder || err != nil && !strings.Contains(err.Error(), "expires_at") {
					t.Errorf("%+v: %v", l, err)
				}
			}
		})
	}
	for _, header := range []string{"tenant,colour\n", "tenant,tenant\n", "tenant,label.\n"} {
		if _, _, err := read(feed.CSV, header); err == nil || !strings.Contains(err.Error(), "column") {
			t.Errorf("header %q: %v", header, err)
		}
	}
}

func TestFormats(t *testing.T) {
	if _, _, err := read("xml", "x"); err == nil {
		t.Error("there is no such format")
	}
}

// rig is a ledger whose server forgets ids after a moment.
func rig(t *testing.T) *producer.Producer {
	t.Helper()
	nc := ledgertest.Provision(t, 3, func(s *ledger.Settings) { s.Dedup = time.Second })
	p, err := producer.New(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// onLedger counts the intents on the ledger.
func onLedger(t *testing.T, p *producer.Producer) int {
	t.Helper()
	n := uint64(0)
	for shard := range p.Ledger().Shards() {
		end, err := p.Ledger().End(t.Context(), shard)
		if err != nil {
			t.Fatal(err)
		}
		n += end
	}
	return int(n)
}

// text is a feed of which every second line has no id.
func text(lines int) string {
	var b strings.Builder
	for i := range lines {
		id := fmt.Sprintf(`"id":"n%d",`, i)
		if i%2 == 0 {
			id = ""
		}
		fmt.Fprintf(&b, `{"tenant":"t%d",%s"kind":"order","order":{"symbol":"AAPL","qty":"1","side":"buy","type":"market","time_in_force":"day"}}`+"\n", i%5, id)
	}
	return b.String()
}

// TestImportTwice: the second run publishes nothing, with the server's memory of ids and
// without it.
func TestImportTwice(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		t.Run(fmt.Sprintf("forgotten=%v", forgotten), func(t *testing.T) {
			p := rig(t)
			const lines = 40
			first, err := feed.Import(t.Context(), p, strings.NewReader(text(lines)), feed.Options{Format: feed.JSONLines})
			if err != nil || first.Published != lines || !first.Clean() {
				t.Fatalf("%+v, %v", first, err)
			}
			if forgotten {
				forget(t, p)
			}
			second, err := feed.Import(t.Context(), p, strings.NewReader(text(lines)), feed.Options{Format: feed.JSONLines})
			if err != nil || second.Published != 0 || second.Already != lines || !second.Clean() {
				t.Errorf("%+v, %v", second, err)
			}
		})
	}
}

// forget waits until the server has forgotten an id that it saw just now.
func forget(t *testing.T, p *producer.Producer) {
	t.Helper()
	first := uint64(0)
	for {
		r, err := p.Publish(t.Context(), "probe", order.Intent{ID: "probe", Kind: order.KindCancelAll})
		if err != nil {
			t.Fatal(err)
		}
		if first == 0 {
			first = r.Seq
		}
		if r.Seq != first {
			return
		}
	}
}

// TestImportAgainAfterACut: what the first run did not get to, the second one does.
func TestImportAgainAfterACut(t *testing.T) {
	p := rig(t)
	const lines = 600
	ctx, cut := context.WithCancel(t.Context())
	first, err := feed.Import(ctx, p, strings.NewReader(text(lines)), feed.Options{Format: feed.JSONLines, Progress: func(done, _ int) {
		if done == lines/3 {
			cut()
		}
	}})
	if !errors.Is(err, context.Canceled) || first.Published == 0 || first.Published == lines {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := feed.Import(t.Context(), p, strings.NewReader(text(lines)), feed.Options{Format: feed.JSONLines})
	if err != nil || !second.Clean() || second.Published+second.Already != lines {
		t.Errorf("%+v, %v", second, err)
	}
	if n := onLedger(t, p); n != lines {
		t.Errorf("%d intents on the ledger, wanted %d", n, lines)
	}
}

// TestImportReports what it did not publish, and goes on.
func TestImportReports(t *testing.T) {
	p := rig(t)
	in := strings.Join([]string{
		`{"tenant":"a","id":"1","kind":"cancel_all"}`,
		`{"tenant":"a","id":"1","kind":"cancel_all"}`,
		`{"tenant":"a","id":"1","kind":"cancel","target":"x"}`,
		`{"tenant":"a b","id":"2","kind":"cancel_all"}`,
		`{"id":"2","kind":"cancel_all"}`,
		`{"tenant":"a","id":"3","kind":"cancel"}`,
		`{"tenant":"b","id":"1","kind":"cancel_all"}`,
	}, "\n")
	var reports []string
	sum, err := feed.Import(t.Context(), p, strings.NewReader(in), feed.Options{Format: feed.JSONLines, Report: func(p feed.LineError) { reports = append(reports, p.Error()) }})
	if err != nil {
		t.Fatal(err)
	}
	if want := (feed.Summary{Lines: 7, Published: 2, Already: 1, Repeated: 1, Malformed: 3}); sum != want {
		t.Errorf("got %+v, wanted %+v", sum, want)
	}
	for i, want := range []string{`line 3: id: "1" of tenant a was used on line 1`, "line 4: tenant:", "line 5: tenant: is required", "line 6: target: is required"} {
		if i >= len(reports) || !strings.HasPrefix(reports[i], want) {
			t.Errorf("reports %q, wanted %q", reports, want)
		}
	}
}

func FuzzJSONLines(f *testing.F) { fuzz(f, feed.JSONLines, text(3)) }

func FuzzCSV(f *testing.F) {
	fuzz(f, feed.CSV, "tenant,symbol,qty,label.x\nacme,AAPL,1,\"a\nb\"\n")
}

// fuzz reads anything: each line comes once, as a line or as a problem, in order.
func fuzz(f *testing.F, format feed.Format, seed string) {
	f.Add([]byte(seed))
	f.Add([]byte("\xef\xbb\xbf\n\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		last := 0
		for l, err := range feed.Read(strings.NewReader(string(data)), format) {
			number := l.Number
			if p, ok := errors.AsType[feed.LineError](err); ok {
				number = p.Line
			} else if err != nil {
				return
			}
			if number < last || number == 0 {
				t.Fatalf("line %d after line %d", number, last)
			}
			last = number
			if _, err := order.EncodeIntent(l.Intent); err != nil {
				t.Fatalf("line %d cannot be written again: %v", number, err)
			}
		}
	})
}
