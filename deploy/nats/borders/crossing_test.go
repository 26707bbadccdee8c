package borders_test

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/seal"
)

// crossing is something that somebody may not do, and who may.
type crossing struct {
	name string
	who  string
	// publish and subscribe are subjects, of which one is set. SHARD and OTHER are the shards of
	// the tenants acme and ada, and of gamma.
	publish, subscribe string
	body               string
	// may is a user for whom the same works, at the subject as, or the same; nobody if empty.
	may, as string
	// named is what the server names, if it is another subject: that which its mapping makes.
	named string
}

var crossings = []crossing{
	{name: "publish as another tenant", who: "producer acme", publish: "intents.ada", may: "producer ada", named: "intents.SHARD.ada"},
	{name: "publish as another tenant, past the mapping", who: "producer acme", publish: "intents.SHARD.ada", may: "gateway gw"},
	{name: "publish as a tenant of another shard", who: "producer acme", publish: "intents.OTHER.gamma", may: "producer gamma"},
	{name: "publish to another shard as itself", who: "producer acme", publish: "intents.OTHER.acme", may: "gateway gw"},
	{name: "an observer publishes", who: "observer bob", publish: "intents.SHARD.acme", may: "operator ann"},
	{name: "a feed of prices publishes", who: "prices feed", publish: "intents.SHARD.acme", may: "operator ann"},

	{name: "listen to another's outcomes", who: "producer acme", subscribe: "outcomes.SHARD.ada"},
	{name: "listen to all outcomes", who: "producer acme", subscribe: "outcomes.>"},
	{name: "listen to everything", who: "producer acme", subscribe: ">"},
	{name: "listen to intents", who: "observer bob", subscribe: "intents.*.*", may: "worker w"},
	{name: "listen to the API", who: "producer acme", subscribe: "LEDGER.API.>"},
	{name: "read another's outcomes by a consumer", who: "producer acme", may: "producer ada",
		publish: "LEDGER.API.CONSUMER.CREATE.ORDERS_SHARD.reader_7.outcomes.SHARD.ada", body: `{"stream_name":"ORDERS_SHARD","config":{"ack_policy":"none","filter_subject":"outcomes.SHARD.ada"}}`},
	{name: "read another's updates by a consumer", who: "producer acme", may: "producer ada",
		publish: "LEDGER.API.CONSUMER.CREATE.ORDERS_SHARD.reader_6.updates.SHARD.ada", body: `{"stream_name":"ORDERS_SHARD","config":{"ack_policy":"none","filter_subject":"updates.SHARD.ada"}}`},
	{name: "read another's intents by a consumer", who: "producer acme", may: "observer bob",
		publish: "LEDGER.API.CONSUMER.CREATE.ORDERS_SHARD.reader_5.intents.SHARD.ada", body: `{"stream_name":"ORDERS_SHARD","config":{"ack_policy":"none","filter_subject":"intents.SHARD.ada"}}`},
	{name: "read everything by a consumer without a filter", who: "producer acme", may: "observer bob",
		publish: "LEDGER.API.CONSUMER.CREATE.ORDERS_SHARD.reader_4", body: `{"stream_name":"ORDERS_SHARD","config":{"ack_policy":"none"}}`},
	{name: "make a consumer without a name", who: "producer acme", may: "worker w", as: "$JS.API.CONSUMER.CREATE.ORDERS_SHARD",
		publish: "LEDGER.API.CONSUMER.CREATE.ORDERS_SHARD", body: `{"stream_name":"ORDERS_SHARD","config":{"ack_policy":"none"}}`},
	{name: "read another's by its consumer's name", who: "producer acme", may: "producer ada", publish: "LEDGER.API.CONSUMER.MSG.NEXT.ORDERS_SHARD.producer_ada_7", body: `{"no_wait":true}`},
	{name: "an observer reads by a tenant's consumer", who: "observer bob", may: "producer ada", publish: "LEDGER.API.CONSUMER.MSG.NEXT.ORDERS_SHARD.producer_ada_7", body: `{"no_wait":true}`},
	{name: "look at another's consumer", who: "producer acme", may: "worker w", as: "$JS.API.CONSUMER.INFO.ORDERS_SHARD.producer_ada_7", publish: "LEDGER.API.CONSUMER.INFO.ORDERS_SHARD.producer_ada_7"},
	{name: "delete another's consumer", who: "producer acme", may: "producer ada", publish: "LEDGER.API.CONSUMER.DELETE.ORDERS_SHARD.producer_ada_7"},
	{name: "an observer deletes a tenant's consumer", who: "observer bob", may: "producer ada", publish: "LEDGER.API.CONSUMER.DELETE.ORDERS_SHARD.producer_ada_6"},
	{name: "make a consumer of a name that is not ours to give", who: "operator ann", publish: "LEDGER.API.CONSUMER.CREATE.ORDERS_SHARD.operator_ann_0", may: "operator ann",
		as: "LEDGER.API.CONSUMER.CREATE.ORDERS_SHARD.reader_0", body: `{"stream_name":"ORDERS_SHARD","config":{"ack_policy":"none"}}`},
	{name: "an operator deletes another operator's consumer", who: "operator eve", may: "operator ann", publish: "LEDGER.API.CONSUMER.DELETE.ORDERS_SHARD.operator_ann_0"},
	{name: "change another's consumer", who: "producer acme", publish: "LEDGER.API.CONSUMER.CREATE.ORDERS_SHARD.producer_ada_7.outcomes.SHARD.acme"},
	{name: "name the consumers", who: "producer acme", publish: "LEDGER.API.CONSUMER.NAMES.ORDERS_SHARD"},
	{name: "read another's last outcome", who: "producer acme", may: "producer ada", publish: "LEDGER.API.DIRECT.GET.ORDERS_SHARD.outcomes.SHARD.ada"},
	{name: "read by sequence number", who: "producer acme", may: "observer bob", publish: "LEDGER.API.DIRECT.GET.ORDERS_SHARD", body: `{"seq":1}`},
	{name: "read by sequence number from the leader", who: "producer acme", may: "observer bob", publish: "LEDGER.API.STREAM.MSG.GET.ORDERS_SHARD", body: `{"seq":1}`},
	{name: "learn the tenants' names", who: "producer acme", may: "observer bob", publish: "LEDGER.API.STREAM.INFO.ORDERS_SHARD", body: `{"subjects_filter":">"}`},

	{name: "forge an outcome", who: "producer acme", publish: "outcomes.SHARD.ada", may: "worker w"},
	{name: "forge an outcome of its own", who: "producer acme", publish: "outcomes.SHARD.acme", may: "worker w"},
	{name: "an operator forges an outcome", who: "operator ann", publish: "outcomes.SHARD.acme", may: "worker w"},
	{name: "a gateway forges an update", who: "gateway gw", publish: "updates.SHARD.acme", may: "worker w"},
	{name: "forge an update", who: "producer acme", publish: "updates.SHARD.acme", may: "worker w"},
	{name: "forge an epoch", who: "producer acme", publish: "epochs.SHARD.owner", may: "worker w"},
	{name: "an operator forges an epoch", who: "operator ann", publish: "epochs.SHARD.owner", may: "worker w"},
	{name: "release itself", who: "producer acme", publish: "controls.SHARD.acme", may: "operator ann"},
	{name: "a worker releases a tenant", who: "worker w", publish: "controls.SHARD.acme", may: "operator ann"},
	{name: "an observer releases a tenant", who: "observer bob", publish: "controls.SHARD.acme", may: "operator ann"},
	{name: "take a lease", who: "producer acme", publish: "$KV.FLEET.shard.0", may: "worker w"},
	{name: "an operator takes a lease", who: "operator ann", publish: "$KV.FLEET.shard.0", may: "worker w"},
	{name: "raise its own limits", who: "producer acme", publish: "$KV.TENANTS.limits.all", may: "operator ann"},
	{name: "change its own settings", who: "producer acme", publish: "$KV.TENANTS.tenant.acme", may: "operator ann"},
	{name: "point to another's credentials", who: "producer acme", publish: "$KV.TENANTS.credential.ada", may: "operator ann"},
	{name: "read another's settings", who: "producer acme", publish: "LEDGER.API.DIRECT.GET.KV_TENANTS.$KV.TENANTS.tenant.ada", may: "producer ada"},
	{name: "read another's settings by a consumer", who: "producer acme", publish: "LEDGER.API.CONSUMER.CREATE.KV_TENANTS.reader_0.$KV.TENANTS.tenant.ada", may: "producer ada",
		body: `{"stream_name":"KV_TENANTS","config":{"ack_policy":"none","filter_subject":"$KV.TENANTS.tenant.ada"}}`},
	{name: "change its own settings", who: "producer acme", publish: "$KV.TENANTS.tenant.acme", may: "operator ann"},
	{name: "a worker changes a switch", who: "worker w", publish: "$KV.TENANTS.switch.all", may: "operator ann"},
	{name: "a worker makes itself an operator", who: "worker w", publish: "$KV.TENANTS.operators", may: "operator ann"},
	{name: "change another's credentials, past the border", who: "producer acme", publish: "custody.ada.record"},
	{name: "seal another's credentials, past the border", who: "producer acme", publish: "custody.ada.blob.0"},
	{name: "an operator listens to what tenants change", who: "operator ann", subscribe: "custody.>", may: "worker w"},
	{name: "an observer throws a switch", who: "observer bob", publish: "$KV.TENANTS.switch.all", may: "operator ann"},
	{name: "a gateway throws a switch", who: "gateway gw", publish: "$KV.TENANTS.switch.all", may: "operator ann"},
	{name: "forge prices", who: "producer acme", publish: "$KV.PRICES.AAPL", may: "prices feed"},
	{name: "an operator forges prices", who: "operator ann", publish: "$KV.PRICES.AAPL", may: "prices feed"},

	{name: "replace another's credentials", who: "producer acme", publish: "$KV.CREDENTIALS.ada.0", may: "producer ada"},
	{name: "read its own credentials", who: "producer acme", publish: "LEDGER.API.DIRECT.GET.KV_CREDENTIALS.$KV.CREDENTIALS.acme.0", may: "worker w", as: "$JS.API.DIRECT.GET.KV_CREDENTIALS.$KV.CREDENTIALS.acme.0"},
	{name: "an operator reads credentials", who: "operator ann", publish: "LEDGER.API.DIRECT.GET.KV_CREDENTIALS.$KV.CREDENTIALS.acme.0", may: "worker w", as: "$JS.API.DIRECT.GET.KV_CREDENTIALS.$KV.CREDENTIALS.acme.0"},
	{name: "an operator reads credentials by number", who: "operator ann", publish: "LEDGER.API.DIRECT.GET.KV_CREDENTIALS", body: `{"seq":1}`, may: "worker w", as: "$JS.API.DIRECT.GET.KV_CREDENTIALS"},
	{name: "an operator reads credentials from the leader", who: "operator ann", publish: "LEDGER.API.STREAM.MSG.GET.KV_CREDENTIALS", body: `{"seq":1}`, may: "worker w", as: "$JS.API.STREAM.MSG.GET.KV_CREDENTIALS"},
	{name: "an operator reads credentials by a consumer", who: "operator ann", publish: "LEDGER.API.CONSUMER.CREATE.KV_CREDENTIALS.reader_0", body: `{"stream_name":"KV_CREDENTIALS","config":{"ack_policy":"none"}}`,
		may: "worker w", as: "$JS.API.CONSUMER.CREATE.KV_CREDENTIALS.x"},
	{name: "an observer reads credentials by a consumer", who: "observer bob", publish: "LEDGER.API.CONSUMER.CREATE.KV_CREDENTIALS.reader_0.>", body: `{"stream_name":"KV_CREDENTIALS","config":{"ack_policy":"none","filter_subject":">"}}`},
	{name: "an operator listens to credentials", who: "operator ann", subscribe: "$KV.CREDENTIALS.>"},

	{name: "delete a stream", who: "producer acme", publish: "LEDGER.API.STREAM.DELETE.ORDERS_SHARD"},
	{name: "an operator deletes a stream", who: "operator ann", publish: "LEDGER.API.STREAM.DELETE.ORDERS_SHARD"},
	{name: "a worker deletes a stream", who: "worker w", publish: "$JS.API.STREAM.DELETE.ORDERS_SHARD"},
	{name: "a worker deletes a message", who: "worker w", publish: "$JS.API.STREAM.MSG.DELETE.ORDERS_SHARD"},
	{name: "a worker restores a stream", who: "worker w", publish: "$JS.API.STREAM.RESTORE.ORDERS_SHARD"},
	{name: "purge a stream", who: "producer acme", publish: "LEDGER.API.STREAM.PURGE.ORDERS_SHARD"},
	{name: "an operator purges a stream", who: "operator ann", publish: "LEDGER.API.STREAM.PURGE.KV_TENANTS"},
	{name: "change a stream", who: "operator ann", publish: "LEDGER.API.STREAM.UPDATE.ORDERS_SHARD"},
	{name: "make a stream", who: "operator ann", publish: "LEDGER.API.STREAM.CREATE.MINE"},
	{name: "take a snapshot", who: "operator ann", publish: "LEDGER.API.STREAM.SNAPSHOT.KV_CREDENTIALS"},
	{name: "use the account's own API", who: "producer acme", publish: "$JS.API.STREAM.DELETE.ORDERS_SHARD"},
	{name: "make a stream in an account of its own", who: "producer acme", publish: "$JS.API.STREAM.CREATE.MINE"},

	{name: "ask a worker", who: "producer acme", publish: "inquiries.SHARD", may: "operator ann"},
	{name: "an observer asks a worker", who: "observer bob", publish: "inquiries.SHARD", may: "operator ann"},
	{name: "answer for a worker", who: "producer acme", subscribe: "inquiries.SHARD", may: "worker w"},
	{name: "an operator answers for a worker", who: "operator ann", subscribe: "inquiries.SHARD", may: "worker w"},
	{name: "write into somebody's inbox", who: "producer acme", publish: "_INBOX.x.y"},
	{name: "answer in another's place", who: "producer acme", publish: "_R_.x"},
	{name: "listen to answers", who: "producer acme", subscribe: "_R_.>"},
	{name: "listen to the servers", who: "operator ann", subscribe: "$SYS.>"},
	{name: "ask the servers", who: "operator ann", publish: "$SYS.REQ.SERVER.PING"},
	{name: "a worker asks the servers", who: "worker w", publish: "$SYS.REQ.ACCOUNT.PING.CONNZ"},
}

