package history

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// maxLine bounds a line. The largest message, all of it in base64, has a tenth of it.
const maxLine = 1 << 20

// line is a message in the file of its shard.
type line struct {
	Seq    uint64      `json:"seq"`
	Class  string      `json:"class"`
	Tenant string      `json:"tenant"` // empty for what is of none
	Time   time.Time   `json:"time"`
	Header nats.Header `json:"header,omitempty"`
	// HeaderBase64 stands for Header if that is not text.
	HeaderBase64 map[string][][]byte `json:"header_base64,omitempty"`
	// Data is the message's body, as it is; Base64 stands for it if it is no JSON object, or
	// one on several lines.
	Data   jsontext.Value `json:"data,omitempty"`
	Base64 []byte         `json:"base64,omitzero"`
}

// appendLine appends a message as a line, with its end.
func appendLine(b []byte, e *ledger.Entry) ([]byte, error) {
	from := len(b)
	b = strconv.AppendUint(append(b, `{"seq":`...), e.Seq, 10)
	b = append(append(append(b, `,"class":"`...), e.Class.String()...), `","tenant":`...)
	b, err := jsontext.AppendQuote(b, e.Tenant)
	if err != nil {
		return nil, fmt.Errorf("history: tenant of message %d: %w", e.Seq, err)
	}
	b = e.Time.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
	b = append(b, '"')
	if b, err = appendHeader(b, e.Header); err != nil {
		return nil, fmt.Errorf("history: header of message %d: %w", e.Seq, err)
	}
	body := len(b)
	if onOneLine(e.Data) {
		b = append(append(append(b, `,"data":`...), e.Data...), '}')
		if jsontext.Value(b[from:]).IsValid() {
			return append(b, '\n'), nil
		}
	}
	b = base64.StdEncoding.AppendEncode(append(b[:body], `,"base64":"`...), e.Data)
	return append(b, "\"}\n"...), nil
}

// onOneLine says whether data may be a JSON object that can stand in a line as it is.
func onOneLine(data []byte) bool {
	return len(data) >= 2 && data[0] == '{' && data[len(data)-1] == '}' && bytes.IndexByte(data, '\n') < 0
}

func appendHeader(b []byte, h nats.Header) ([]byte, error) {
	if len(h) == 0 {
		return b, nil
	}
	var text any = h
	name := `,"header":`
	if !isText(h) {
		coded := make(map[string][][]byte, len(h))
		for key, values := range h {
			k := base64.StdEncoding.EncodeToString([]byte(key))
			for _, v := range values {
				coded[k] = append(coded[k], []byte(v))
			}
		}
		text, name = coded, `,"header_base64":`
	}
	data, err := json.Marshal(text, json.Deterministic(true))
	return append(append(b, name...), data...), err
}

func isText(h nats.Header) bool {
	for key, values := range h {
		for _, v := range append(values, key) {
			if !utf8.ValidString(v) {
				return false
			}
		}
	}
	return true
}

var errNoMessage = errors.New("it is not as a message of an export is")

// parseLine reads a line, without its end. What it returns shares no memory with it.
func parseLine(data []byte) (ledger.Entry, error) {
	var l line
	if err := json.Unmarshal(data, &l, json.RejectUnknownMembers(true)); err != nil {
		return ledger.Entry{}, err
	}
	class, ok := classes[l.Class]
	if !ok || (l.Data == nil) == (l.Base64 == nil) || l.Seq == 0 {
		return ledger.Entry{}, errNoMessage
	}
	e := ledger.Entry{Class: class, Tenant: l.Tenant, Seq: l.Seq, Time: l.Time, Header: l.Header, Data: l.Base64}
	if l.Data != nil {
		if l.Data.Kind() != '{' {
			return ledger.Entry{}, errNoMessage
		}
		e.Data = l.Data
	}
	if l.HeaderBase64 != nil {
		if l.Header != nil {
			return ledger.Entry{}, errNoMessage
		}
		e.Header = make(nats.Header, len(l.HeaderBase64))
		for k, values := range l.HeaderBase64 {
			key, err := base64.StdEncoding.DecodeString(k)
			if err != nil {
				return ledger.Entry{}, err
			}
			for _, v := range values {
				e.Header[string(key)] = append(e.Header[string(key)], string(v))
			}
		}
	}
	return e, nil
}

// classes are the classes of messages by their words.
var classes = func() map[string]ledger.Class {
	all := make(map[string]ledger.Class)
	for c := ledger.Intents; c <= ledger.Epochs; c++ {
		all[c.String()] = c
	}
	return all
}()
