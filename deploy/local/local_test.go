package local_test

import (
	"bytes"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/local"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The first minute: what `make demo` runs, and that nothing of it stays behind.
func TestDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s, err := local.Start(t.Context(), local.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	seen := make(map[string]bool)
	report, err := s.Demo(t.Context(), &out, func(phase string, _, _ int) { seen[phase] = true })
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() || report.Intents != report.Outcomes || report.Orders < 100 {
		t.Errorf("%+v", report.Report)
	}
	if len(report.Tenants) != 20 || len(seen) != 2 {
		t.Errorf("%d tenants, phases %v", len(report.Tenants), seen)
	}
	ends := make(map[order.Status]int)
	for _, row := range report.Tenants {
		for status, n := range row.Outcomes {
			ends[status] += n
		}
	}
	for _, status := range []order.Status{order.Accepted, order.Rejected, order.Blocked, order.Expired, order.Invalid} {
		if ends[status] == 0 {
			t.Errorf("no intent ended as %s", status)
		}
	}
	if ends[order.Failed] > 0 {
		t.Errorf("%d intents failed", ends[order.Failed])
	}
	report.Print(&out)
	for _, text := range []string{"is not JSON", "was used on line", "tenant", "acme", "the broker's own ledger agrees: 220 intents, 220 outcomes", "0 lost, 0 duplicated, 0 reordered"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("nothing of %q in\n%s", text, out.String())
		}
	}

	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	for _, address := range []string{s.NATSURL, s.BrokerURL, s.AdminURL} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", u.Host); err == nil {
			c.Close() //nolint:errcheck // it should not be there
			t.Errorf("%s still listens", address)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A port that is taken is an error that names it, and leaves nothing running.
func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	if _, err := local.Start(t.Context(), local.Options{BrokerPort: port}); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

func TestReportOfADisagreement(t *testing.T) {
	r := local.Report{Report: proof.Report{Intents: 2, Outcomes: 2, Lost: 1, Findings: []string{"acme.a: accepted, but the broker has no order"}}}
	var out bytes.Buffer
	r.Print(&out)
	if !strings.Contains(out.String(), "DISAGREES") || !strings.Contains(out.String(), "1 lost") || !strings.Contains(out.String(), "acme.a: accepted") {
		t.Errorf("printed %s", out.String())
	}
}