// TestCrossings: each is refused, the server says so to whoever tries and in its log, and
// nothing comes of it. Who may do the same, can.
func TestCrossings(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		here, there := f.ledger.ShardOf(acme), f.ledger.ShardOf(gamma)
		if here != f.ledger.ShardOf(beta) || here == there {
			t.Fatalf("the tenants are of shards %d, %d and %d", here, f.ledger.ShardOf(beta), there)
		}
		fill := strings.NewReplacer("SHARD", fmt.Sprint(here), "OTHER", fmt.Sprint(there)).Replace
		if _, err := f.worker.Subscribe(fmt.Sprint("inquiries.", here), func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"$KV.CREDENTIALS.acme.0", "$KV.CREDENTIALS.ada.0"} {
			if _, err := f.ledger.JetStream().Publish(t.Context(), key, []byte("sealed")); err != nil {
				t.Fatal(err)
			}
		}
		strangers := map[string]*stranger{}
		for _, u := range everybody {
			strangers[u.String()] = f.stranger(t, u.String())
		}
		for _, c := range crossings {
			t.Run(c.name, func(t *testing.T) {
				c.publish, c.subscribe, c.body, c.as = fill(c.publish), fill(c.subscribe), fill(c.body), fill(c.as)
				s := strangers[c.who]
				if c.subscribe != "" {
					f.listens(t, s, c)
					return
				}
				// The right: first, so that there is what the wrong is about.
				if c.may != "" {
					subject := c.publish
					if c.as != "" {
						subject = c.as
					}
					m, err := strangers[c.may].Request(subject, []byte(c.body), 5*time.Second)
					if err != nil || strings.Contains(string(m.Data), `"error"`) {
						t.Fatalf("%s, who may: %v", c.may, err)
					}
				}
				before := f.counts(t)
				if err := s.PublishRequest(c.publish, s.NewRespInbox(), []byte(c.body)); err != nil {
					t.Fatal(err)
				}
				named := cmp.Or(fill(c.named), c.publish)
				if !s.refused(t, named) || !f.logged(t, named) {
					t.Errorf("%s publishes to %s, and nobody says that it may not", c.who, c.publish)
				}
				if after := f.counts(t); after != before {
					t.Errorf("something came of it: %s, after %s", after, before)
				}
			})
		}
	})
}

