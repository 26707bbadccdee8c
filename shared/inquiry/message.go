package inquiry

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/orderfleet/orderfleet/shared/order"
)

// Version is the version of every message that this package writes. A message without a
// version is read as version 1.
const Version = 1

// Bounds of messages, in bytes. NATS carries a megabyte by default.
const (
	maxQuestion = 8 << 10
	maxAnswer   = 512 << 10
)

// Verb is what is asked.
type Verb string

// The verbs.
const (
	// State asks what the owner knows of a tenant; see [TenantState].
	State Verb = "state"
	// Reconcile has the owner compare a tenant's account at its broker with the ledger; see
	// [Reconciliation]. It takes as long as the tenant's rate limit makes it.
	Reconcile Verb = "reconcile"
	// Obey asks the owner to answer once every session of the shard obeys the tenants' terms as
	// of [Question].Revision; see [Obeyed]. It is about no tenant.
	Obey Verb = "obey"
	// Reseal has the owner open a tenant's credentials and seal them again to the recipients of
	// now; see [Resealed]. It changes nothing: who asks puts them in the place of the old ones.
	Reseal Verb = "reseal"
)

// Question is what an operator asks.
type Question struct {
	Version int    `json:"v"`
	Verb    Verb   `json:"verb"`
	Tenant  string `json:"tenant,omitzero"`
	// By is who asks, and Reason why: required where something is written to the ledger.
	By     string `json:"by,omitzero"`
	Reason string `json:"reason,omitzero"`
	// Repair has a [Reconcile] write the updates that are missing.
	Repair bool `json:"repair,omitzero"`
	// Since bounds what is compared; see [Reconciliation].
	Since time.Time `json:"since,omitzero"`
	// Revision is of the registry, for [Obey].
	Revision uint64 `json:"revision,omitzero"`
}

// Answer is what the owner of a shard says.
type Answer struct {
	Version int `json:"v"`
	// Worker answers, and owns the shard under this epoch.
	Worker string `json:"worker"`
	Epoch  uint64 `json:"epoch"`
	// UnderWay: this is a sign of life, and the answer is yet to come.
	UnderWay bool `json:"under_way,omitzero"`
	// Refused says why there is no answer; nil if there is one.
	Refused *Refusal `json:"refused,omitzero"`
	// State answers [State].
	State *TenantState `json:"state,omitzero"`
	// Reconciliation answers [Reconcile].
	Reconciliation *Reconciliation `json:"reconciliation,omitzero"`
	// Obeyed answers [Obey].
	Obeyed *Obeyed `json:"obeyed,omitzero"`
	// Resealed answers [Reseal].
	Resealed *Resealed `json:"resealed,omitzero"`
}

// Obeyed is what the owner of a shard attests: no session makes a request any more that the
// terms of a revision do not allow.
type Obeyed struct {
	// Revision is up to which the owner knows the terms; one that is less than what was asked
	// for is no confirmation.
	Revision uint64 `json:"revision"`
	// Sessions is how many tenants have a session now.
	Sessions int `json:"sessions"`
	// Missing are tenants whose session has not taken the terms over, because it waits for
	// an answer: then this is no confirmation.
	Missing []string `json:"missing,omitempty"`
	// Open are tenants that may not trade any more and of which an earlier request got no answer:
	// it may have reached the broker, or still reach it.
	Open []string `json:"open,omitempty"`
}

// Confirms says that the terms of a revision are obeyed.
func (o *Obeyed) Confirms(revision uint64) bool {
	return o.Revision >= revision && len(o.Missing) == 0
}

// MaxNames bounds each list of an [Obeyed]: the first ones, in order.
const MaxNames = 100

// Resealed is a tenant's credentials, sealed again. Only workers can open the old ones, and
// only operators can write new ones.
type Resealed struct {
	// From is the digest of what was opened: the new ones take its place, and that of no other.
	From string `json:"from"`
	// Blob is what was sealed, to Recipients.
	Blob       []byte   `json:"blob"`
	Recipients []string `json:"recipients"`
}

// Refusal is why an owner does not answer.
type Refusal struct {
	Code    Code   `json:"code"`
	Message string `json:"message"` // for people
}

// Code is the kind of a refusal.
type Code string

// The codes.
const (
	// Malformed: the question cannot be understood, or lacks something.
	Malformed Code = "malformed"
	// UnknownVerb: the worker is of a release that does not know the verb.
	UnknownVerb Code = "unknown_verb"
	// WrongShard: the tenant is of another shard.
	WrongShard Code = "wrong_shard"
	// Busy: enough questions are under way already; ask again later.
	Busy Code = "busy"
	// Leaving: the worker gives the shard up; ask the next one.
	Leaving Code = "leaving"
	// Failed: it was tried.
	Failed Code = "failed"
)

