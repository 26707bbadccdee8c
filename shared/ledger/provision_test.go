package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

func TestProvisionIsIdempotent(t *testing.T) {
	nc := serve(t, 4)
	s := ledger.DefaultSettings()
	s.Shards = 4
	first, err := ledger.Provision(t.Context(), nc, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 8 { // four streams and four buckets
		t.Errorf("first run: %v", first)
	}
	second, err := ledger.Provision(t.Context(), nc, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(second) != 0 {
		t.Errorf("second run changed %v", second)
	}
	s.Dedup = time.Minute
	third, err := ledger.Provision(t.Context(), nc, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(third) != 4 || third[0].String() != "update ORDERS_0: dedup window from 10m0s to 1m0s" {
		t.Errorf("third run: %v", third)
	}
}

// TestProvisionVerifiesWithoutStoring: the dry run leaves nothing behind.
func TestProvisionVerifiesWithoutStoring(t *testing.T) {
	l, _ := ledgertest.Open(t, 8)
	for shard := range 8 {
		if end, err := l.End(t.Context(), shard); err != nil || end != 0 {
			t.Errorf("shard %d ends at %d (%v), wanted it empty", shard, end, err)
		}
	}
}

func TestProvisionRefusesToLoseData(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*ledger.Settings)
		field  string
	}{
		{"more shards", func(s *ledger.Settings) { s.Shards = 8 }, "shards"},
		{"fewer shards", func(s *ledger.Settings) { s.Shards = 2 }, "shards"},
		{"other storage", func(s *ledger.Settings) { s.Storage = "memory" }, "storage"},
		{"shorter retention", func(s *ledger.Settings) { s.Retention = 48 * time.Hour }, "retention"},
		{"smaller than its data", func(s *ledger.Settings) { s.MaxBytes = 10 }, "max bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nc := serve(t, 4)
			s := ledger.DefaultSettings()
			s.Shards = 4
			if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
				t.Fatal(err)
			}
			for i := range 40 {
				publish(t, nc, fmt.Sprintf("t%d", i), "a")
			}
			tc.change(&s)
			_, err := ledger.Provision(t.Context(), nc, s)
			var refused *ledger.RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, wanted a refusal", err)
			}
			if refused.Changes[0].Field != tc.field || refused.Changes[0].Why == "" {
				t.Errorf("refused %+v, wanted %s with a reason", refused.Changes[0], tc.field)
			}
		})
	}
}

// TestRetentionGrows: a ledger may keep more than before, or all for ever, and never less.
func TestRetentionGrows(t *testing.T) {
	nc := serve(t, 1)
	s := ledger.DefaultSettings()
	s.Shards, s.Retention = 1, 48*time.Hour
	if _, err := ledger.Provision(t.Context(), nc, s); err != nil {
		t.Fatal(err)
	}
	publish(t, nc, "acme", "a")
	for _, step := range []struct {
		retention time.Duration
		refused   bool
	}{{24 * time.Hour, true}, {72 * time.Hour, false}, {0, false}, {72 * time.Hour, true}} {
		s.Retention = step.retention
		_, err := ledger.Provision(t.Context(), nc, s)
		if _, refused := errors.AsType[*ledger.RefusedError](err); refused != step.refused || !refused && err != nil {
			t.Fatalf("to %s: %v", step.retention, err)
		}
		if step.refused {
			continue
		}
		l, err := ledger.Open(t.Context(), nc)
		if err != nil || l.Retention() != step.retention {
			t.Errorf("it keeps messages for %s, not %s: %v", l.Retention(), step.retention, err)
		}
		if again, err := ledger.Plan(t.Context(), nc, s); err != nil || len(again) != 0 {
			t.Errorf("still to be changed: %+v: %v", again, err)
		}
	}
}