// listens has a stranger listen to what it may not.
func (f *fixture) listens(t *testing.T, s *stranger, c crossing) {
	t.Helper()
	if c.may != "" {
		sub, err := f.connect(t, c.may).SubscribeSync(c.subscribe)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sub.NextMsg(10 * time.Millisecond); errors.Is(err, nats.ErrPermissionViolation) {
			t.Fatalf("%s, who may: %v", c.may, err)
		}
	}
	if _, err := s.Subscribe(c.subscribe, func(*nats.Msg) { t.Errorf("%s hears something", c.who) }); err != nil {
		t.Fatal(err)
	}
	if !s.refused(t, c.subscribe) || !f.logged(t, c.subscribe) {
		t.Errorf("%s listens to %s, and nobody says that it may not", c.who, c.subscribe)
	}
}

// counts is how much every stream of the ledger holds, and how many consumers read it.
func (f *fixture) counts(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, name := range []string{"ORDERS_0", "ORDERS_1", "ORDERS_2", "ORDERS_3", "KV_FLEET", "KV_TENANTS", "KV_CREDENTIALS", "KV_PRICES"} {
		stream, err := f.ledger.JetStream().Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		s := stream.CachedInfo().State
		fmt.Fprintf(&b, "%s %d/%d/%d ", name, s.Msgs, s.LastSeq, s.Consumers)
	}
	return b.String()
}

