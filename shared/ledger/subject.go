package ledger

import (
	"fmt"
	"strconv"
	"strings"
)

// Class is what a message of the ledger is.
type Class uint8

// The classes of messages, each with a subject of its own per tenant; those of Epochs are of
// no tenant.
const (
	Intents Class = iota + 1
	Outcomes
	Updates
	Controls
	Epochs
)

var classWords = [...]string{Intents: "intents", Outcomes: "outcomes", Updates: "updates", Controls: "controls", Epochs: "epochs"}

func (c Class) String() string { return classWords[c] }

// Subject is where a shard's stream keeps a tenant's messages of a class.
func (c Class) Subject(shard int, tenant string) string {
	return classWords[c] + "." + strconv.Itoa(shard) + "." + tenant
}

// PublishSubject is where a producer publishes a tenant's intents. The account
// mapping of the NATS server turns it into the subject of the tenant's shard.
func PublishSubject(tenant string) string { return "intents." + tenant }

// StreamName is the name of a shard's stream.
func StreamName(shard int) string { return "ORDERS_" + strconv.Itoa(shard) }

// ShardOf is the shard of a tenant among shards. It is the FNV-1a hash that the
// server's partition() computes, so that both sides agree.
func ShardOf(tenant string, shards int) int {
	const offset, prime = 2166136261, 16777619
	h := uint32(offset)
	for i := range len(tenant) {
		h = (h ^ uint32(tenant[i])) * prime
	}
	return int(h % uint32(shards))
}

// Mapping is the account mapping that the NATS server needs: publishes to from
// arrive at to.
func Mapping(shards int) (from, to string) {
	return "intents.*", fmt.Sprintf("intents.{{partition(%d,1)}}.{{wildcard(1)}}", shards)
}

// subjects are all those of a shard's stream.
func subjects(shard int) []string {
	return []string{Controls.Subject(shard, "*"), Epochs.Subject(shard, "*"), Intents.Subject(shard, "*"), Outcomes.Subject(shard, "*"), Updates.Subject(shard, "*")}
}

// parseSubject takes a subject of a shard's stream apart.
func parseSubject(subject string) (c Class, tenant string, ok bool) {
	word, rest, ok := strings.Cut(subject, ".")
	if !ok {
		return 0, "", false
	}
	_, tenant, named := strings.Cut(rest, ".")
	for c, known := range classWords {
		switch {
		case c == 0 || word != known:
		case Class(c) == Epochs: // of no tenant, and in older releases without a third word
			return Epochs, "", true
		default:
			return Class(c), tenant, named
		}
	}
	return 0, "", false
}
