package inquiry

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// Whatever a stranger asks is refused with an error of bounded size, or is a question that
// can be asked again, the same.
func FuzzDecodeQuestion(f *testing.F) {
	for _, s := range []string{``, `null`, `[]`, `{"v":1,"verb":"state","tenant":"acme"}`, `{"verb":"state","tenant":"acme","by":"ops","reason":"why"}`,
		`{"v":-1,"tenant":"acme"}`, `{"tenant":"acme","tenant":"b"}`, "{\"tenant\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := decodeQuestion(data)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		again, err := json.Marshal(q, wire)
		if err != nil {
			t.Fatal(err)
		}
		if read, err := decodeQuestion(again); err != nil || read != q {
			t.Errorf("%s became %+v, %v", again, read, err)
		}
	})
}

// Whatever answers in an owner's place is an error, or an answer that can be written and
// read again, the same.
func FuzzDecodeAnswer(f *testing.F) {
	for _, s := range []string{``, `null`, `{"v":1,"worker":"w","epoch":3,"state":{"phase":"live","read":9,"waiting":2}}`,
		`{"v":1,"under_way":true}`, `{"v":1,"refused":{"code":"busy","message":"no"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := decode[Answer](data, maxAnswer)
		if err != nil {
			return
		}
		written, err := encodeAnswer(a)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode[Answer](written, maxAnswer)
		if err != nil {
			t.Fatalf("%s cannot be read: %v", written, err)
		}
		if twice, err := encodeAnswer(again); err != nil || !bytes.Equal(twice, written) {
			t.Errorf("%s became %s: %v", written, twice, err)
		}
	})
}

// TestLongAnswer: an answer that the server would not carry is a refusal.
func TestLongAnswer(t *testing.T) {
	data, err := encodeAnswer(Answer{Version: Version, Worker: "w", Refused: &Refusal{Failed, strings.Repeat("x", maxAnswer)}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := decode[Answer](data, maxAnswer)
	if err != nil || a.Worker != "w" || a.Refused == nil || !strings.Contains(a.Refused.Message, "more than") {
		t.Errorf("%+v, %v", a, err)
	}
}
