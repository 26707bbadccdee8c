package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/orderfleet/orderfleet/shared/natsserver"
)

// TestWaitsForNATS: a worker that starts while no server is there says so, is alive and not
// ready, and serves when there is one.
func TestWaitsForNATS(t *testing.T) {
	dir := t.TempDir()
	first, err := natsserver.Start(natsserver.Options{Dir: dir, Shards: 8})
	if err != nil {
		t.Fatal(err)
	}
	url := first.URL()
	if code, out := runProgram(t, []string{"NATS_URL=" + url}, "provision"); code != 0 {
		t.Fatal(out)
	}
	first.Stop()

	stopsAtOnce(t, url)
	tenants := filepath.Join(t.TempDir(), "tenants.yaml")
	if err := os.WriteFile(tenants, []byte("broker: http://127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := program(t, []string{"NATS_URL=" + url, "ORDERFLEET_TENANTS_FILE=" + tenants, "ORDERFLEET_HTTP_ADDR=127.0.0.1:0"})
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	probes, waits := "", false
	for lines := bufio.NewScanner(log); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		var event struct{ Message, Address string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("not a line of JSON: %s", lines.Bytes())
		}
		switch event.Message {
		case "answering probes":
			probes = "http://" + event.Address
		case "waiting for NATS":
			if waits {
				continue
			}
			waits = true
			if got := get(t, probes+"/readyz"); got != "503 waiting for NATS\n" {
				t.Errorf("/readyz answers %q", got)
			}
			if got := get(t, probes+"/livez"); got != "200 alive\n" {
				t.Errorf("/livez answers %q", got)
			}
			_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "nats://"))
			if err != nil {
				t.Fatal(err)
			}
			n, err := net.LookupPort("tcp", port)
			if err != nil {
				t.Fatal(err)
			}
			second, err := natsserver.Start(natsserver.Options{Dir: dir, Port: n, Shards: 8})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(second.Stop)
		case "ready":
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil || !waits {
		t.Errorf("waited %v, ended with %v\n%s", waits, err, said.String())
	}
}

// stopsAtOnce: a worker that waits for its server ends at SIGTERM, and has not failed.
func stopsAtOnce(t *testing.T, url string) {
	t.Helper()
	cmd := program(t, []string{"NATS_URL=" + url, "ORDERFLEET_TENANTS_FILE=" + os.DevNull})
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if strings.Contains(lines.Text(), "waiting for NATS") {
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}
