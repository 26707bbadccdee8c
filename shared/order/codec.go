package order

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"
)

// MaxMessage is the largest message that is read or written, in bytes.
const MaxMessage = 64 << 10

// encoding writes maps in one order, so that equal messages are equal bytes.
var encoding = json.JoinOptions(json.Deterministic(true))

// EncodeIntent writes an intent. It does not check it; see [Intent.Validate].
func EncodeIntent(in Intent) ([]byte, error) { return encode("intent", in) }

// EncodeOutcome writes an outcome.
func EncodeOutcome(o Outcome) ([]byte, error) { return encode("outcome", o) }

// EncodeUpdate writes an update.
func EncodeUpdate(u Update) ([]byte, error) { return encode("update", u) }

func encode(what string, v any) ([]byte, error) {
	data, err := json.Marshal(v, encoding)
	if err != nil {
		return nil, fmt.Errorf("order: encode %s: %w", what, err)
	}
	if len(data) > MaxMessage {
		return nil, fmt.Errorf("order: encode %s: %w", what, tooLarge(len(data)))
	}
	return data, nil
}

// DecodeIntent reads an intent strictly: a member that it does not know, one that
// stands twice, and anything after the message are errors. Errors name the field: see
// [FieldError]. It does not check the fields' values beyond their types.
func DecodeIntent(data []byte) (Intent, error) {
	var in Intent
	if err := decode(data, &in, json.RejectUnknownMembers(true)); err != nil {
		return Intent{}, err
	}
	if in.Order == nil {
		return in, nil
	}
	for field, d := range in.Order.decimals {
		if err := bounded("order."+field, *d); err != nil {
			return Intent{}, err
		}
	}
	return in, nil
}

// DecodeOutcome reads an outcome. Members that it does not know, of a newer writer, are
// passed over.
func DecodeOutcome(data []byte) (Outcome, error) {
	var o Outcome
	if err := decode(data, &o); err != nil {
		return Outcome{}, err
	}
	return o, nil
}

// DecodeUpdate reads an update. Members that it does not know, of a newer writer, are
// passed over.
func DecodeUpdate(data []byte) (Update, error) {
	var u Update
	if err := decode(data, &u); err != nil {
		return Update{}, err
	}
	for field, d := range u.decimals {
		if err := bounded(field, *d); err != nil {
			return Update{}, err
		}
	}
	return u, nil
}

// PeekID is the id of an encoded intent, or "" if it has none that could be one. The
// rest of the message may be malformed in any way that still is JSON.
func PeekID(intent []byte) string {
	if len(intent) > MaxMessage {
		return ""
	}
	var m struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(intent, &m); err != nil || ValidID(m.ID) != nil {
		return ""
	}
	return m.ID
}

func decode(data []byte, into any, opts ...json.Options) error {
	if len(data) > MaxMessage {
		return tooLarge(len(data))
	}
	err := json.Unmarshal(data, into, opts...)
	if err == nil {
		return nil
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return &FieldError{path(semantic.JSONPointer), problem(semantic)}
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		why := syntactic.Err.Error()
		if errors.Is(err, jsontext.ErrDuplicateName) {
			why = "stands twice"
		}
		return &FieldError{path(syntactic.JSONPointer), fmt.Sprintf("is not JSON at byte %d: %s", syntactic.ByteOffset, why)}
	}
	return &FieldError{"", err.Error()}
}

// problem says what is wrong with a value, without the names of Go types.
func problem(e *json.SemanticError) string {
	switch {
	case errors.Is(e, json.ErrUnknownName):
		return "is not a known field"
	case e.GoType == reflect.TypeFor[decimal.Decimal]():
		return "is no decimal number within bounds"
	case e.GoType == reflect.TypeFor[time.Time]():
		return "is no RFC 3339 time"
	case e.Err != nil:
		return strings.TrimPrefix(e.Err.Error(), "json: ")
	}
	return "cannot be " + jsonKinds[e.JSONKind]
}

var jsonKinds = map[jsontext.Kind]string{
	'n': "null", 'f': "false", 't': "true", '"': "a string", '0': "a number", '{': "an object", '[': "an array",
}

// path turns /order/limit_price into order.limit_price.
func path(p jsontext.Pointer) string {
	var parts []string
	for token := range p.Tokens() {
		parts = append(parts, token)
	}
	return strings.Join(parts, ".")
}

func tooLarge(size int) error {
	return &FieldError{"", fmt.Sprintf("the message has %d bytes, more than %d", size, MaxMessage)}
}
