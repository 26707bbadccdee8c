package borders

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
)

// LedgerAccount is the account of the streams and buckets, and of the workers.
const LedgerAccount = "ORDERS"

// The client's prefix for answers. In an account of one user they are that user's own.
const inbox = "_INBOX.>"

// api is where the JetStream API is in the ledger's account.
const api = "$JS.API."

// request is a request that a user may make of the ledger's account.
type request struct {
	// subject is that of the ledger's account.
	subject string
	// local is what it is to the user.
	local string
	// allowed are the local subjects that the user may publish to, if they are fewer.
	allowed []string
}

// plain is a request that is the same on both sides.
func plain(subject string) request { return request{subject: subject, local: subject} }

// jetstream is a request to the JetStream API.
func jetstream(subject string, allowed ...string) request {
	for i, a := range allowed {
		allowed[i] = ledger.BorderAPI + a
	}
	return request{api + subject, ledger.BorderAPI + subject, allowed}
}

// last reads a stream's last message of a subject.
func last(stream, subject string) request { return jetstream("DIRECT.GET." + stream + "." + subject) }

// readers are the requests by which a user reads through consumers of its own. A stream and
// filter of * stands for any; allowed says which.
func (u User) readers(stream string, allowed []string, filters ...string) []request {
	var all []request
	for n := range ledger.Readers {
		ours, name := ledger.ReaderName(n), fmt.Sprint(u.id(), "_", n)
		for _, f := range filters {
			r := jetstream("CONSUMER.CREATE." + stream + "." + name + f)
			r.local = ledger.BorderAPI + "CONSUMER.CREATE." + stream + "." + ours + f
			for _, a := range allowed {
				r.allowed = append(r.allowed, ledger.BorderAPI+"CONSUMER.CREATE."+strings.Replace(a, "READER", ours, 1)+f)
			}
			all = append(all, r)
		}
		for _, verb := range []string{"MSG.NEXT", "DELETE"} {
			r := jetstream("CONSUMER." + verb + "." + stream + "." + name)
			for _, a := range allowed {
				stream, _, _ := strings.Cut(a, ".")
				r.allowed = append(r.allowed, ledger.BorderAPI+"CONSUMER."+verb+"."+stream+"."+name)
			}
			all = append(all, r)
		}
	}
	return all
}

// exactly are requests of readers which are allowed the filters that are given with them, and no
// others.
func exactly(all []request) []request {
	for n := range all {
		r := &all[n]
		for i, a := range r.allowed {
			r.allowed[i] = strings.TrimSuffix(a, ".>")
		}
		slices.Sort(r.allowed)
		r.allowed = slices.Compact(r.allowed)
	}
	return all
}

// shared is what operators and observers read: not CREDENTIALS.
func shared(shards int) []string {
	streams := []string{"KV_FLEET", "KV_TENANTS", "KV_PRICES"}
	for n := range shards {
		streams = append(streams, ledger.StreamName(n))
	}
	return streams
}

// reading is all that reads the shared streams.
func (u User) reading(shards int) []request {
	streams := shared(shards)
	of := func(verb string) []string {
		var all []string
		for _, s := range streams {
			all = append(all, verb+"."+s)
		}
		return all
	}
	var consumers []string
	for _, s := range streams {
		consumers = append(consumers, s+".READER")
	}
	direct := of("DIRECT.GET")
	for _, s := range streams {
		direct = append(direct, "DIRECT.GET."+s+".>")
	}
	return slices.Concat([]request{
		jetstream("STREAM.INFO.*", of("STREAM.INFO")...),
		jetstream("STREAM.MSG.GET.*", of("STREAM.MSG.GET")...),
		jetstream("DIRECT.GET.>", direct...),
	}, u.readers("*", consumers, "", ".>"))
}

