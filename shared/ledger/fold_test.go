package ledger

import (
	"fmt"
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
	"pgregory.net/rapid"
)

// TestFoldAgainstAModel folds random histories, takes intents out now and then, and
// compares with a model that keeps everything.
func TestFoldAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		intents := map[string][]uint64{} // without outcome
		waiting := map[string][]Due{}    // and not taken
		used := map[string]uint64{}
		messages := map[uint64]string{}
		room := rapid.OneOf(rapid.IntRange(0, 3000), rapid.IntRange(0, 50_000)).Draw(t, "room")
		fold := NewFold(0, room)
		for seq := uint64(1); seq <= uint64(rapid.IntRange(0, 300).Draw(t, "messages")); seq++ {
			tenant := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tenant")
			switch due := intents[tenant]; {
			case rapid.Bool().Draw(t, "outcome") && len(due) > 0:
				folds(t, fold, Entry{Class: Outcomes, Tenant: tenant, Seq: seq, Data: encodeOutcome(t, due[0])})
				intents[tenant] = due[1:]
				if w := waiting[tenant]; len(w) > 0 && w[0].Seq == due[0] {
					waiting[tenant] = w[1:]
				}
			case rapid.Bool().Draw(t, "take"):
				n := rapid.IntRange(1, 5).Draw(t, "limit")
				want := waiting[tenant][:min(n, len(waiting[tenant]))]
				got := fold.Take(tenant, n)
				for i := range got {
					if d := &got[i]; d.Data != nil && string(d.Data) != messages[d.Seq] {
						t.Fatalf("intent %d has the message %q, wanted %q", d.Seq, d.Data, messages[d.Seq])
					}
					got[i].Data = nil
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("took %v, wanted %v", got, want)
				}
				waiting[tenant] = waiting[tenant][len(want):]
			default:
				id := fmt.Sprint(rapid.IntRange(0, 20).Draw(t, "id"))
				messages[seq] = `{"id":"` + id + `"}`
				folds(t, fold, Entry{Class: Intents, Tenant: tenant, Seq: seq, Data: []byte(messages[seq])})
				intents[tenant] = append(intents[tenant], seq)
				waiting[tenant] = append(waiting[tenant], Due{Seq: seq, First: used[tenant+"."+id]})
				if used[tenant+"."+id] == 0 {
					used[tenant+"."+id] = seq
				}
			}
		}
		kept := 0
		for _, m := range fold.messages {
			kept += m.size()
		}
		if kept+fold.room != room || fold.room < 0 {
			t.Fatalf("keeps %d bytes and has room for %d, of %d", kept, fold.room, room)
		}
		due := map[string]bool{}
		for tenant := range fold.Due {
			due[tenant] = true
		}
		for tenant, w := range waiting {
			if fold.Waiting(tenant) != len(w) || due[tenant] != (len(w) > 0) {
				t.Errorf("tenant %s: %d wait, due %v; wanted %v", tenant, fold.Waiting(tenant), due[tenant], w)
			}
		}
	})
}

// TestABacklogLeavesRoom: a tenant's backlog keeps no more than its share of the room, from
// its beginning, and the first intents of the others are kept all the same, be they larger
// than a share.
func TestABacklogLeavesRoom(t *testing.T) {
	const room, share = 64 << 10, 64 << 10 / shares
	fold := NewFold(0, room)
	seq := uint64(0)
	put := func(tenant string, body int) {
		seq++
		if err := fold.Apply(Entry{Class: Intents, Tenant: tenant, Seq: seq, Data: make([]byte, body)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 10_000 {
		put("flood", 100)
	}
	for i, d := range fold.Take("flood", 100) {
		if kept, fits := d.Data != nil, (i+1)*(100+messageOverhead) <= share; kept != fits {
			t.Fatalf("message %d of a backlog is kept: %v", i, kept)
		}
	}
	for range 10_000 {
		put("flood", 100)
	}
	for n := range 10 {
		tenant := fmt.Sprint("quiet", n)
		put(tenant, 2*share)
		put(tenant, 2*share)
		if got := fold.Take(tenant, 2); got[0].Data == nil || got[1].Data != nil {
			t.Errorf("%s: kept its messages: %v, %v; wanted the first alone", tenant, got[0].Data != nil, got[1].Data != nil)
		}
	}
	for fold.Waiting("flood") > 0 {
		fold.Take("flood", 1000)
	}
	if fold.room != room {
		t.Errorf("has room for %d of %d when nothing is left", fold.room, room)
	}
}

func folds(t *rapid.T, f *Fold, e Entry) {
	if err := f.Apply(e); err != nil {
		t.Fatal(err)
	}
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
	fold := NewFold(0, 1000)
	if err := fold.Apply(Entry{Class: Outcomes, Tenant: "a", Seq: 1, Data: []byte("{")}); err == nil {
		t.Error("an outcome that does not decode is no error")
	}
	if err := fold.Apply(Entry{Class: Intents, Tenant: "a", Seq: 2, Data: []byte("\xff{")}); err != nil {
		t.Error(err)
	}
	if got := fold.Take("a", 5); len(got) != 1 || got[0].Seq != 2 || got[0].First != 0 {
		t.Errorf("a malformed intent is work all the same: %v", got)
	}
}

func TestFirstsForgetsTheOldestOnly(t *testing.T) {
	r := newFirsts()
	for id := uint64(1); id <= 2*generation+1; id++ {
		if first := r.put(id, id+1000); first != 0 {
			t.Fatalf("id %d was never used", id)
		}
	}
	for id := uint64(generation + 1); id <= 2*generation+1; id++ {
		if first, _ := r.Get(id); first != id+1000 {
			t.Fatalf("forgot id %d of the last %d", id, generation)
		}
	}
	if n := r.Len(); n > 2*generation {
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
		if seq, err := PeekIntentSeq(data); err != nil && seq != 0 {
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
