package replay_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/local"
	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/rs/zerolog"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

func quiet(string, int, int) {}

// read reads a selection of a ledger.
func read(t *testing.T, l *ledger.Ledger, s replay.Selection) []*replay.Asked {
	t.Helper()
	all, err := replay.Read(t.Context(), history.Live(l), s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// shadow replays to a shadow and returns the report as bytes, and what it says.
func shadow(t *testing.T, shards int, all []*replay.Asked, c replay.Conditions) ([]byte, *replay.Differences) {
	t.Helper()
	c.Log = zerolog.Nop()
	fates, err := replay.Shadow(t.Context(), shards, all, c, quiet)
	if err != nil {
		t.Error(err) // not always from the test's goroutine
		return nil, &replay.Differences{}
	}
	d := replay.Compare(all, fates, c)
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	for _, diff := range d.All {
		if err := enc.Encode(diff); err != nil {
			t.Error(err)
		}
	}
	d.Print(&text)
	return text.Bytes(), d
}

// ends counts the orders of which the ledger knows the end.
func ends(all []*replay.Asked) (n int) {
	for _, a := range all {
		switch a.Filled().Status {
		case "filled", "canceled", "replaced", "expired", "rejected":
			n++
		}
	}
	return n
}

// TestShadowOfTheFeed: the shipped feed, with every kind of order and mistake, ends in a
// shadow as it did.
func TestShadowOfTheFeed(t *testing.T) {
	t.Parallel() // it waits more than it works
	s, err := local.Start(t.Context(), local.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	if _, err := s.Demo(t.Context(), io.Discard, quiet); err != nil {
		t.Fatal(err)
	}
	all := read(t, s.Producer.Ledger(), replay.Selection{})
	for ends(all) < 159 { // the others that were booked rest
		<-time.After(20 * time.Millisecond)
		all = read(t, s.Producer.Ledger(), replay.Selection{})
	}
	first, d := shadow(t, s.Producer.Ledger().Shards(), all, replay.Conditions{})
	if d.Intents != 220 || d.Differ != 0 {
		t.Errorf("%d intents:\n%s", d.Intents, first)
	}
	if again, _ := shadow(t, s.Producer.Ledger().Shards(), all, replay.Conditions{}); !bytes.Equal(first, again) {
		t.Errorf("the second time:\n%s\nthe first time:\n%s", again, first)
	}
}
