package alpaca

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// seen is the memory under a string, to be looked at when the string's time is over.
func seen(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// TestCloseWipes: when a line ends for good, all memory of the adapter's that held the keys
// is zeros: its copy of them, the headers, what was sent.
func TestCloseWipes(t *testing.T) {
	for name, creds := range map[string]tenant.Credentials{
		"a key pair":        {KeyID: "PRIVATE-KEY-ID", Secret: "PRIVATE-SECRET"},
		"a token":           {OAuth: "PRIVATE-TOKEN"},
		"a correspondent's": {KeyID: "PRIVATE-KEY-ID", Secret: "PRIVATE-SECRET", Account: "account-1"},
	} {
		t.Run(name, func(t *testing.T) {
			own := creds.Own() // the caller's
			c, err := New(Config{Tenant: "acme", BaseURL: "http://127.0.0.1:1", Credentials: own})
			if err != nil {
				t.Fatal(err)
			}
			own.Wipe() // which is not the client's
			a := &acted{wrote: -1}
			a.answer.Reset("HTTP/1.1 403 Forbidden\r\nContent-Length: 25\r\n\r\nno such keys: PRIVATE-KEY")
			enter(c, a)
			if v := c.Place(t.Context(), "acme.1", &order.Order{Symbol: "AAPL"}, time.Time{}); v.Kind != broker.Rejected {
				t.Fatalf("verdict %+v", v)
			}
			wire := c.line.wire.(*conn)
			memory := map[string][]byte{"out": wire.out[:cap(wire.out)], "body": wire.body[:cap(wire.body)], "request": c.line.request[:cap(c.line.request)]}
			for i, s := range []string{c.line.creds.KeyID, c.line.creds.Secret, c.line.creds.OAuth} {
				memory["key "+string(rune('a'+i))] = seen(s)
			}
			for what, values := range map[string][]string{"authorization": c.line.headers.authorization, "key id": c.line.headers.keyID, "secret": c.line.headers.secret} {
				for _, value := range values {
					memory[what] = seen(value)
				}
			}
			if !bytes.Contains(memory["out"], []byte("PRIVATE")) && !bytes.Contains(memory["out"], []byte("Basic UFJ")) {
				t.Fatal("this test does not look where the keys are")
			}
			c.Close()
			for what, held := range memory {
				if strings.Trim(string(held), "\x00") != "" {
					t.Errorf("%s: %q", what, held)
				}
			}
			if !a.closed || wire.nc != nil || wire.in != nil || wire.out != nil || wire.body != nil || c.line.request != nil {
				t.Error("something is kept open, or not let go")
			}
			if v := c.Place(t.Context(), "acme.1", &order.Order{Symbol: "AAPL"}, time.Time{}); v.Kind != broker.Unsent {
				t.Errorf("after its end: %+v", v)
			}
		})
	}
}

// TestRequestsLeaveNoCopy: a request that is larger than the one before leaves nothing of that
// in memory that was let go.
func TestRequestsLeaveNoCopy(t *testing.T) {
	c := newActed(t)
	c.line.headers = newHeaders(tenant.Credentials{OAuth: "PRIVATE"})
	wire := c.line.wire.(*conn)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:1/v2/orders", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	c.line.dress(req)
	wire.encode(req, make([]byte, 10))
	small := wire.out[:cap(wire.out)]
	for _, size := range []int{2 << 10, 5 << 10, 60 << 10} {
		before := wire.out[:cap(wire.out)]
		wire.encode(req, bytes.Repeat([]byte{'x'}, size))
		if &before[0] == &wire.out[0] {
			t.Fatalf("%d bytes fit", size)
		}
		if strings.Trim(string(before), "\x00") != "" {
			t.Errorf("%d bytes left a copy behind", size)
		}
		if cap(wire.out) < len(wire.out) || len(wire.out) < size {
			t.Errorf("%d bytes became %d", size, len(wire.out))
		}
	}
	big := wire.out[:cap(wire.out)]
	wire.release()
	if strings.Trim(string(small), "\x00")+strings.Trim(string(big), "\x00") != "" {
		t.Error("a copy is left")
	}
}

// TestAuthentication: what the stream wants is JSON, whatever is in the keys, in one piece of
// memory.
func TestAuthentication(t *testing.T) {
	for _, tt := range []struct {
		creds tenant.Credentials
		want  string
	}{
		{tenant.Credentials{KeyID: "k", Secret: `s"\</x`}, `{"action":"authenticate","data":{"key_id":"k","secret_key":"s\"\\</x"}}`},
		{tenant.Credentials{OAuth: "t"}, `{"action":"authenticate","data":{"oauth_token":"t"}}`},
		{tenant.Credentials{OAuth: strings.Repeat(`"`, 1024)}, `{"action":"authenticate","data":{"oauth_token":"` + strings.Repeat(`\"`, 1024) + `"}}`},
	} {
		got, err := authentication(&tt.creds)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s, %v, want %s", got, err, tt.want)
		}
		if most := 128 + 6*(len(tt.creds.KeyID)+len(tt.creds.Secret)+len(tt.creds.OAuth)); cap(got) > most+64 {
			t.Errorf("it grew to %d", cap(got))
		}
	}
}
