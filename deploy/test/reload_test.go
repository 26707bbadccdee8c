package test

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsserver"
)

// configured is a server with a configuration file that changes while it runs.
type configured struct {
	*testing.T
	Dir      string
	MaxStore string            // what all streams may hold
	Deny     map[string]string // permissions of the users "worker" and "producer"
	From, To string
	path     string
	running  *natsserver.Server
}

var configuration = template.Must(template.New("").Parse(`
listen: "127.0.0.1:-1" # a free port, which it keeps
jetstream { store_dir: {{printf "%q" .Dir}}, max_file_store: {{.MaxStore}} }
mappings = { {{printf "%q: %q" .From .To}} }
authorization {
  users = [
    { user: admin, password: a }
    {{range $user, $deny := .Deny}}{ user: {{$user}}, password: p, permissions { {{$deny}} } }
    {{end}}
  ]
}
`))

// anything is a permission for all that anybody here needs.
const anything = `publish: ">", subscribe: ">"`

func newConfigured(t *testing.T) *configured {
	t.Helper()
	c := &configured{T: t, Dir: t.TempDir(), MaxStore: "1GB", path: filepath.Join(t.TempDir(), "nats.conf"),
		Deny: map[string]string{"worker": anything, "producer": anything}}
	c.From, c.To = ledger.Mapping(troubledShards)
	return c
}

func (c *configured) write() {
	c.Helper()
	var text bytes.Buffer
	if err := errors.Join(configuration.Execute(&text, c), os.WriteFile(c.path, text.Bytes(), 0o600)); err != nil {
		c.Fatal(err)
	}
}

func (c *configured) start() {
	c.Helper()
	c.write()
	var err error
	if c.running, err = natsserver.StartFile(c.path); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { c.running.Stop() })
}

// reload makes the server what c says now.
func (c *configured) reload() {
	c.Helper()
	c.write()
	if err := c.running.Reload(); err != nil {
		c.Fatal(err)
	}
}

func (c *configured) url(user, password string) string {
	c.Helper()
	u, err := url.Parse(c.running.URL())
	if err != nil {
		c.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// TestPermissionTakenAway: the server is reloaded with less permission while orders flow,
// and then with all of it again. The worker says what is missing, waits, and goes on.
func TestPermissionTakenAway(t *testing.T) {
	const aLease, severalLooks = 1500 * time.Millisecond, 4 * time.Second
	for _, tc := range []struct {
		name, deny, says string
		lasts            time.Duration
	}{
		{"to write outcomes", `publish: {deny: "outcomes.>"}`, `Permissions Violation for Publish to \"outcomes.`, aLease},
		{"to keep a heartbeat", `publish: {deny: "$KV.>"}`, `publish to \"$KV.FLEET.`, aLease},
		{"to read the ledger", `publish: {deny: "$JS.API.CONSUMER.>"}`, `Permissions Violation for Publish to \"$JS.API.CONSUMER.`, aLease},
		{"to hear answers", `publish: ">", subscribe: {deny: ">"}`, `Permissions Violation for Subscription to \"_INBOX.`, severalLooks},
		{"to do anything", `publish: {deny: ">"}, subscribe: {deny: ">"}`, `Permissions Violation for `, aLease},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newConfigured(t)
			c.start()
			s := troubled(t, c.url("admin", "a"))
			s.servers = c.url("worker", "p")
			worker := s.work()
			l := s.load(4)
			l.acknowledged(50)
			c.Deny["worker"] = tc.deny
			c.reload()
			s.until("the worker says what is missing", func() bool { return strings.Contains(s.log.String(), tc.says) })
			pause(t, tc.lasts)
			l.acknowledged(50) // its producers do not mind
			if n := worker.Stats().Reconnects; n > 20 {
				t.Errorf("the worker has connected %d times meanwhile", n)
			}
			c.Deny["worker"] = anything
			c.reload()
			l.acknowledged(50)
			receipts, refused := l.stop()
			if len(refused) > 0 {
				t.Errorf("%d refused, the first with %v", len(refused), refused[0])
			}
			s.settle(receipts)
		})
	}
}

// TestProducerPermissionTakenAway: a producer that may no longer publish learns so at once.
func TestProducerPermissionTakenAway(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	c.start()
	s := troubled(t, c.url("admin", "a"))
	s.work()
	p, err := producer.New(t.Context(), dial(t, c.url("producer", "p"), nil))
	if err != nil {
		t.Fatal(err)
	}
	first, err := p.Publish(t.Context(), "acme", rest("one"))
	if err != nil {
		t.Fatal(err)
	}
	c.Deny["producer"] = `publish: {deny: "intents.>"}`
	c.reload()
	if _, err := p.Publish(t.Context(), "acme", rest("two")); !errors.Is(err, producer.ErrPermission) || !strings.Contains(err.Error(), "intents.acme") {
		t.Errorf("got %v", err)
	}
	c.Deny["producer"] = anything
	c.reload()
	second, err := p.Publish(t.Context(), "acme", rest("two"))
	if err != nil || second.Duplicate {
		t.Fatalf("%+v, %v", second, err)
	}
	s.settle([]producer.Receipt{first, second})
}

// TestLedgerFull: the intents that nobody worked on have filled a stream to its limit: a
// worker cannot begin, and no outcome would have room. Their tenants wait, and go on when an
// operator has made some.
func TestLedgerFull(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	c.start()
	s := troubled(t, c.url("admin", "a"), func(s *ledger.Settings) { s.MaxBytes = 32 << 10 })
	l := s.load(4)
	s.awaitRefusals(l)
	s.begin()
	s.goesOn(l, func() {
		provision(t, dial(t, s.servers, nil), func(s *ledger.Settings) { s.MaxBytes = 64 << 20 })
	})
}

// TestServerFull: the server comes to its limit, and refuses the worker's heartbeats as
// well.
func TestServerFull(t *testing.T) {
	t.Parallel()
	c := newConfigured(t)
	c.MaxStore = "256KB"
	c.start()
	s := troubled(t, c.url("admin", "a"))
	s.work()
	l := s.load(4)
	s.awaitRefusals(l)
	s.goesOn(l, func() {
		c.MaxStore = "1GB"
		c.reload()
	})
}

// awaitRefusals waits until there is no room for any tenant's intents.
func (s *site) awaitRefusals(l *load) {
	s.Helper()
	s.until("intents are refused", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.refused) > 20
	})
}

// goesOn ends a load that was refused for want of room, and another one when there is some.
func (s *site) goesOn(l *load, makeRoom func()) {
	s.Helper()
	s.until("the worker says what to do", func() bool { return strings.Contains(s.log.String(), "ORDERFLEET_LEDGER_MAX_BYTES") })
	receipts, refused := l.stop()
	for _, err := range refused {
		if !errors.Is(err, producer.ErrFull) || !errors.Is(err, producer.ErrRefused) {
			s.Fatalf("refused with %v", err)
		}
	}
	s.Logf("%d acknowledged before there was no room, %d outcomes; then %d refused, the first: %v", len(receipts), s.outcomes(), len(refused), refused[0])
	makeRoom()
	more := s.load(4)
	more.acknowledged(50)
	again, _ := more.stop()
	s.settle(append(receipts, again...))
}