// TestHeaders: no header of a message does more than its subject may: wipe a bucket, or write
// elsewhere by a trace.
func TestHeaders(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		here := f.ledger.ShardOf(acme)
		operator := f.connect(t, "operator ann")
		for _, key := range []string{"$KV.CREDENTIALS.ada.0", "$KV.TENANTS.limits.all"} {
			if m, err := operator.Request(key, []byte("x"), 5*time.Second); err != nil || strings.Contains(string(m.Data), `"error"`) {
				t.Fatal(key, err)
			}
		}
		s := f.stranger(t, "producer "+acme)
		for _, subject := range []string{"$KV.CREDENTIALS.acme.0", "$KV.TENANTS.credential.acme", "intents.acme"} {
			before := f.messages(t)
			m, err := s.RequestMsg(&nats.Msg{Subject: subject, Header: nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupAll}}, Data: []byte("x")}, 5*time.Second)
			if err != nil || !strings.Contains(string(m.Data), `"error"`) {
				t.Errorf("%s takes a roll-up: %v", subject, err)
			}
			f.quiet(t, before, subject)
		}
		for _, key := range []string{"$KV.CREDENTIALS.ada.0", "$KV.TENANTS.limits.all"} {
			bucket := strings.Split(key, ".")[1]
			stream, err := f.ledger.JetStream().Stream(t.Context(), "KV_"+bucket)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.GetLastMsgForSubject(t.Context(), key); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
		for _, target := range []string{ledger.Outcomes.Subject(here, beta), "$KV.TENANTS.switch.all", "$KV.FLEET.shard.0"} {
			before := f.messages(t)
			if err := s.PublishMsg(&nats.Msg{Subject: "intents.acme", Header: nats.Header{"Nats-Trace-Dest": {target}}, Data: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
			if !s.refused(t, target) {
				t.Errorf("a trace to %s, and nobody says that it may not", target)
			}
			f.quiet(t, before, "a trace to "+target)
		}
	})
}