// TenantState is what the owner of a tenant's shard knows of the tenant, as of the last
// message of the ledger that it has read.
type TenantState struct {
	Phase Phase `json:"phase"`
	// Read is the sequence number of the last message that the owner has read.
	Read uint64 `json:"read"`
	// Why says what the tenant waits for on its broker's account, be it [Aside] or in its
	// session; empty if that is nothing, or but a moment.
	Why order.Why `json:"why,omitzero"`
	// Since is when that wait began, Until when it is over at the latest, by the worker's
	// clock; zero without one, as when the tenant is held.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// HeldBy is the outcome behind which a release has to come, if the tenant is held.
	HeldBy uint64 `json:"held_by,omitzero"`
	// First is at most the sequence number of the first intent without an outcome; 0 if there
	// is none.
	First uint64 `json:"first,omitzero"`
	// Given is the last intent that the tenant's session was given, 0 without a session.
	Given uint64 `json:"given,omitzero"`
	// Inbox is how much lies in its session's inbox: intents, and at most one signal.
	Inbox int `json:"inbox,omitzero"`
	// Waiting is how many intents no session was given yet. More wait between From and Before,
	// which nobody has counted, if these are not 0.
	Waiting int    `json:"waiting"`
	From    uint64 `json:"from,omitzero"`
	Before  uint64 `json:"before,omitzero"`
	// Doubts is how many of the tenant's next intents may be at the broker although no
	// outcome tells of it, as its last session left them.
	Doubts int `json:"doubts,omitzero"`
}

// Phase is what a tenant is to its shard; package worker/shard draws how they follow.
type Phase string

// The phases.
const (
	Idle    Phase = "idle"    // it has no work
	Waiting Phase = "waiting" // it has work, and waits for room for a session
	Live    Phase = "live"    // it has a session, which gets what comes
	Behind  Phase = "behind"  // it has a session, which reads its backlog from the ledger
	Ending  Phase = "ending"  // its session ends
	Aside   Phase = "aside"   // it has work and no session: it waits for a moment, or is held
)

// Subject is where the owner of a shard is asked.
func Subject(shard int) string { return "inquiries." + strconv.Itoa(shard) }

var wire = json.JoinOptions(json.Deterministic(true), order.Decimals())

// errMalformed says that a message cannot be understood.
var errMalformed = errors.New("inquiry: malformed")

// decode reads a message. Members that it does not know, of a newer release, are passed over.
func decode[T any](data []byte, most int) (T, error) {
	var m, none T
	if len(data) > most {
		return none, fmt.Errorf("%w: it has %d bytes, more than %d", errMalformed, len(data), most)
	}
	if err := json.Unmarshal(data, &m, wire); err != nil {
		return none, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return m, nil
}

// decodeQuestion reads and checks a question.
func decodeQuestion(data []byte) (Question, error) {
	q, err := decode[Question](data, maxQuestion)
	if err != nil {
		return Question{}, err
	}
	return q, q.validate()
}

func (q *Question) validate() error {
	if q.Version > Version {
		return fmt.Errorf("%w: version %d is not known; this is version %d", errMalformed, q.Version, Version)
	}
	if q.Verb != Obey {
		if err := order.ValidTenant(q.Tenant); err != nil {
			return fmt.Errorf("%w: %w", errMalformed, err)
		}
	}
	if len(q.By) > order.MaxControlBy || len(q.Reason) > order.MaxControlReason {
		return fmt.Errorf("%w: who asks has more than %d bytes, or the reason more than %d", errMalformed, order.MaxControlBy, order.MaxControlReason)
	}
	if q.Repair && (q.By == "" || q.Reason == "") {
		return fmt.Errorf("%w: a repair needs somebody who asks for it, and a reason", errMalformed)
	}
	return nil
}

// encodeAnswer writes an answer; one that is too long becomes a refusal.
func encodeAnswer(a Answer) ([]byte, error) {
	data, err := json.Marshal(a, wire)
	if err != nil {
		return nil, fmt.Errorf("inquiry: encode an answer: %w", err)
	}
	if len(data) > maxAnswer {
		why := Refusal{Failed, fmt.Sprintf("the answer has %d bytes, more than %d", len(data), maxAnswer)}
		return encodeAnswer(Answer{Version: a.Version, Worker: a.Worker, Epoch: a.Epoch, Refused: &why})
	}
	return data, nil
}
