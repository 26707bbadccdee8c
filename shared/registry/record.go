package registry

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// version of the records.
const version = 1

// Record is one change of a key: who made it, when, why, and what it holds since.
type Record struct {
	Version int    `json:"v"`
	Key     string `json:"key"`
	// After is the revision of the key's change before, 0 if this is its first. A record does
	// not count if the key has another change between that and its own: none can be written
	// again later.
	After uint64 `json:"after"`
	// By is the name of who made the change, by its own account; Signer is whose key signed it:
	// the public nkey of a user.
	By     string    `json:"by"`
	Signer string    `json:"signer"`
	At     time.Time `json:"at"` // by the clock of who made it
	Reason string    `json:"reason"`
	// Body is what the key holds, as JSON; empty says that it is removed.
	Body jsontext.Value `json:"body,omitzero"`

	held body // Body, decoded, of a record that was judged; nil: it is removed
}

// sealed is a record as it stands in the bucket. What is signed are the bytes of the record.
type sealed struct {
	Record    jsontext.Value `json:"record"`
	Signature string         `json:"sig"`
}

// domain begins what is signed: a signature of a record is one of nothing else.
const domain = "orderfleet registry record v1\n"

// Why a change does not count.
var (
	// ErrMalformed: it is no record.
	ErrMalformed = errors.New("registry: no record")
	// ErrMisplaced: it was signed for another key, or to stand behind another change.
	ErrMisplaced = errors.New("registry: the record was signed for another place")
	// ErrSignature: who is said to have signed it has not.
	ErrSignature = errors.New("registry: the signature is wrong")
	// ErrNotAllowed: the signer is none whose signature counts for the key.
	ErrNotAllowed = errors.New("registry: the signer may not change this")
)

var strictly = json.RejectUnknownMembers(true)

// decode reads a record, which stands at a revision behind the key's last change before, and
// checks all but whether its signer may sign it. The record is returned as far as it could be
// read.
func decode(k Key, last, revision uint64, data []byte) (Record, error) {
	r, signature, signed, err := parse(data)
	switch {
	case err != nil:
		return r, fmt.Errorf("%w: %w", ErrMalformed, err)
	case r.Key != k.String():
		return r, fmt.Errorf("%w: for %s", ErrMisplaced, r.Key)
	case r.After < last || r.After >= revision:
		return r, fmt.Errorf("%w: right behind revision %d, and stands behind %d", ErrMisplaced, r.After, last)
	}
	public, err := nkeys.FromPublicKey(r.Signer)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := public.Verify(signed, signature); err != nil {
		return r, ErrSignature
	}
	if err := r.check(k); err != nil {
		return r, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return r, nil
}

// parse takes a record apart; the last two are its signature and what was signed.
func parse(data []byte) (r Record, signature, signed []byte, err error) {
	if len(data) > ledger.MaxRecord {
		return r, nil, nil, fmt.Errorf("it has %d bytes, more than %d", len(data), ledger.MaxRecord)
	}
	var s sealed
	if err := json.Unmarshal(data, &s, strictly); err != nil {
		return r, nil, nil, err
	}
	if err := json.Unmarshal(s.Record, &r, strictly); err != nil {
		return r, nil, nil, err
	}
	if r.Version != version {
		return r, nil, nil, fmt.Errorf("it is of version %d, this is %d: is this program older than who wrote it?", r.Version, version)
	}
	if !nkeys.IsValidPublicUserKey(r.Signer) {
		return r, nil, nil, errors.New("signer: is no public nkey of a user")
	}
	signature, err = base64.StdEncoding.Strict().DecodeString(s.Signature)
	return r, signature, append([]byte(domain), s.Record...), err
}

// check says what is wrong with a record of a key, by the field.
func (r *Record) check(k Key) error {
	if !validText(r.By, order.MaxControlBy) {
		return fmt.Errorf("by: is empty, longer than %d bytes, or not printable", order.MaxControlBy)
	}
	if !validText(r.Reason, order.MaxControlReason) {
		return fmt.Errorf("reason: is empty, longer than %d bytes, or not printable", order.MaxControlReason)
	}
	if y := r.At.Year(); r.At.IsZero() || y < 1 || y > 9999 {
		return errors.New("at: is required, with a year of four digits")
	}
	if r.Removed() {
		if k.Kind == KindOperators {
			return errors.New("body: operators cannot be removed: everybody's signature would count")
		}
		return nil
	}
	held, err := decodeBody(k.Kind, r.Body)
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	r.held = held
	return nil
}

// Removed says that the key holds nothing since.
func (r *Record) Removed() bool { return len(r.Body) == 0 }

// encode signs and writes a record.
func (r Record) encode(s *Signer) ([]byte, error) {
	r.Version, r.Signer = version, s.public
	signed, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	signature, err := s.pair.Sign(append([]byte(domain), signed...))
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(sealed{signed, base64.StdEncoding.EncodeToString(signature)})
	if err != nil {
		return nil, err
	}
	key, err := ParseKey(r.Key)
	if err != nil {
		return nil, err
	}
	_, err = decode(key, r.After, math.MaxUint64, data) // nothing is written that nobody would believe
	return data, err
}

// validText says that a person's words are there, of so many bytes at most, and fit to be shown.
func validText(s string, most int) bool {
	return strings.TrimSpace(s) != "" && len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// clipped keeps what a stranger wrote short enough for an error.
func clipped(s string) string { return cmp.Or(ledger.Printable(s, 40), "nothing") }