// TestDeputies: the server itself writes nothing anywhere in somebody's name: not by an answer
// that is to go elsewhere, and not by a consumer that delivers elsewhere.
func TestDeputies(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		here, there := f.ledger.ShardOf(acme), f.ledger.ShardOf(gamma)
		targets := []string{
			ledger.Outcomes.Subject(here, beta), ledger.Outcomes.Subject(there, gamma), ledger.Intents.Subject(here, beta), ledger.Intents.Subject(there, gamma),
			ledger.Updates.Subject(here, acme), ledger.Controls.Subject(here, acme), ledger.Epochs.Subject(there, "owner"),
			"$KV.TENANTS.switch.all", "$KV.FLEET.shard.0", "$KV.CREDENTIALS.ada.0", "$JS.API.STREAM.PURGE.KV_TENANTS", "LEDGER.API.STREAM.PURGE.KV_TENANTS",
		}
		for _, class := range []ledger.Class{ledger.Outcomes, ledger.Updates} {
			if _, err := f.ledger.JetStream().Publish(t.Context(), class.Subject(here, acme), []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
		f.deputised(t, here)
		for _, who := range []string{"producer " + acme, "observer bob"} {
			s := f.stranger(t, who)
			filter := ledger.Outcomes.Subject(here, acme)
			for _, target := range targets {
				sending := map[string]string{"LEDGER.API.DIRECT.GET." + ledger.StreamName(here) + "." + filter: ""}
				if who == "producer "+acme {
					blob := seal.Blob("sealed for " + target)
					sending["$KV.CREDENTIALS.acme."+blob.Digest()] = string(blob)
				}
				create := fmt.Sprintf("LEDGER.API.CONSUMER.CREATE.%s.reader_0.%s", ledger.StreamName(here), filter)
				// A consumer that pushes there.
				config := `{"stream_name":%q,"config":{"ack_policy":"none","deliver_policy":"all","filter_subject":%q,"headers_only":%v,"inactive_threshold":60000000000%s}}`
				for _, bare := range []bool{true, false} {
					before := f.messages(t)
					m, err := s.Request(create, fmt.Appendf(nil, config, ledger.StreamName(here), filter, bare, fmt.Sprintf(`,"deliver_subject":%q`, target)), 5*time.Second)
					if err != nil {
						t.Fatal(err)
					}
					f.quiet(t, before, who+" pushes to "+target)
					f.forget(t, here, m)
					// One that is pulled from there.
					if m, err = s.Request(create, fmt.Appendf(nil, config, ledger.StreamName(here), filter, bare, ""), 5*time.Second); err != nil {
						t.Fatal(err)
					}
					name := f.name(t, m)
					if err := s.PublishRequest("LEDGER.API.CONSUMER.MSG.NEXT."+ledger.StreamName(here)+"."+name, target, nil); err != nil {
						t.Fatal(err)
					}
					f.quiet(t, before, who+" has "+target+" pull")
					f.forget(t, here, m)
				}
				for subject, body := range sending {
					before := f.messages(t)
					if err := s.PublishRequest(subject, target, []byte(body)); err != nil {
						t.Fatal(err)
					}
					if err := s.Flush(); err != nil {
						t.Fatal(err)
					}
					if strings.HasPrefix(subject, "$KV") {
						before++
					}
					f.quiet(t, before, who+" has an answer to "+subject+" go to "+target)
				}
			}
			// The answer to a publish.
			if who != "producer "+acme {
				continue
			}
			for _, target := range targets {
				before := f.messages(t)
				if err := s.PublishRequest("intents.acme", target, []byte("{}")); err != nil {
					t.Fatal(err)
				}
				f.quiet(t, before+1, "an acknowledgement to "+target)
			}
		}
	})
}

