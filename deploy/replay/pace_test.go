package replay_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
)

// past is a ledger that does not run: it has intents at moments.
type past []time.Duration

func (past) Name() string           { return "the past" }
func (past) Shards() int            { return 1 }
func (past) Extent() history.Extent { return history.Extent{} }
func (p past) Read(_ context.Context, _ history.Stretch, _ history.Progress, deliver func(int, ledger.Entry) error) error {
	begin := time.Date(2026, 11, 24, 14, 30, 0, 0, time.UTC)
	for i, after := range p {
		e := ledger.Entry{Class: ledger.Intents, Tenant: "acme", Seq: uint64(i) + 1, Time: begin.Add(after), Data: []byte(`{}`)}
		if err := deliver(0, e); err != nil {
			return err
		}
	}
	return nil
}

func noWait(*replay.Asked, time.Duration) {}

// TestPace: an export is played by its times, to the nanosecond, at any factor; who is slow
// does not make those behind late.
func TestPace(t *testing.T) {
	moments := past{0, time.Millisecond, time.Second, time.Second, 90 * time.Second, 12 * time.Hour}
	for _, tc := range []struct {
		pace string
		per  float64 // of then
		slow time.Duration
	}{
		{"now", 0, 0}, {"original", 1, 0}, {"original", 1, 300 * time.Microsecond}, {"10x", 0.1, 0}, {"10", 0.1, 20 * time.Microsecond}, {"0.5x", 2, 0},
	} {
		t.Run(tc.pace, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, err := replay.Read(t.Context(), moments, replay.Selection{}, quiet)
				if err != nil {
					t.Fatal(err)
				}
				var pace replay.Pace
				if err := pace.Set(tc.pace); err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				var came []time.Duration
				err = replay.Play(t.Context(), moments, all, pace, noWait, func(*replay.Asked) error {
					came = append(came, time.Since(begun))
					time.Sleep(tc.slow) //nolint:forbidigo // in a bubble
					return nil
				})
				if err != nil || len(came) != len(moments) {
					t.Fatalf("%d came, %v", len(came), err)
				}
				for i, then := range moments {
					want := time.Duration(float64(then) * tc.per)
					if i == 3 { // together with the one before it, which is slow
						want += tc.slow
					}
					if came[i] != want {
						t.Errorf("%d came after %s, wanted %s", i, came[i], want)
					}
				}
			})
		})
	}
}

func TestPaceIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		moments := past{0, time.Hour}
		all, err := replay.Read(ctx, moments, replay.Selection{}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = replay.Play(ctx, moments, all, replay.Original, noWait, func(*replay.Asked) error { n++; return nil })
		if !errors.Is(err, context.DeadlineExceeded) || n != 1 {
			t.Errorf("%d came, %v", n, err)
		}
	})
}

func TestPaces(t *testing.T) {
	for _, bad := range []string{"", "fast", "0", "-1", "x", "NaN", "Inf", "1e300"} {
		var p replay.Pace
		if err := p.Set(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, &p)
		}
	}
	for text, want := range map[string]string{"now": "now", "original": "original", "1": "original", "2.5x": "2.5x", "10": "10x"} {
		var p replay.Pace
		if err := p.Set(text); err != nil || p.String() != want {
			t.Errorf("%q is %v: %v", text, &p, err)
		}
	}
}

// TestOriginalPace: a running ledger is played by JetStream's own policy. The gaps between
// orders are those of then, and shards keep step with each other.
func TestOriginalPace(t *testing.T) {
	d := newDesk(t)
	tenants := []string{"acme", "beta", "gamma"}
	shard := make(map[int]bool)
	for i, gap := range []int{0, 30, 0, 80, 5, 400, 12, 60, 1} {
		<-time.After(time.Duration(gap) * time.Millisecond)
		tenant := tenants[i%len(tenants)]
		shard[d.ShardOf(tenant)] = true
		d.publish(tenant, buy(string(rune('a'+i)), "AAPL", "1"))
	}
	if len(shard) < 2 {
		t.Fatal("the tenants are of one shard")
	}
	all := read(t, d.Ledger, replay.Selection{})

	late := ledgertest.Lateness(t)
	var came []time.Time
	begun := time.Now()
	src := &paced{Source: history.Live(d.Ledger)}
	err := replay.Play(t.Context(), src, all, replay.Original, noWait, func(*replay.Asked) error {
		came = append(came, time.Now())
		return nil
	})
	if err != nil || len(came) != len(all) {
		t.Fatalf("%d of %d came, %v", len(came), len(all), err)
	}
	if int(src.shards.Load()) != len(shard) {
		t.Errorf("the server paced %d shards of %d", src.shards.Load(), len(shard))
	}
	// Each message may be late by what the policy takes for no gap, a millisecond, and by
	// what this machine is late in waking up four: the server's loop, the client's reader, the
	// shard's and ours. A shard is late anew at each of its messages, and a gap between
	// shards has two histories; once in these it may be at its worst. And a consumer takes as
	// long to be made as the first message took to come.
	worst, mean := late()
	tolerance := came[0].Sub(begun) + time.Duration(len(all))*(time.Millisecond+4*mean) + 4*worst
	for i := 1; i < len(all); i++ {
		got, want := came[i].Sub(came[i-1]), all[i].At.Sub(all[i-1].At)
		if diff := (got - want).Abs(); diff > tolerance {
			t.Errorf("%d came %s after the one before, then %s: %s are more than %s", i, got, want, diff, tolerance)
		}
	}
}

// paced counts the shards that a server is asked to pace.
type paced struct {
	history.Source
	shards atomic.Int64
}

type replayer interface {
	Replay(ctx context.Context, shard int, start ledger.Start, end uint64, deliver func(ledger.Entry) error) error
}

func (p *paced) Replay(ctx context.Context, shard int, start ledger.Start, end uint64, deliver func(ledger.Entry) error) error {
	p.shards.Add(1)
	return p.Source.(replayer).Replay(ctx, shard, start, end, deliver)
}

// TestOriginalPaceIsLeft: deliver's error ends it, and ctx too, while shards wait.
func TestOriginalPaceIsLeft(t *testing.T) {
	d := newDesk(t)
	d.publish("acme", buy("a", "AAPL", "1"))
	<-time.After(200 * time.Millisecond)
	d.publish("beta", buy("a", "AAPL", "1"))
	d.publish("acme", buy("b", "AAPL", "1"))
	all := read(t, d.Ledger, replay.Selection{})
	enough := errors.New("enough")
	if err := replay.Play(t.Context(), history.Live(d.Ledger), all, replay.Original, noWait, func(*replay.Asked) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := replay.Play(ctx, history.Live(d.Ledger), all, replay.Original, noWait, func(*replay.Asked) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
