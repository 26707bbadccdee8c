package replay_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/producer/feed"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

// TestFile: what is exported is imported onto an empty ledger as it was, but for expiries,
// which last as long as they did.
func TestFile(t *testing.T) {
	d := newDesk(t)
	old := buy("old", "AAPL", "1")
	old.ExpiresAt = time.Now().Add(-time.Hour).Round(time.Millisecond).UTC()
	again := limit("again", "MSFT", "0.125", "417.05")
	again.RetryOf, again.Order.TimeInForce = "a", order.Day
	bad := buy("bad", "", "1")
	d.asked("acme", buy("a", "AAPL", "1", "desk", "7", "who", "ann \"x\" \u00e9"), order.Accepted)
	d.asked("beta", order.Intent{ID: "close", Kind: order.KindClosePosition, ExpiresAt: time.Now().Add(time.Minute), Order: &order.Order{Symbol: "TSLA", Qty: num("1")}}, order.Rejected)
	d.asked("acme", cancel("c", "a"), order.Accepted)
	d.asked("acme", buy("a", "AAPL", "1"), order.Duplicate)
	d.asked("acme", bad, order.Invalid)
	d.put(ledger.Intents, "acme", []byte("no JSON"))
	d.asked("acme", again, order.Failed)
	d.asked("beta", old, order.Expired)
	d.publish("gamma", buy("due", "AAPL", "1"))
	all := read(t, d.Ledger, replay.Selection{})

	path := filepath.Join(t.TempDir(), "intents.jsonl")
	sum, err := replay.ExportFile(path, all)
	if want := (replay.Lines{Written: 6, Malformed: 2, Repeated: 1}); err != nil || sum != want {
		t.Fatalf("%+v, %v", sum, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := producer.New(t.Context(), ledgertest.Provision(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	published, err := feed.Import(t.Context(), p, bytes.NewReader(text), feed.Options{Format: feed.JSONLines, Report: func(e feed.LineError) { t.Error(e) }})
	if err != nil || published.Published != 6 {
		t.Fatalf("%+v, %v\n%s", published, err, text)
	}
	there := make(map[string]*replay.Asked)
	for _, a := range read(t, p.Ledger(), replay.Selection{}) {
		there[a.Tenant+"."+a.ID] = a
	}
	for _, a := range all {
		if a.Intent == nil || a.ID == "bad" || a.Status() == order.Duplicate {
			continue
		}
		b := there[a.Tenant+"."+a.ID]
		if b == nil {
			t.Errorf("%s.%s is not there", a.Tenant, a.ID)
			continue
		}
		then, now := *a.Intent, *b.Intent
		if a.ID == "old" {
			if !now.ExpiresAt.Equal(old.ExpiresAt) {
				t.Errorf("it expires at %s, then at %s", now.ExpiresAt, old.ExpiresAt)
			}
		} else if left := time.Until(now.ExpiresAt); left <= 0 || left > then.ExpiresAt.Sub(a.At) {
			t.Errorf("%s may wait for %s, then for %s", a.ID, left, then.ExpiresAt.Sub(a.At))
		}
		now.ExpiresAt = then.ExpiresAt
		was, _ := order.EncodeIntent(then)
		is, _ := order.EncodeIntent(now)
		if !bytes.Equal(was, is) {
			t.Errorf("was %s\nis  %s", was, is)
		}
	}
	second, err := feed.Import(t.Context(), p, bytes.NewReader(text), feed.Options{Format: feed.JSONLines})
	if err != nil || second.Already != 6 {
		t.Errorf("again: %+v, %v", second, err)
	}
}

// TestFileIsWhole: a file is there whole, or as it was before.
func TestFileIsWhole(t *testing.T) {
	d := newDesk(t)
	d.asked("acme", buy("a", "AAPL", "1"), order.Accepted)
	all := read(t, d.Ledger, replay.Selection{})
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link") // as /dev/stdout is one
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{taken, link} {
		if _, err := replay.ExportFile(path, all); !errors.Is(err, replay.ErrNoFile) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if there, err := os.Lstat(link); err != nil || there.Mode().IsRegular() {
		t.Errorf("the link was replaced: %v, %v", there, err)
	}
	if _, err := replay.ExportFile(filepath.Join(dir, "none", "file"), all); err == nil {
		t.Error("it was written where there is no directory")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// TestReport: what people read has everything that was asked, and what became of it.
func TestReport(t *testing.T) {
	d := newDesk(t)
	d.asked("acme", buy("a", "AAPL", "3", "desk", "7"), order.Accepted)
	d.filled("acme", "a", "3", "190.5")
	d.asked("acme", limit("b", "MSFT\x1b[2J", "1", "9.5"), order.Invalid)
	seq := d.publish("beta", buy("c", "AAPL", "9000"))
	d.end("beta", order.Outcome{IntentID: "c", IntentSeq: seq, Status: order.Rejected, HTTPStatus: 403, Code: 40310000, Message: "insufficient buying power"})
	d.asked("beta", cancel("d", "c"), order.Failed)
	d.put(ledger.Intents, "gamma", []byte("no JSON"))
	d.put(ledger.Intents, "ev\x1b[31mil", []byte(`{"id":"e"}`)) // a server takes such a subject
	all := read(t, d.Ledger, replay.Selection{})
	var text bytes.Buffer
	table := replay.NewTable(&text, all)
	for _, a := range all {
		if err := table.Add(a.Row()); err != nil {
			t.Fatal(err)
		}
	}
	var differ bytes.Buffer
	replay.Compare(all, make([]replay.Fate, len(all)), replay.Conditions{}).Print(&differ)
	if strings.ContainsRune(text.String()+differ.String(), '\x1b') {
		t.Errorf("it steers the terminal: %q", text.String()+differ.String())
	}
	sum := replay.Sum(all)
	for _, want := range []string{"buy 3 AAPL market", "filled 3 at 190.5", "HTTP 403 40310000 insufficient buying power", "cancel c", "malformed", "due", "MSFT\uFFFD[2J"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if want := "6 intents of 4 tenants"; !strings.HasPrefix(sum.String(), want) || !strings.Contains(sum.String(), "1 accepted, 1 rejected, 1 invalid, 1 failed, 2 due; 1 orders filled, 0 in part") {
		t.Errorf("%s", sum)
	}
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	at := strings.Index(lines[0], "WHY")
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "HTTP 403") }); len(lines) != 7 || !strings.HasPrefix(lines[i][at:], "HTTP 403") {
		t.Errorf("the columns are not below each other:\n%s", text.String())
	}
	r := all[0].Row()
	if r.Labels["desk"] != "7" || r.Status != order.Accepted || r.BrokerOrderID == "" || r.Seq != all[0].Seq {
		t.Errorf("%+v", r)
	}
	if empty := replay.Sum(nil); empty.String() != "nothing was asked" || !reflect.DeepEqual(empty.Statuses, map[order.Status]int{}) {
		t.Errorf("%+v", empty)
	}
}
