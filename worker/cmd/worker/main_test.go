package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/rs/zerolog"
)

// asProgram makes the test binary the program itself.
const asProgram = "ORDERFLEET_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is the worker command as a process of its own.
func program(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append([]string{asProgram + "=1", "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Dir = t.TempDir()
	return cmd
}

// run runs the program to its end.
func runProgram(t *testing.T, env []string, args ...string) (code int, out string) {
	t.Helper()
	cmd := program(t, env, args...)
	data, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(data)
}

func serveNATS(t *testing.T) string {
	t.Helper()
	return "NATS_URL=" + ledgertest.Serve(t, 8)
}

func TestMistakesAreNamed(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"help", nil, []string{"--help"}, 0, "Examples:"},
		{"no such command", nil, []string{"bogus"}, 2, `unknown command "bogus"`},
		{"no such flag", nil, []string{"--bogus"}, 2, "unknown flag: --bogus"},
		{"no duration", []string{"ORDERFLEET_DRAIN_TIMEOUT=soon"}, nil, 2, "ORDERFLEET_DRAIN_TIMEOUT"},
		{"negative duration", []string{"ORDERFLEET_SESSION_IDLE=-1s"}, nil, 2, "ORDERFLEET_SESSION_IDLE"},
		{"half a second", []string{"ORDERFLEET_LEASE_TTL=1500ms"}, nil, 2, "ORDERFLEET_LEASE_TTL"},
		{"no such address", []string{"ORDERFLEET_HTTP_ADDR=nowhere"}, nil, 2, "ORDERFLEET_HTTP_ADDR"},
		{"log format", []string{"ORDERFLEET_LOG_FORMAT=xml"}, nil, 2, "ORDERFLEET_LOG_FORMAT"},
		{"log level", []string{"ORDERFLEET_LOG_LEVEL=loud"}, nil, 2, "ORDERFLEET_LOG_LEVEL"},
		{"no tenants file", []string{"ORDERFLEET_TENANTS_FILE=tenants.yaml"}, nil, 2, "ORDERFLEET_TENANTS_FILE"},
		{"no identities", []string{"ORDERFLEET_IDENTITY_FILE=identity.txt"}, nil, 2, "ORDERFLEET_IDENTITY_FILE"},
		{"sealed and in a file", []string{"ORDERFLEET_IDENTITY_FILE=a", "ORDERFLEET_TENANTS_FILE=b"}, nil, 2, "both set"},
		{"shards", []string{"ORDERFLEET_LEDGER_SHARDS=0"}, []string{"provision"}, 2, "ORDERFLEET_LEDGER_SHARDS"},
		{"output", nil, []string{"provision", "-o", "xml"}, 2, "xml"},
		{"no server", []string{"NATS_URL=nats://127.0.0.1:1"}, []string{"provision"}, 1, "nats://127.0.0.1:1"},
		{"half a certificate", []string{"NATS_CERT=x"}, []string{"provision"}, 1, "NATS_KEY"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out := runProgram(t, tc.env, tc.args...)
			if code != tc.code || !strings.Contains(out, tc.says) {
				t.Errorf("exit code %d, wanted %d with %q:\n%s", code, tc.code, tc.says, out)
			}
		})
	}
}

// TestEnvPrintsEveryVariable that a setting has.
func TestEnvPrintsEveryVariable(t *testing.T) {
	code, out := runProgram(t, nil, "env")
	for _, name := range []string{"ORDERFLEET_TENANTS_FILE", "ORDERFLEET_IDENTITY_FILE", "ORDERFLEET_DRAIN_TIMEOUT", "ORDERFLEET_LEDGER_SHARDS", "NATS_CREDS"} {
		if !strings.Contains(out, name) {
			t.Errorf("%s is missing", name)
		}
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); code != 0 || len(f) < 3 {
			t.Errorf("exit code %d, line %q says too little", code, line)
		}
	}
}

// TestTheWholeProgram provisions a ledger, serves it, and drains on SIGTERM.
func TestTheWholeProgram(t *testing.T) {
	nats := serveNATS(t)
	if code, out := runProgram(t, []string{nats}, "provision", "--dry-run"); code != 0 || strings.Count(out, "create ") != 12 {
		t.Fatalf("dry run: %d\n%s", code, out)
	}
	if code, out := runProgram(t, []string{nats}); code == 0 {
		t.Fatalf("serves without a ledger:\n%s", out)
	}
	if code, out := runProgram(t, []string{nats}, "provision"); code != 0 || strings.Count(out, "create ") != 12 {
		t.Fatalf("provision: %d\n%s", code, out)
	}
	if code, out := runProgram(t, []string{nats}, "provision"); code != 0 || !strings.HasPrefix(out, "nothing to change\n") {
		t.Fatalf("provision again: %d\n%s", code, out)
	}

	tenants := filepath.Join(t.TempDir(), "tenants.yaml")
	if err := os.WriteFile(tenants, []byte("broker: http://127.0.0.1:1\nany: {key_id: k, secret: s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := program(t, []string{nats, "ORDERFLEET_TENANTS_FILE=" + tenants, "ORDERFLEET_HTTP_ADDR=127.0.0.1:0"})
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	folded, probes := 0, ""
	for lines := bufio.NewScanner(log); lines.Scan(); {
		said.Write(lines.Bytes())
		said.WriteByte('\n')
		var event struct{ Level, Message, Address string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("not a line of JSON: %s", lines.Bytes())
		}
		if event.Message == "answering probes" {
			probes = "http://" + event.Address
		}
		if event.Message == "shard folded" {
			if folded++; folded == 8 {
				for path, want := range map[string]string{"/livez": "200 alive\n", "/readyz": "200 ready\n"} {
					if got := get(t, probes+path); got != want {
						t.Errorf("%s answers %q", path, got)
					}
				}
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(said.String(), "draining") {
		t.Errorf("%v\n%s", err, said.String())
	}
}

// get is an answer's status and body.
func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}

// TestReadiness: the state is what the worker last said; liveness does not depend on it.
func TestReadiness(t *testing.T) {
	h := newHealth(zerolog.Nop())
	srv := httptest.NewServer(h.handler())
	defer srv.Close()
	for _, tc := range []struct{ say, want string }{
		{"-", "503 starting\n"},
		{"joining the fleet", "503 joining the fleet\n"},
		{"", "200 ready\n"},
		{"draining", "503 draining\n"},
	} {
		if tc.say != "-" {
			h.ready(tc.say)
		}
		if got := get(t, srv.URL+"/readyz"); got != tc.want {
			t.Errorf("after %q: %q", tc.say, got)
		}
		if got := get(t, srv.URL+"/livez"); got != "200 alive\n" {
			t.Errorf("not alive: %q", got)
		}
	}
}
