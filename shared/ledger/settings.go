package ledger

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Settings are what an operator decides about a ledger. The environment
// variables in the tags carry the prefix ORDERFLEET_.
type Settings struct {
	// Shards is the number of streams, 1 to 256. It cannot change once there is
	// data: a tenant's history would be torn apart.
	Shards int `envconfig:"LEDGER_SHARDS" default:"8" desc:"streams that share the tenants, 1 to 256; fixed once there is data"`
	// Replicas of each stream and of the fleet's bucket: 1, 3 or 5. Three in production.
	Replicas int `envconfig:"LEDGER_REPLICAS" default:"1" desc:"copies of each stream: 1, 3 or 5"`
	// Storage of the streams and the bucket is file or memory. Memory loses the ledger with
	// the server.
	Storage string `envconfig:"LEDGER_STORAGE" default:"file" desc:"file or memory"`
	// Retention is how long the streams keep messages at least, a day or more; 0 keeps them for
	// ever, and then they cannot be made to lose any. What is older leaves once it stands before
	// every intent that has no outcome: workers see to that, not the server, see [Ledger.Trim].
	Retention time.Duration `envconfig:"LEDGER_RETENTION" default:"0" desc:"how long messages are kept at least, 24h or more, 0 for ever; no intent leaves before its outcome is written; fixed at 0 once it is 0"`
	// MaxBytes bounds each stream; at the bound publishes are refused, nothing is
	// dropped. 0 is no bound.
	MaxBytes int64 `envconfig:"LEDGER_MAX_BYTES" default:"0" desc:"bytes a stream may hold before publishes are refused, 0 for no bound"`
	// MaxPerTenant bounds what each stream holds of a tenant: so many intents, so many outcomes, so
	// many updates and controls. At the bound the tenant's publishes are refused, and the others'
	// are not. 0 is no bound. An intent that was acknowledged ends in its outcome all the same: of
	// outcomes there are no more than of intents, but for those whose intents retention took
	// before them; these, and updates, of which there may be many an intent, then wait for
	// retention to make room, or for a higher bound.
	MaxPerTenant int64 `envconfig:"LEDGER_MAX_PER_TENANT" default:"0" desc:"messages of a tenant and kind that a stream holds before the tenant's publishes are refused, 0 for no bound"`
	// Dedup is how long the server remembers message ids, 1 s to a day, no longer than it
	// keeps the messages.
	Dedup time.Duration `envconfig:"LEDGER_DEDUP" default:"10m" desc:"how long a message id published twice is dropped by the server"`
}

// DefaultSettings are the settings without any environment.
func DefaultSettings() Settings {
	return Settings{Shards: 8, Replicas: 1, Storage: "file", Dedup: 10 * time.Minute}
}

// minRetention leaves time to look at what failed, and to read what the broker said.
const minRetention = 24 * time.Hour

// Validate says which setting is out of range.
func (s Settings) Validate() error {
	switch {
	case s.Shards < 1 || s.Shards > 256:
		return &SettingError{"Shards", fmt.Sprintf("%d is not 1 to 256", s.Shards)}
	case s.Replicas != 1 && s.Replicas != 3 && s.Replicas != 5:
		return &SettingError{"Replicas", fmt.Sprintf("%d is not 1, 3 or 5", s.Replicas)}
	case s.Storage != "file" && s.Storage != "memory":
		return &SettingError{"Storage", fmt.Sprintf("%q is not file or memory", s.Storage)}
	case s.Retention != 0 && s.Retention < minRetention:
		return &SettingError{"Retention", fmt.Sprintf("%s is below %s; what failed could leave before somebody has looked", s.Retention, minRetention)}
	case s.MaxBytes < 0:
		return &SettingError{"MaxBytes", "is negative"}
	case s.MaxPerTenant < 0:
		return &SettingError{"MaxPerTenant", "is negative"}
	case s.Dedup < time.Second || s.Dedup > 24*time.Hour:
		return &SettingError{"Dedup", fmt.Sprintf("%s is not 1s to 24h", s.Dedup)}
	case s.Retention != 0 && s.Dedup > s.Retention:
		return &SettingError{"Dedup", "is longer than the retention"}
	}
	return nil
}

// SettingError names a setting that is out of range.
type SettingError struct{ Setting, Problem string }

func (e *SettingError) Error() string { return "ledger setting " + e.Setting + ": " + e.Problem }

// Variable is the setting's environment variable, without the prefix.
func (e *SettingError) Variable() string {
	field, ok := reflect.TypeFor[Settings]().FieldByName(e.Setting)
	if !ok {
		return e.Setting
	}
	return field.Tag.Get("envconfig")
}

// Metadata keys of a stream.
const (
	metaShards = "orderfleet.shards"
	metaShard  = "orderfleet.shard"
	// metaRetention is a duration; none is for ever.
	metaRetention = "orderfleet.retention"
)

// retentionOf is how long a stream keeps messages at least, 0 for ever.
func retentionOf(c jetstream.StreamConfig) (time.Duration, error) {
	text := c.Metadata[metaRetention]
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("ledger: stream %s: metadata %s is %q, no duration", c.Name, metaRetention, text)
	}
	return d, nil
}

func (s Settings) storage() jetstream.StorageType {
	if s.Storage == "memory" {
		return jetstream.MemoryStorage
	}
	return jetstream.FileStorage
}

// maxHeader is room for the headers of a message beside its body.
const maxHeader = 4 << 10

// streamConfig is the stream of one shard.
func (s Settings) streamConfig(shard int) jetstream.StreamConfig {
	maxBytes := s.MaxBytes
	if maxBytes == 0 {
		maxBytes = -1
	}
	perTenant := s.MaxPerTenant
	if perTenant == 0 {
		perTenant = -1
	}
	n := strconv.Itoa(shard)
	metadata := map[string]string{metaShards: strconv.Itoa(s.Shards), metaShard: n}
	if s.Retention > 0 {
		metadata[metaRetention] = s.Retention.String()
	}
	return jetstream.StreamConfig{
		Name:        StreamName(shard),
		Description: "Orderfleet: the ledger of shard " + n,
		Subjects:    subjects(shard),
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew, // refuse, never forget
		Storage:     s.storage(),
		Replicas:    s.Replicas,
		MaxBytes:    maxBytes,

		MaxMsgsPerSubject:    perTenant,
		DiscardNewPerSubject: perTenant > 0,

		MaxMsgSize:  order.MaxMessage + maxHeader,
		Duplicates:  s.Dedup,
		AllowDirect: true, // backlogs are read from any replica
		DenyDelete:  true, // a ledger is not edited
		DenyPurge:   s.Retention == 0,
		Metadata:    metadata,
	}
}
