package alpaca

import (
	"errors"
	"fmt"
	"strings"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// refused is the verdict on a call that must not be made. It is final, so it is
// Rejected; without an HTTP status, because the broker was never asked.
func refused(err error) broker.Verdict {
	return broker.Verdict{Kind: broker.Rejected, Message: "not sent: " + err.Error()}
}

// change checks what Place and Replace share, and encodes what the SDK cannot.
func change(clientOrderID string, o *order.Order) ([]byte, error) {
	if err := checkClientOrderID(clientOrderID); err != nil {
		return nil, err
	}
	if o == nil {
		return nil, errors.New("there is no order")
	}
	return instructions(o)
}

// checkClientOrderID: without an id Alpaca makes one up, and the order could never
// be found again.
func checkClientOrderID(id string) error {
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("client order id %q is malformed", id[:min(len(id), 128)])
	}
	return nil
}

// checkOrderID: the SDK puts ids into paths as they are. An empty one would turn
// the cancel of one order into the cancel of all.
func checkOrderID(id string) error {
	return checkName("broker order id", id, 128, "")
}

// checkName admits 1 to limit of [A-Za-z0-9_-] and what also holds.
func checkName(what, s string, limit int, also string) error {
	bad := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			r == '_' || r == '-' || strings.ContainsRune(also, r))
	}
	if s == "" || len(s) > limit || strings.ContainsFunc(s, bad) {
		return fmt.Errorf("%s %q is malformed", what, s[:min(len(s), limit)])
	}
	return nil
}
