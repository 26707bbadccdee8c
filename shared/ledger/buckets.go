package ledger

import (
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The names of the [Bucket]s beside the shards' streams.
const (
	// FleetBucket is that of ownership: members and leases, see package worker/fleet.
	FleetBucket = "FLEET"
	// TenantsBucket is that of who the tenants are and what they may do, see package registry.
	TenantsBucket = "TENANTS"
	// CredentialsBucket holds the tenants' sealed keys.
	CredentialsBucket = "CREDENTIALS"
	// PricesBucket holds reference prices, by symbol. They are as good as they are new: they
	// do not outlive the server.
	PricesBucket = "PRICES"
)

// MaxRecord bounds a value of the bucket of tenants, in bytes.
const MaxRecord = 256 << 10

// others are the streams beside those of the shards: of the buckets, as the client library
// would make them, but for roll-ups: who may write one key of a bucket that allows them may
// wipe all of it, by a header. Nobody but workers writes FLEET.
func (s Settings) others() []jetstream.StreamConfig {
	fleet := s.bucket(FleetBucket, "who owns which shard")
	fleet.AllowRollup, fleet.DenyDelete = true, true
	fleet.AllowMsgTTL, fleet.SubjectDeleteMarkerTTL = true, traceOfRemoval // keys may have a time to live

	// This one is a ledger too: each change stays, and with it who made it. (The client library
	// takes no bucket for one whose keys have no bound at all.)
	tenants := s.bucket(TenantsBucket, "who the tenants are, what they may do, and who said so")
	tenants.MaxMsgsPerSubject, tenants.MaxMsgSize = math.MaxInt64, MaxRecord+maxHeader
	tenants.DenyDelete, tenants.DenyPurge = true, true

	credentials := s.bucket(CredentialsBucket, "the tenants' keys, sealed")
	credentials.MaxMsgSize = MaxRecord + maxHeader
	credentials.DenyDelete, credentials.AllowMsgTTL = true, true // what is removed leaves no trace

	prices := s.bucket(PricesBucket, "reference prices")
	prices.Storage, prices.MaxMsgSize = jetstream.MemoryStorage, maxHeader
	prices.DenyDelete = true

	return []jetstream.StreamConfig{fleet, tenants, credentials, prices}
}

// bucket is the stream of a bucket that keeps the last change of each key.
func (s Settings) bucket(name, what string) jetstream.StreamConfig {
	b := &Bucket{name: name}
	return jetstream.StreamConfig{
		Name:              b.stream(),
		Description:       "Orderfleet: " + what,
		Subjects:          []string{b.subject(">")},
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		Storage:           s.storage(),
		Replicas:          s.Replicas,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgsPerSubject: 1,
		MaxMsgSize:        -1,
		Duplicates:        2 * time.Minute,
		AllowDirect:       true,
	}
}
