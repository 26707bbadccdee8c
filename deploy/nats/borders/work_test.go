package borders_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/deploy/nats/borders"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/registry/registrytest"
	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/shared/vault"
)

// serving serves a shard until the test ends.
func (f *fixture) serving(t *testing.T, shard int) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- f.serve(ctx, shard) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// serve accepts every intent of a shard and tells of a fill of it, until ctx ends.
func (f *fixture) serve(ctx context.Context, shard int) error {
	var outcomes, updates = map[string]uint64{}, map[string]uint64{}
	return f.ledger.Tail(ctx, shard, 1, func(e ledger.Entry) error {
		switch e.Class {
		case ledger.Outcomes:
			outcomes[e.Tenant] = max(outcomes[e.Tenant], e.Seq)
		case ledger.Updates:
			updates[e.Tenant] = max(updates[e.Tenant], e.Seq)
		case ledger.Intents:
			id := order.PeekID(e.Data)
			ack, err := f.ledger.Append(shard, e.Tenant, &order.Outcome{IntentID: id, IntentSeq: e.Seq, Kind: order.KindCancelAll, Status: order.Accepted, Worker: "w", Epoch: 1}, outcomes[e.Tenant])
			if err != nil {
				return err
			}
			select {
			case a := <-ack.Ok():
				outcomes[e.Tenant] = a.Sequence
			case err := <-ack.Err():
				return err
			}
			ack, err = f.ledger.AppendUpdate(shard, e.Tenant, &order.Update{Event: order.EventCanceled, BrokerOrderID: "b-" + id, ClientOrderID: e.Tenant + "." + id, Symbol: "AAPL", Side: order.Buy, At: time.Now()}, updates[e.Tenant])
			if err != nil {
				return err
			}
			select {
			case a := <-ack.Ok():
				updates[e.Tenant] = a.Sequence
			case err := <-ack.Err():
				return err
			}
		case ledger.Controls, ledger.Epochs:
		}
		return nil
	})
}

// TestAProducersWholeJob: with its credentials and nothing else, a producer publishes, awaits,
// and watches outcomes and updates in the order of the ledger.
func TestAProducersWholeJob(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		f.serving(t, f.ledger.ShardOf(acme))
		for _, who := range []string{"producer " + acme, "gateway gw"} {
			t.Run(who, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				p, err := producer.New(ctx, f.connect(t, who))
				if err != nil {
					t.Fatal(err)
				}
				const n = 20
				var first, last producer.Receipt
				for i := range n {
					r, err := p.Publish(ctx, acme, order.Intent{Kind: order.KindCancelAll, ID: fmt.Sprint(who[:3], i)})
					if err != nil {
						t.Fatal(err)
					}
					if last = r; i == 0 {
						first = r
					}
				}
				if o, err := p.Await(ctx, last); err != nil || o.IntentID != last.ID {
					t.Fatal(o, err)
				}
				var outcomes, updates int
				var seen uint64
				for news, err := range p.WatchAll(ctx, acme, producer.FromSeq(first.Seq)) {
					if err != nil {
						t.Fatal(err)
					}
					var seq uint64
					if news.Outcome != nil {
						outcomes++
						seq = news.Outcome.Seq
					} else {
						updates++
						seq = news.Update.Seq
					}
					if seq <= seen {
						t.Errorf("sequence %d comes behind %d", seq, seen)
					}
					if seen = seq; outcomes == n && updates == n {
						break
					}
				}
				if ctx.Err() != nil {
					t.Errorf("%d outcomes and %d updates", outcomes, updates)
				}
				f.resumes(ctx, t, p, first.Seq, 2*n)
			})
		}
	})
}

