package alpaca

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"
)

var (
	errExpired  = errors.New("expired before the request was written")
	errTooLarge = errors.New("the answer is larger than this client reads")
)

// The bounds of an answer. An order with all its legs is some 5 KiB, and a list has up to
// 500.
const (
	maxHeader = 64 << 10
	maxBody   = 1 << 20
	maxList   = 8 << 20
)

// exchange is one request and what came of it. The goroutine that makes the call
// writes it and reads it; nobody else.
type exchange struct {
	// What the call wants.
	ctx          context.Context
	notAfter     time.Time // zero: never passes
	deadline     time.Time
	instructions []byte // JSON of advanced_instructions, which the SDK cannot carry
	most         int    // bytes of the answer's body; 0 is maxBody
	seq          uint64

	// What went out.
	started   bool // the SDK reached the round tripper
	method    string
	path      string
	dialled   bool
	sent      bool      // a byte may have left
	submitted time.Time // just before that byte
	wrote     int       // bytes; with an injected transport, of the body only

	// What came back: either err, or a whole answer.
	err      error
	status   int
	header   http.Header
	body     []byte // valid until the next call
	answered time.Time
}

// bound is how large the answer's body may be.
func (x *exchange) bound() int { return cmp.Or(x.most, maxBody) }

// expired is asked immediately before the first byte is written.
func (x *exchange) expired(now time.Time) bool {
	return !x.notAfter.IsZero() && !now.Before(x.notAfter)
}

// wire carries an exchange to the broker and back: the request is complete but
// for its body, which is given beside it. An error that leaves x.sent false
// proves that no byte left.
type wire interface {
	exchange(x *exchange, req *http.Request, body []byte) error
	// release lets go of buffers that grew; hangup of everything.
	release()
	hangup()
}