// deputised shows that the server does write in somebody's name: for who is in the ledger's own
// account, by an answer; and by a consumer, where a stream takes a subject without a wildcard.
// So a test that finds nothing written has looked.
func (f *fixture) deputised(t *testing.T, shard int) {
	t.Helper()
	before := f.messages(t)
	if err := f.worker.PublishRequest("intents.acme", ledger.Outcomes.Subject(shard, beta), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	f.quiet(t, before+2, "an intent of a worker's, and its acknowledgement as another's outcome")
	literal, err := f.ledger.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: "LITERAL", Subjects: []string{"literal"}})
	if err != nil {
		t.Fatal(err)
	}
	filter := ledger.Outcomes.Subject(shard, acme)
	m, err := f.connect(t, "producer "+acme).Request(fmt.Sprintf("LEDGER.API.CONSUMER.CREATE.%s.reader_1.%s", ledger.StreamName(shard), filter),
		fmt.Appendf(nil, `{"stream_name":%q,"config":{"ack_policy":"none","filter_subject":%q,"deliver_subject":"literal"}}`, ledger.StreamName(shard), filter), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !until(t.Context(), 5*time.Second, func() bool {
		info, err := literal.Info(t.Context())
		return err == nil && info.State.LastSeq == 1
	}) {
		t.Error("a consumer delivers nowhere: then nothing is proved by that it does not deliver to the ledger")
	}
	f.forget(t, shard, m)
}