// resumes stops a watch behind each message and goes on: nothing is missed, nothing told again,
// also if a message came behind a later one of the other class.
func (f *fixture) resumes(ctx context.Context, t *testing.T, p *producer.Producer, from uint64, all int) {
	t.Helper()
	for name, start := range map[string]producer.From{"by number": producer.FromSeq(from), "by time": producer.SinceTime(time.Now().Add(-time.Hour))} {
		told := map[uint64]int{}
		for stop := false; !stop; {
			for news, err := range p.WatchAll(ctx, acme, start) {
				if err != nil {
					t.Fatal(err)
				}
				seq := news.Next.Updates - 1
				if news.Outcome != nil {
					seq = news.Outcome.Seq
				}
				if seq >= from {
					told[seq]++
				}
				start = producer.FromCursor(news.Next)
				break
			}
			stop = len(told) == all || ctx.Err() != nil
		}
		for seq, times := range told {
			if times != 1 {
				t.Errorf("%s: sequence %d is told %d times", name, seq, times)
			}
		}
		if len(told) != all {
			t.Errorf("%s: %d of %d are told", name, len(told), all)
		}
	}
	// The first update came, and the outcome before it not yet.
	for news, err := range p.WatchAll(ctx, acme, producer.FromSeq(from)) {
		if err != nil {
			t.Fatal(err)
		}
		if news.Update == nil {
			continue
		}
		late := producer.Cursor{Outcomes: from, Updates: news.Update.Seq + 1}
		for again, err := range p.WatchAll(ctx, acme, producer.FromCursor(late)) {
			if err != nil || again.Outcome == nil || again.Outcome.Seq > news.Update.Seq || again.Next.Updates != late.Updates {
				t.Errorf("the outcome that came late is missed: %+v %v", again, err)
			}
			break
		}
		break
	}
}

// TestTheNameOfAMessage: who publishes first under the message id that another tenant's intent
// should bear does not have that intent dropped. Its own repeat is.
func TestTheNameOfAMessage(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		f.serving(t, f.ledger.ShardOf(beta))
		thief := f.connect(t, "producer "+acme)
		for _, id := range []string{"ada.next", "ada.next.", "acme.next"} {
			if _, err := thief.RequestMsg(&nats.Msg{Subject: "intents.acme", Header: nats.Header{jetstream.MsgIDHeader: {id}}, Data: []byte("{}")}, 5*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		for again := range 2 {
			p, err := producer.New(t.Context(), f.connect(t, "producer "+beta))
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.Publish(t.Context(), beta, order.Intent{ID: "next", Kind: order.KindCancelAll})
			if err != nil || r.Duplicate != (again > 0) {
				t.Fatalf("the intent is published, again %v: %+v %v", again > 0, r, err)
			}
			if o, err := p.Await(t.Context(), r); err != nil || o.IntentID != "next" {
				t.Error(o, err)
			}
		}
	})
}

// TestReaders: a tenant has so many readings of its shard under way, in all its processes
// together, and the next one waits for one that ends. Another tenant's do not count.
func TestReaders(t *testing.T) {
	f := begin(t, borders.Plain)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seq, err := f.ledger.JetStream().Publish(ctx, ledger.Outcomes.Subject(f.ledger.ShardOf(acme), acme), []byte(`{"v":1,"intent_id":"a","intent_seq":1,"kind":"cancel_all","status":"accepted"}`))
	if err != nil {
		t.Fatal(err)
	}
	var processes [2]*producer.Producer
	for i := range processes {
		if processes[i], err = producer.New(ctx, f.connect(t, "producer "+acme)); err != nil {
			t.Fatal(err)
		}
	}
	read := make(chan int, ledger.Readers+1)
	var reading sync.WaitGroup
	ends := make([]context.CancelFunc, ledger.Readers+1)
	watch := func(n int) {
		ctx, end := context.WithCancel(ctx)
		ends[n] = end
		reading.Go(func() {
			for _, err := range processes[n%2].Watch(ctx, acme, producer.FromSeq(seq.Sequence)) {
				if err != nil {
					t.Error(err)
				}
				read <- n
			}
		})
	}
	for n := range ledger.Readers {
		watch(n)
		<-read
	}
	watch(ledger.Readers)
	select {
	case n := <-read:
		t.Fatalf("reading %d has a consumer, and there are %d", n, ledger.Readers)
	case <-time.After(100 * time.Millisecond):
	}
	if _, _, err := f.ledger.LastOutcome(ctx, f.ledger.ShardOf(acme), acme); err != nil {
		t.Error(err)
	}
	ends[0]()
	if n := <-read; n != ledger.Readers {
		t.Errorf("reading %d goes on", n)
	}
	for _, end := range ends {
		end()
	}
	reading.Wait()
}

