package order

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxMessage is the largest message that is read or written, in bytes.
const MaxMessage = 64 << 10

var (
	// writing puts maps into one order, so that equal messages are equal bytes.
	writing = json.JoinOptions(json.Deterministic(true), writeDecimals)
	// reporting writes in addition what is not text: an outcome repeats the broker's
	// words, and must be written whatever these are.
	reporting = json.JoinOptions(writing, jsontext.AllowInvalidUTF8(true))

	reading = json.JoinOptions(readDecimals)
	strict  = json.JoinOptions(readDecimals, json.RejectUnknownMembers(true))
)

// EncodeIntent writes an intent. It does not check it; see [Intent.Validate].
func EncodeIntent(in Intent) ([]byte, error) { return encode("intent", in, writing) }

// EncodeOutcome writes an outcome. What is no UTF-8 in it becomes U+FFFD.
func EncodeOutcome(o Outcome) ([]byte, error) { return encode("outcome", o, reporting) }

// EncodeUpdate writes an update. What is no UTF-8 in it becomes U+FFFD.
func EncodeUpdate(u Update) ([]byte, error) { return encode("update", u, reporting) }

// EncodeControl writes a control. It does not check it; see [Control.Validate].
func EncodeControl(c Control) ([]byte, error) { return encode("control", c, writing) }

func encode(what string, v any, opts json.Options) ([]byte, error) {
	data, err := json.Marshal(v, opts)
	if err != nil {
		return nil, fmt.Errorf("order: encode %s: %w", what, asFieldError(err))
	}
	if len(data) > MaxMessage {
		return nil, fmt.Errorf("order: encode %s: %w", what, tooLarge(len(data)))
	}
	return data, nil
}

// DecodeIntent reads an intent strictly: a member that it does not know, one that
// stands twice, and anything after the message are errors. Errors name the field: see
// [FieldError]. It does not check the fields' values beyond their types and the bounds of
// numbers.
func DecodeIntent(data []byte) (Intent, error) { return decode[Intent](data, strict) }

// DecodeOutcome reads an outcome. Members that it does not know, of a newer writer, are
// passed over.
func DecodeOutcome(data []byte) (Outcome, error) { return decode[Outcome](data, reading) }

// DecodeUpdate reads an update. Members that it does not know, of a newer writer, are
// passed over.
func DecodeUpdate(data []byte) (Update, error) { return decode[Update](data, reading) }

// DecodeControl reads a control. Members that it does not know, of a newer program, are
// passed over.
func DecodeControl(data []byte) (Control, error) { return decode[Control](data, reading) }

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

func decode[T any](data []byte, opts json.Options) (T, error) {
	var message, none T
	if len(data) > MaxMessage {
		return none, tooLarge(len(data))
	}
	if start := bytes.TrimLeft(data, " \t\r\n"); len(start) > 0 && start[0] == 'n' {
		return none, &FieldError{"", "the message is no JSON object"} // null would be an empty one
	}
	if err := json.Unmarshal(data, &message, opts); err != nil {
		return none, asFieldError(err)
	}
	return message, nil
}

// asFieldError turns an error of the JSON library into one that names the field.
func asFieldError(err error) *FieldError {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return &FieldError{path(semantic.JSONPointer), problem(semantic)}
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return &FieldError{path(syntactic.JSONPointer), "stands twice"}
		}
		return &FieldError{path(syntactic.JSONPointer), fmt.Sprintf("is not JSON at byte %d: %s", syntactic.ByteOffset, syntactic.Err)}
	}
	return &FieldError{"", err.Error()}
}

// problem says what is wrong with a value, without the names of Go types.
func problem(e *json.SemanticError) string {
	switch {
	case errors.Is(e, json.ErrUnknownName):
		return "is not a known field"
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

// path turns /order/limit_price into order.limit_price. A stranger chose its names.
func path(p jsontext.Pointer) string {
	var parts []string
	for token := range p.Tokens() {
		parts = append(parts, clipped(token))
		if len(parts) == 8 { // deeper than any message
			break
		}
	}
	return strings.Join(parts, ".")
}

func tooLarge(size int) error {
	return &FieldError{"", fmt.Sprintf("the message has %d bytes, more than %d", size, MaxMessage)}
}
