package history

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"pgregory.net/rapid"
)

// same says whether two messages are the same, byte by byte.
func same(a, b ledger.Entry) bool {
	return a.Class == b.Class && a.Tenant == b.Tenant && a.Seq == b.Seq && a.Time.Equal(b.Time) &&
		bytes.Equal(a.Data, b.Data) && maps.EqualFunc(a.Header, b.Header, slices.Equal)
}

// again writes a message and reads it.
func again(e ledger.Entry) (got ledger.Entry, text string, err error) {
	b, err := appendLine([]byte("before"), &e)
	if err != nil {
		return got, "", err
	}
	b = b[len("before"):]
	got, err = parseLine(b[:len(b)-1])
	return got, string(b), err
}

// TestLinesKeepEveryByte: whatever is in a message, it is the same after a line.
func TestLinesKeepEveryByte(t *testing.T) {
	texts := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	bodies := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.SampledFrom([]string{
		`{}`, `{"a":1.50}`, "{\"a\": [1,\n2]}", "{\"a\":\t1e3}", `{"a":1,"a":2}`, `{"a":"\u0041/"}`, `{"a":1}{"b":2}`, `[1]`, `null`, ` {}`, `{} `, "{\"a\":\"\xff\"}", `{}},"x":{}`,
	}), func(s string) []byte { return []byte(s) }))
	rapid.Check(t, func(t *rapid.T) {
		e := ledger.Entry{
			Class:  ledger.Class(rapid.IntRange(int(ledger.Intents), int(ledger.Epochs)).Draw(t, "class")),
			Tenant: rapid.StringMatching(`[^\x00-\x20.*>]{0,8}`).Draw(t, "tenant"),
			Seq:    rapid.Uint64Min(1).Draw(t, "seq"),
			Time:   time.Unix(0, rapid.Int64Min(0).Draw(t, "time")),
			Data:   bodies.Draw(t, "data"),
		}
		if rapid.Bool().Draw(t, "header") {
			e.Header = nats.Header(rapid.MapOfN(texts, rapid.SliceOfN(texts, 1, 2), 0, 2).Draw(t, "headers"))
		}
		got, text, err := again(e)
		switch {
		case err != nil:
			t.Fatalf("%q: %v", text, err)
		case !same(got, e):
			t.Errorf("%q became %+v, was %+v", text, got, e)
		case bytes.Count([]byte(text), []byte("\n")) != 1:
			t.Errorf("%q is no line", text)
		}
	})
}

// TestBodiesAreReadable: what the fleet writes stands in a line as it is.
func TestBodiesAreReadable(t *testing.T) {
	e := ledger.Entry{Class: ledger.Outcomes, Tenant: "acme", Seq: 7, Time: time.Unix(1, 5), Data: []byte(`{"intent_seq":3, "x":"\u00e4"}`)}
	_, text, err := again(e)
	const want = `{"seq":7,"class":"outcomes","tenant":"acme","time":"1970-01-01T00:00:01.000000005Z","data":{"intent_seq":3, "x":"\u00e4"}}` + "\n"
	if err != nil || text != want {
		t.Errorf("%v: %s", err, text)
	}
}

func TestNoLine(t *testing.T) {
	const head = `{"seq":1,"class":"intents","tenant":"a","time":"2026-01-02T03:04:05Z"`
	for name, text := range map[string]string{
		"nothing":         ``,
		"no body":         head + `}`,
		"two bodies":      head + `,"data":{},"base64":""}`,
		"no object":       head + `,"data":[]}`,
		"null":            head + `,"data":null}`,
		"no base64":       head + `,"base64":"?"}`,
		"two headers":     head + `,"header":{"a":["b"]},"header_base64":{"YQ==":["Yg=="]},"data":{}}`,
		"no header":       head + `,"header_base64":{"?":[]},"data":{}}`,
		"an unknown name": head + `,"more":1,"data":{}}`,
		"a name twice":    head + `,"seq":2,"data":{}}`,
		"no sequence":     `{"class":"intents","tenant":"a","time":"2026-01-02T03:04:05Z","data":{}}`,
		"another class":   `{"seq":1,"class":"deeds","tenant":"a","time":"2026-01-02T03:04:05Z","data":{}}`,
		"more behind it":  head + `,"data":{}} {}`,
	} {
		t.Run(name, func(t *testing.T) {
			if e, err := parseLine([]byte(text)); err == nil {
				t.Errorf("read as %+v", e)
			}
		})
	}
}

// FuzzLine: what is read can be written and is the same.
func FuzzLine(f *testing.F) {
	for _, e := range []ledger.Entry{
		{Class: ledger.Intents, Tenant: "acme", Seq: 1, Time: time.Unix(0, 1), Data: []byte(`{"id":"x"}`), Header: nats.Header{"Nats-Msg-Id": {"acme.x"}}},
		{Class: ledger.Epochs, Seq: 2, Data: []byte("no JSON"), Header: nats.Header{"\xff": {"\xfe"}}},
	} {
		b, err := appendLine(nil, &e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := parseLine(text)
		if err != nil {
			return
		}
		if got, text, err := again(e); err != nil || !same(got, e) {
			t.Errorf("%q became %+v, was %+v: %v", text, got, e, err)
		}
	})
}
