package ledger

import (
	"fmt"
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
	"pgregory.net/rapid"
)

// TestFoldAgainstAModel folds random histories and compares with a model that keeps
// everything.
func TestFoldAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type history struct{ intents, outcomes []uint64 }
		model := map[string]*history{}
		first := map[string]uint64{}
		fold := NewFold(0)
		for seq := uint64(1); seq <= uint64(rapid.IntRange(0, 200).Draw(t, "messages")); seq++ {
			tenant := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tenant")
			h := model[tenant]
			if h == nil {
				h = &history{}
				model[tenant] = h
			}
			e := Entry{Tenant: tenant, Seq: seq}
			if rapid.Bool().Draw(t, "outcome") && len(h.outcomes) < len(h.intents) {
				due := h.intents[len(h.outcomes)]
				h.outcomes = append(h.outcomes, due)
				e.Class, e.Data = Outcomes, encodeOutcome(t, due)
			} else {
				id := fmt.Sprint(rapid.IntRange(0, 20).Draw(t, "id"))
				h.intents = append(h.intents, seq)
				e.Class, e.Data = Intents, []byte(`{"id":"`+id+`"}`)
				want := first[tenant+"."+id]
				if want == 0 {
					first[tenant+"."+id] = seq
				}
				if got := applied(t, fold, e); got != want {
					t.Fatalf("first use of %s of %s is %d, wanted %d", id, tenant, got, want)
				}
				continue
			}
			applied(t, fold, e)
		}
		due := map[string]bool{}
		for tenant := range fold.Due {
			due[tenant] = true
		}
		for tenant, h := range model {
			if want := len(h.outcomes) < len(h.intents); due[tenant] != want {
				t.Errorf("tenant %s due: %v, wanted %v", tenant, due[tenant], want)
			}
		}
	})
}

func applied(t *rapid.T, f *Fold, e Entry) uint64 {
	_, first, err := f.Apply(e)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func encodeOutcome(t interface{ Fatal(...any) }, intentSeq uint64) []byte {
	data, err := order.EncodeOutcome(order.Outcome{IntentSeq: intentSeq, Status: order.Accepted, Worker: "w", Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestFoldSurvivesNonsense: what nobody of ours wrote changes nothing.
func TestFoldSurvivesNonsense(t *testing.T) {
	fold := NewFold(0)
	if _, _, err := fold.Apply(Entry{Class: Outcomes, Tenant: "a", Seq: 1, Data: []byte("{")}); err == nil {
		t.Error("an outcome that does not decode is no error")
	}
	if s, first, err := fold.Apply(Entry{Class: Intents, Tenant: "a", Seq: 2, Data: []byte("\xff{")}); err != nil || first != 0 || !s.Due() {
		t.Errorf("a malformed intent is work all the same: %+v %d %v", s, first, err)
	}
}

func TestRecentForgetsTheOldestOnly(t *testing.T) {
	var r recent
	for id := uint64(1); id <= 2*generation+1; id++ {
		if first := r.put(id, id+1000); first != 0 {
			t.Fatalf("id %d was never used", id)
		}
	}
	for id := uint64(generation + 1); id <= 2*generation+1; id++ {
		if r.get(id) != id+1000 {
			t.Fatalf("forgot id %d of the last %d", id, generation)
		}
	}
	if n := len(r.young) + len(r.old); n > 2*generation {
		t.Errorf("remembers %d", n)
	}
	if r.put(2*generation, 1) != 2*generation+1000 {
		t.Error("a second use does not name the first")
	}
}

func FuzzPeekIntentSeq(f *testing.F) {
	f.Add([]byte(`{"intent_seq":7}`))
	f.Add([]byte(`{"intent_seq":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if seq, err := peekIntentSeq(data); err != nil && seq != 0 {
			t.Errorf("%d with error %v", seq, err)
		}
	})
}

func FuzzParseSubject(f *testing.F) {
	f.Add("intents.0.acme")
	f.Add("outcomes..")
	f.Fuzz(func(t *testing.T, subject string) {
		c, tenant, ok := parseSubject(subject)
		if ok && (c == 0 || len(tenant) > len(subject)) {
			t.Errorf("%q: %d %q", subject, c, tenant)
		}
	})
}