// TestAFloodOfKeys: what a tenant's user writes in the place of its keys, and is none of them, comes
// to nothing, however much it is: TENANTS, which keeps everything and which every worker reads
// before it serves, and CREDENTIALS are what they were. So many of its own sealed credentials are
// taken at once; another tenant's are taken all the same.
func TestAFloodOfKeys(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		flooder := f.connect(t, "producer "+acme)
		stored := func() string {
			_, buckets, _ := strings.Cut(f.counts(t), "KV_TENANTS")
			return buckets
		}
		before := stored()
		write := func(nc *nats.Conn, subject string, data []byte) string {
			t.Helper()
			m, err := nc.Request(subject, data, 5*time.Second)
			if err != nil {
				t.Fatal(subject, err)
			}
			return string(m.Data)
		}
		for n := range 3 * ledger.Readers {
			for subject, data := range map[string]string{
				"$KV.TENANTS.credential.acme":          fmt.Sprint("{\"record\":{},\"sig\":\"", n, "\"}"),
				fmt.Sprint("$KV.CREDENTIALS.acme.", n): "what its name does not say",
			} {
				if answer := write(flooder, subject, []byte(data)); !strings.Contains(answer, `"error"`) {
					t.Errorf("%s is answered with %s", subject, answer)
				}
			}
		}
		huge := seal.Blob(make([]byte, seal.MaxBlob+1))
		if answer := write(f.connect(t, "producer "+gamma), "$KV.CREDENTIALS.gamma."+huge.Digest(), huge); !strings.Contains(answer, `"error"`) {
			t.Errorf("something huge is answered with %s", answer)
		}
		if after := stored(); after != before {
			t.Errorf("something came of it: %s, after %s", after, before)
		}
		taken := 0
		for n := range 100 {
			blob := seal.Blob(fmt.Sprint("sealed ", n))
			if !strings.Contains(write(flooder, "$KV.CREDENTIALS.acme."+blob.Digest(), blob), `"error"`) {
				taken++
			}
		}
		if taken > 30 {
			t.Errorf("%d blobs of 100 are taken at once", taken)
		}
		blob := seal.Blob("sealed")
		if answer := write(f.connect(t, "producer "+beta), "$KV.CREDENTIALS."+beta+"."+blob.Digest(), blob); strings.Contains(answer, `"error"`) {
			t.Errorf("another tenant is answered with %s", answer)
		}
	})
}

// TestItsOwnCredentials: a tenant seals its broker keys, makes them its own and replaces them,
// and needs no operator for it; nor can it do so to another.
func TestItsOwnCredentials(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		open := func(who string) *ledger.Ledger {
			l, err := ledger.Open(ctx, f.connect(t, who))
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		list := registry.RecipientList{Recipients: seal.Recipients{identity.Recipient().String()}}
		if _, err := registry.NewStore(open("operator ann")).Write(ctx, registrytest.Signer(t, "ann"), registry.RecipientsKey, &list, "a worker", 0); err != nil {
			t.Fatal(err)
		}
		own, by := vault.New(open("producer "+acme)), registrytest.Signer(t, acme)
		for _, secret := range []string{"first", "second"} {
			held, err := own.Set(ctx, by, acme, tenant.Credentials{KeyID: "k", Secret: secret}, "rotation")
			if err != nil {
				t.Fatal(err)
			}
			data, err := f.ledger.Bucket(ledger.CredentialsBucket).Value(ctx, seal.Key(acme, held.Digest))
			if err != nil {
				t.Fatal(err)
			}
			if c, err := seal.Open(acme, held.Digest, data, []age.Identity{identity}); err != nil || c.Secret != secret {
				t.Errorf("a worker opens %v", err)
			}
		}
		trying, enough := context.WithTimeout(ctx, time.Second)
		defer enough()
		if _, err := own.Set(trying, by, beta, tenant.Credentials{KeyID: "k", Secret: "s"}, "theft"); err == nil {
			t.Error("it sets another tenant's")
		}
		if n, err := f.ledger.Bucket(ledger.TenantsBucket).Last(ctx, "credential."+beta); err != nil || n != 0 {
			t.Error("another tenant's credentials are changed", err)
		}
		f.away()
		if err := f.worker.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := own.Set(ctx, by, acme, tenant.Credentials{KeyID: "k", Secret: "third"}, "rotation"); !errors.Is(err, ledger.ErrNoHand) {
			t.Errorf("without a worker: %v", err)
		}
	})
}
