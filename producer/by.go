package producer

import (
	"cmp"
	"fmt"
	"os"
	"os/user"
	"path/filepath"

	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Option changes a [Producer].
type Option func(*Producer) error

// By says who publishes: it stands beside each intent on the ledger, in the header
// [ledger.ByHeader], and fleetctl shows it. At most [ledger.MaxBy] bytes of printable text;
// empty says nothing. Without this option it is the user, the host and the program, as in
// "ann@desk7 rebalancer".
func By(who string) Option {
	return func(p *Producer) error {
		if who != ledger.Printable(who, ledger.MaxBy) {
			return fmt.Errorf("producer: who publishes: %q is longer than %d bytes, or not printable text", ledger.Printable(who, ledger.MaxBy), ledger.MaxBy)
		}
		p.by = who
		return nil
	}
}

// ourselves is who we are by the operating system.
func ourselves() string {
	name := "?"
	if u, err := user.Current(); err == nil {
		name = cmp.Or(u.Username, name)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return ledger.Printable(name+"@"+host+" "+filepath.Base(os.Args[0]), ledger.MaxBy)
}
