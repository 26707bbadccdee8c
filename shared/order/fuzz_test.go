package order_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Whatever a stranger sends is refused with an error of bounded size, or is a message
// that can be written and read again, the same.
func FuzzDecodeIntent(f *testing.F) {
	for _, sample := range samples(f, "intents") {
		f.Add(sample)
	}
	for _, odd := range []string{``, `null`, `[]`, `{"id":1}`, with(`"1"`, `1e999999999`), with(`"1"`, `1e17`), with(`"qty"`, `"qty":"1","qty"`), with(`i1`, "\xff")} {
		f.Add([]byte(odd))
	}
	schema := compiled(f, order.IntentSchema)
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := order.DecodeIntent(data)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		invalid := in.Validate()
		if id := order.PeekID(data); id != in.ID && order.ValidID(in.ID) == nil {
			t.Errorf("peeked %q, decoded %q", id, in.ID)
		}
		written, err := order.EncodeIntent(in)
		if err != nil {
			if invalid == nil && !strings.Contains(err.Error(), "bytes, more than") {
				t.Errorf("valid, but cannot be written: %v", err)
			}
			return
		}
		again, err := order.DecodeIntent(written)
		if err != nil {
			t.Fatalf("%s cannot be read: %v", written, err)
		}
		if (again.Validate() == nil) != (invalid == nil) {
			t.Errorf("valid became invalid, or the other way: %v, %v", invalid, again.Validate())
		}
		twice, err := order.EncodeIntent(again)
		if err != nil || !bytes.Equal(twice, written) {
			t.Errorf("%s became %s: %v", written, twice, err)
		}
		if invalid == nil {
			if err := refused(t, schema, written); err != nil {
				t.Errorf("the schema refuses %s: %v", written, err)
			}
		}
	})
}

func FuzzDecodeOutcome(f *testing.F) {
	for _, sample := range samples(f, "outcomes") {
		f.Add(sample)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		survives(t, data, order.DecodeOutcome, order.EncodeOutcome)
	})
}

func FuzzDecodeUpdate(f *testing.F) {
	for _, sample := range samples(f, "updates") {
		f.Add(sample)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		survives(t, data, order.DecodeUpdate, order.EncodeUpdate)
	})
}

// What is valid is so to the schema, too.
func FuzzDecodeControl(f *testing.F) {
	for _, sample := range samples(f, "controls") {
		f.Add(sample)
	}
	schema := compiled(f, order.ControlSchema)
	f.Fuzz(func(t *testing.T, data []byte) {
		survives(t, data, order.DecodeControl, order.EncodeControl)
		c, err := order.DecodeControl(data)
		if err != nil || c.Validate() != nil {
			return
		}
		written, err := order.EncodeControl(c)
		if err != nil {
			t.Fatalf("valid, but cannot be written: %v", err)
		}
		if err := refused(t, schema, written); err != nil {
			t.Errorf("the schema refuses %s: %v", written, err)
		}
	})
}

// survives checks that what was read is written the same, again and again.
func survives[T any](t *testing.T, data []byte, decode func([]byte) (T, error), encode func(T) ([]byte, error)) {
	t.Helper()
	message, err := decode(data)
	if err != nil {
		return
	}
	written, err := encode(message)
	if err != nil {
		return // it grew past the bound, or has a year of five digits
	}
	again, err := decode(written)
	if err != nil {
		t.Fatalf("%s cannot be read: %v", written, err)
	}
	twice, err := encode(again)
	if err != nil || !bytes.Equal(twice, written) {
		t.Errorf("%s became %s: %v", written, twice, err)
	}
}

// An id is found only in what could be the message that it names.
func FuzzPeekID(f *testing.F) {
	for _, sample := range samples(f, "intents") {
		f.Add(sample)
	}
	f.Add([]byte(`{"id":"a","id":"b"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if id := order.PeekID(data); id != "" && (order.ValidID(id) != nil || !bytes.Contains(data, []byte(`"id"`)) && !bytes.Contains(data, []byte(`\u`))) {
			t.Errorf("peeked %q", id)
		}
	})
}

func FuzzParseClientOrderID(f *testing.F) {
	f.Add("acme.rebalance-1")
	f.Add("904837e3-3b76-47ec-b432-046db621571b")
	f.Fuzz(func(t *testing.T, s string) {
		if tenant, id, ok := order.ParseClientOrderID(s); ok && order.ClientOrderID(tenant, id) != s {
			t.Errorf("%q became %q", s, order.ClientOrderID(tenant, id))
		}
	})
}