// imports is who may do what: the requests that a user may make of the ledger's account.
// Workers, who are inside, have none.
func (u User) imports(shards int) []request {
	about := last("KV_FLEET", "$KV.FLEET."+ledger.AboutKey) // how many shards there are
	publish := plain("intents.*.*")                         // as the account's mapping makes it
	switch u.Role {
	case Operator:
		return slices.Concat(u.reading(shards), []request{
			publish,
			plain("controls.*.*"),
			plain("inquiries.*"),
			plain("$KV.TENANTS.>"),
			plain("$KV.CREDENTIALS.>"), // to write them; nothing here reads them
		})
	case Observer:
		return u.reading(shards)
	case Producer:
		n := ledger.ShardOf(u.Name, shards)
		stream, outcomes, updates := ledger.StreamName(n), ledger.Outcomes.Subject(n, u.Name), ledger.Updates.Subject(n, u.Name)
		// What it has to know of the registry for that: its broker, which credentials it has, for whom
		// to seal them, and whose signatures count.
		var lasts, filtered []string
		for _, key := range []string{"tenant." + u.Name, "credential." + u.Name, "recipients", "operators"} {
			lasts = append(lasts, "DIRECT.GET.KV_TENANTS.$KV.TENANTS."+key)
			filtered = append(filtered, "KV_TENANTS.READER.$KV.TENANTS."+key)
		}
		return slices.Concat([]request{
			about,
			plain(ledger.Intents.Subject(n, u.Name)),
			last(stream, outcomes),
			last(stream, updates),
			// Its own credentials, sealed, and which of them is in force. A worker writes both.
			{subject: "custody." + u.Name + "." + ledger.CustodyBlob + ".*", local: "$KV.CREDENTIALS." + u.Name + ".*"},
			{subject: "custody." + u.Name + "." + ledger.CustodyRecord, local: "$KV.TENANTS.credential." + u.Name},
			jetstream("DIRECT.GET.KV_TENANTS.>", lasts...),
		}, u.readers(stream, nil, "."+outcomes, "."+updates), exactly(u.readers("KV_TENANTS", filtered, ".>")))
	case Gateway:
		all := []request{publish}
		var filtered []string
		lasts := []string{"DIRECT.GET.KV_FLEET.$KV.FLEET." + ledger.AboutKey}
		for n := range shards {
			for _, c := range []ledger.Class{ledger.Outcomes, ledger.Updates} {
				lasts = append(lasts, "DIRECT.GET."+ledger.StreamName(n)+"."+c.Subject(n, "*"))
				filtered = append(filtered, ledger.StreamName(n)+".READER."+c.Subject(n, "*"))
			}
		}
		all = append(all, jetstream("DIRECT.GET.>", lasts...))
		return slices.Concat(all, exactly(u.readers("*", filtered, ".>")))
	case Prices:
		return []request{about, plain("$KV.PRICES.>")}
	case Worker:
	}
	return nil
}

// permissions are the subjects that a user may publish to, and subscribe to.
func (u User) permissions(shards int) (publish, subscribe []string) {
	if u.Role == Worker {
		return workerPublishes, workerSubscribes
	}
	// The answer to this one says that there is a border. It comes from the user's own
	// account, which has no JetStream.
	publish = []string{api + "STREAM.INFO." + ledger.StreamName(0), natsconn.UserInfo}
	for _, r := range u.imports(shards) {
		if len(r.allowed) == 0 {
			publish = append(publish, r.local)
		}
		publish = append(publish, r.allowed...)
	}
	return publish, []string{inbox}
}

// What a worker needs: it makes and trims the streams, and deletes none.
var (
	workerPublishes = []string{
		"intents.*.*", // "worker provision" tries the mapping, and has nothing stored
		"outcomes.*.*", "updates.*.*", "epochs.*.*",
		"$KV.FLEET.>",
		"$KV.TENANTS.credential.*", "$KV.CREDENTIALS.>", // what tenants change of their own keys
		"inquiries.*", "pools.>", // workers ask each other
		"_R_.>", inbox, // answers to those who ask, behind a border and inside
		natsconn.UserInfo, // what a refusal tells of who was refused
		api + "INFO", api + "STREAM.NAMES",
		api + "STREAM.INFO.*", api + "STREAM.CREATE.*", api + "STREAM.UPDATE.*", api + "STREAM.PURGE.*",
		api + "STREAM.MSG.GET.*", api + "DIRECT.GET.>",
		api + "CONSUMER.CREATE.>", api + "CONSUMER.MSG.NEXT.>", api + "CONSUMER.INFO.>", api + "CONSUMER.DELETE.>",
	}
	workerSubscribes = []string{inbox, "inquiries.*", "pools.>", ledger.CustodySubjects, "intents.*.*"}
)

// export is a service that the ledger's account offers. That is no permission: what an
// account may ask of it, its imports say, and those only the operator of the server writes.
type export struct {
	subject string
	stream  bool          // a request has more than one answer
	within  time.Duration // that the last answer comes, 0 for the server's two minutes
}

func exports() []export {
	return []export{
		{subject: "intents.*.*"},
		{subject: "controls.*.*"},
		{subject: "inquiries.*", stream: true, within: time.Hour},
		{subject: ledger.CustodySubjects},
		{subject: "$KV.TENANTS.>"},
		{subject: "$KV.CREDENTIALS.>"},
		{subject: "$KV.PRICES.>"},
		{subject: api + "STREAM.INFO.*"},
		{subject: api + "STREAM.MSG.GET.*"},
		{subject: api + "DIRECT.GET.>", stream: true},
		{subject: api + "CONSUMER.CREATE.>"},
		{subject: api + "CONSUMER.MSG.NEXT.*.*", stream: true},
		{subject: api + "CONSUMER.DELETE.*.*"},
	}
}

// maps says that a user publishes intents, so that its account needs the mapping to shards.
func (u User) maps() bool { return u.Role != Observer && u.Role != Prices }