// TestProvisionAddsSubjects: a stream of an older release that has messages gets the
// subjects that it lacks; none is taken away from one of a newer release.
func TestProvisionAddsSubjects(t *testing.T) {
	l, nc := ledgertest.Open(t, 1)
	subjects := func(change func([]string) []string) {
		stream, err := l.JetStream().Stream(t.Context(), ledger.StreamName(0))
		if err != nil {
			t.Fatal(err)
		}
		cfg := stream.CachedInfo().Config
		cfg.Subjects = change(cfg.Subjects)
		if _, err := l.JetStream().UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	s := ledger.DefaultSettings()
	s.Shards = 1
	publish(t, nc, "acme", "a")

	subjects(func(all []string) []string {
		return slices.DeleteFunc(all, func(one string) bool { return strings.HasPrefix(one, "controls.") })
	})
	if _, err := l.Control(t.Context(), "acme", release); err == nil || !strings.Contains(err.Error(), "provision it again") {
		t.Errorf("a control on a ledger without their subject: %v", err)
	}
	changes, err := ledger.Provision(t.Context(), nc, s)
	if err != nil || len(changes) != 1 || changes[0].Action != ledger.Update || changes[0].Field != "subjects" {
		t.Errorf("changes %v: %v", changes, err)
	}
	if _, err := l.Control(t.Context(), "acme", release); err != nil {
		t.Error(err)
	}

	subjects(func(all []string) []string { return append(all, "later.0.*") })
	_, err = ledger.Provision(t.Context(), nc, s)
	if refused, ok := errors.AsType[*ledger.RefusedError](err); !ok || refused.Changes[0].Field != "subjects" {
		t.Errorf("subjects were taken away: %v", err)
	}
}

var release = order.Control{Version: order.Version, Verb: order.Release, By: "kim", Reason: "seen at the broker", At: time.Unix(1_790_000_000, 0).UTC()}

func TestMappingErrors(t *testing.T) {
	for _, tc := range []struct {
		name            string
		mapped, wanted  int
		problem, config string
	}{
		{"absent", 0, 8, "no stream took a publish", `"intents.*": "intents.{{partition(8,1)}}.{{wildcard(1)}}"`},
		{"of another number of shards", 4, 8, "arrived at", `{{partition(8,1)}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nc := serve(t, tc.mapped)
			s := ledger.DefaultSettings()
			s.Shards = tc.wanted
			_, err := ledger.Provision(t.Context(), nc, s)
			var missing *ledger.MappingError
			if !errors.As(err, &missing) {
				t.Fatalf("got %v, wanted a mapping error", err)
			}
			for _, want := range []string{tc.problem, tc.config} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*ledger.Settings){
		"Shards":    func(s *ledger.Settings) { s.Shards = 0 },
		"Replicas":  func(s *ledger.Settings) { s.Replicas = 2 },
		"Storage":   func(s *ledger.Settings) { s.Storage = "tape" },
		"Retention": func(s *ledger.Settings) { s.Retention = time.Minute },
		"MaxBytes":  func(s *ledger.Settings) { s.MaxBytes = -1 },
		"Dedup":     func(s *ledger.Settings) { s.Dedup = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			s := ledger.DefaultSettings()
			change(&s)
			var bad *ledger.SettingError
			if err := s.Validate(); !errors.As(err, &bad) || bad.Setting != name {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestProvisionMendsTheBucket: a bucket whose keys cannot have a time to live is changed,
// and then nothing is to be changed any more.
func TestProvisionMendsTheBucket(t *testing.T) {
	nc := ledgertest.Connect(t, ledgertest.Serve(t, 2))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: ledger.FleetBucket}); err != nil {
		t.Fatal(err)
	}
	s := ledger.DefaultSettings()
	s.Shards = 2
	changes, err := ledger.Provision(t.Context(), nc, s)
	if err != nil || len(changes) != 7 || changes[2].Action != ledger.Update || changes[2].Object != ledger.FleetBucket {
		t.Fatalf("%+v: %v", changes, err)
	}
	if again, err := ledger.Plan(t.Context(), nc, s); err != nil || len(again) != 0 {
		t.Errorf("still to be changed: %+v: %v", again, err)
	}
}