// quiet holds that nothing was written but what is expected. What follows on the same way,
// was taken after it.
func (f *fixture) quiet(t *testing.T, want uint64, what string) {
	t.Helper()
	until(t.Context(), 2*time.Second, func() bool { return f.messages(t) >= want })
	until(t.Context(), 20*time.Millisecond, func() bool { return f.messages(t) != want })
	if got := f.messages(t); got != want {
		t.Errorf("%s: %d messages on the ledger, wanted %d", what, got, want)
	}
}

// messages is how many messages the ledger and the buckets ever took.
func (f *fixture) messages(t *testing.T) (n uint64) {
	t.Helper()
	for _, name := range []string{"ORDERS_0", "ORDERS_1", "ORDERS_2", "ORDERS_3", "KV_FLEET", "KV_TENANTS", "KV_CREDENTIALS", "KV_PRICES"} {
		stream, err := f.ledger.JetStream().Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		n += stream.CachedInfo().State.LastSeq
	}
	return n
}

// name is the name of a consumer that was made.
func (f *fixture) name(t *testing.T, m *nats.Msg) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(m.Data), `"name":"`)
	name, _, _ := strings.Cut(rest, `"`)
	if !ok {
		return ""
	}
	return name
}

// forget deletes a consumer, if one was made.
func (f *fixture) forget(t *testing.T, shard int, m *nats.Msg) {
	t.Helper()
	if name := f.name(t, m); name != "" {
		if err := f.ledger.JetStream().DeleteConsumer(t.Context(), ledger.StreamName(shard), name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			t.Fatal(err)
		}
	}
}

// TestInboxes: nobody sees another's answers, whatever it listens to.
func TestInboxes(t *testing.T) {
	modes(t, func(t *testing.T, f *fixture) {
		for _, who := range []string{"producer " + acme, "observer bob", "operator eve"} {
			s := f.stranger(t, who)
			heard := make(chan string, 100)
			if _, err := s.Subscribe("_INBOX.>", func(m *nats.Msg) { heard <- m.Subject }); err != nil {
				t.Fatal(err)
			}
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
			for _, victim := range []string{"producer " + beta, "operator ann", "worker w"} {
				if _, err := ledger.Open(t.Context(), f.connect(t, victim)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Request("$JS.API.STREAM.INFO.ORDERS_0", nil, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			<-heard // its own: it does listen
			if len(heard) > 0 {
				t.Errorf("%s hears what was said to %s", who, <-heard)
			}
		}
	})
}
