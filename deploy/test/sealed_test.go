package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/shared/vault"
)

// built is where programs built them, if it did.
var built string

// programs are the worker, fleetctl and the producer, built once for all tests.
var programs = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "orderfleet-programs-"); err != nil {
		return "", err
	}
	built = dir
	build := exec.CommandContext(context.Background(), "go", "build", "-o", dir, "./worker/cmd/worker", "./deploy/cmd/fleetctl", "./producer/cmd/producer")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, nil
})

// vaulted is a system whose tenants are in the registry, with sealed keys, and which is
// handled by its commands alone, as people do.
type vaulted struct {
	*system
	bin, dir string
	identity string   // the workers' file
	env      []string // of the commands
	said     lines    // what they wrote
}

func bootVaulted(t *testing.T, s *system) *vaulted {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	v := &vaulted{system: s, bin: bin, dir: t.TempDir()}
	v.identity = filepath.Join(v.dir, "identity.txt")
	v.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + v.dir, "NATS_URL=" + s.nats, "ORDERFLEET_SIGNING_KEY=" + v.signingKey("operator")}
	v.must("fleetctl", "", "recipient", "add", v.keygen(), "--reason", "the first")
	return v
}

// signingKey writes the key of somebody who signs, and returns its file.
func (v *vaulted) signingKey(name string) string {
	v.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		v.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		v.Fatal(err)
	}
	file := filepath.Join(v.dir, name+".nk")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		v.Fatal(err)
	}
	return file
}

// keygen adds an identity to the workers' file, and returns its recipient.
func (v *vaulted) keygen() string {
	v.Helper()
	args := []string{"keygen", v.identity}
	if _, err := os.Stat(v.identity); err == nil {
		args = append(args, "--add")
	}
	return strings.TrimSpace(v.must("worker", "", args...))
}

// run runs a command to its end.
func (v *vaulted) run(program, stdin string, args ...string) (code int, stdout, stderr string) {
	v.Helper()
	cmd := exec.CommandContext(v.Context(), filepath.Join(v.bin, program), args...)
	var out, problems bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = v.env, v.dir, strings.NewReader(stdin), &out, &problems
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		v.Fatal(err)
	}
	fmt.Fprintln(&v.said, out.String(), problems.String())
	return cmd.ProcessState.ExitCode(), out.String(), problems.String()
}

// must is run of a command that has to succeed.
func (v *vaulted) must(program, stdin string, args ...string) string {
	v.Helper()
	code, out, problems := v.run(program, stdin, args...)
	if code != 0 {
		v.Fatalf("%s %s: exit code %d: %s%s", program, strings.Join(args, " "), code, out, problems)
	}
	return out
}

// register adds a tenant with a key.
func (v *vaulted) register(name, keyID, secret string) {
	v.Helper()
	v.must("fleetctl", "", "tenant", "add", name, "--broker", v.url, "--reason", "a test")
	v.set(name, keyID, secret)
}

// set gives a tenant a key.
func (v *vaulted) set(name, keyID, secret string) {
	v.Helper()
	v.must("fleetctl", secret+"\n", "credential", "set", name, "--key-id", keyID, "--reason", "a test")
}

// quickly is set without a command: the caller goes on in the moment in which it is recorded.
func (v *vaulted) quickly(name, keyID, secret string) {
	v.Helper()
	by, err := registry.ReadSigner("operator", filepath.Join(v.dir, "operator.nk"))
	if err != nil {
		v.Fatal(err)
	}
	defer by.Wipe()
	if _, err := vault.New(v.producer.Ledger()).Set(v.Context(), by, name, tenant.Credentials{KeyID: keyID, Secret: secret}, "a test"); err != nil {
		v.Fatal(err)
	}
}

// program is a worker that runs as its users run it.
type program struct {
	*parts.Process
	log lines
}

// serve starts a worker, and returns when it serves something.
func (v *vaulted) serve(env ...string) *program {
	v.Helper()
	p := new(program)
	cmd := exec.CommandContext(context.Background(), filepath.Join(v.bin, "worker"))
	cmd.Dir, cmd.Stderr = v.dir, &p.log
	cmd.Env = append(append([]string{"ORDERFLEET_IDENTITY_FILE=" + v.identity, "ORDERFLEET_LOG_LEVEL=debug"}, v.env...), env...)
	var err error
	if p.Process, err = parts.Start(context.Background(), "worker", cmd); err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() {
		if v.Failed() {
			v.Log(tail(p.log.String(), 30))
		}
	})
	v.until("the worker serves", func() bool { return strings.Contains(p.log.String(), "shard folded") })
	return p
}

// end drains a worker.
func (v *vaulted) end(p *program) {
	v.Helper()
	if err := errors.Join(p.Signal(syscall.SIGTERM), p.Wait()); err != nil {
		v.Error(err)
	}
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(len(all)-lines, 0):], "\n")
}

// until waits until it is so.
func (v *vaulted) until(what string, so func() bool) {
	v.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	patient, cancel := context.WithTimeout(v.Context(), 60*time.Second)
	defer cancel()
	for !so() {
		select {
		case <-ticker.C:
		case <-patient.Done():
			v.Fatalf("it does not come about: %s", what)
		}
	}
}

// knows asks the broker whether it knows a key.
func (v *vaulted) knows(keyID, secret string) bool {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), http.MethodGet, v.url+"/v2/account", http.NoBody)
	if err != nil {
		v.Fatal(err)
	}
	req.Header.Set("Apca-Api-Key-Id", keyID)
	req.Header.Set("Apca-Api-Secret-Key", secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

// dealing is load that goes on until it is stopped.
type dealing struct {
	stop   context.CancelFunc
	ended  sync.WaitGroup
	mu     sync.Mutex
	each   map[string]int // intents published so far
	failed error
}

// trade has tenants publish, each as fast as a few milliseconds between two intents let it.
func (v *vaulted) trade(names []string) *dealing {
	ctx, stop := context.WithCancel(v.Context())
	l := &dealing{stop: stop, each: make(map[string]int)}
	for _, name := range names {
		l.ended.Go(func() {
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			for n := 0; ; n++ {
				select {
				case <-ticker.C:
				case <-ctx.Done():
					return
				}
				_, err := v.producer.Publish(context.WithoutCancel(ctx), name, resting(fmt.Sprintf("%05d", n)))
				l.mu.Lock()
				if l.each[name]++; err != nil {
					l.failed = errors.Join(l.failed, err)
				}
				l.mu.Unlock()
			}
		})
	}
	return l
}

// total is how many intents were published so far.
func (l *dealing) total() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, each := range l.each {
		n += each
	}
	return n
}

// end stops the load and returns how many intents were published.
func (l *dealing) end(v *vaulted) int {
	v.Helper()
	l.stop()
	l.ended.Wait()
	if l.failed != nil {
		v.Fatal(l.failed)
	}
	return l.total()
}

// TestRotation: while twenty tenants trade, their keys are replaced and the old ones revoked at
// once, then the workers' identity is replaced and the old one thrown away, then the keys
// again. Every intent is accepted, and is one order at the broker.
func TestRotation(t *testing.T) {
	v := bootVaulted(t, boot(t, paper.Config{NoDuplicateCheck: true}))
	names := make([]string, 20)
	for i := range names {
		names[i] = fmt.Sprintf("t%02d", i)
		v.register(names[i], names[i], "first-secret")
	}
	workers := []*program{v.serve(), v.serve()}
	load := v.trade(names)
	defer load.stop()
	// further waits until outcomes have followed what was published so far.
	further := func() {
		n := load.total() + 5*len(names)
		v.until("trade goes on", func() bool { return v.outcomes() >= n })
	}
	further()

	rotate := func(from, to string, set func(name, keyID, secret string)) {
		t.Helper()
		for _, name := range names {
			key := func(of string) string { return strings.TrimSuffix(name+"-"+of, "-first") }
			if err := v.broker.IssueKey(name, key(to), to+"-secret"); err != nil {
				t.Fatal(err)
			}
			set(name, key(to), to+"-secret")
			v.broker.RevokeKey(key(from)) // no later than that
			if v.knows(key(from), from+"-secret") || !v.knows(key(to), to+"-secret") {
				t.Fatalf("the broker knows the old key of %s, or not the new one", name)
			}
		}
		further()
	}
	rotate("first", "second", v.set)

	old, err := os.ReadFile(v.identity)
	if err != nil {
		t.Fatal(err)
	}
	before := strings.TrimSpace(v.must("fleetctl", "", "recipient", "list"))
	v.must("fleetctl", "", "recipient", "add", v.keygen(), "--reason", "a new identity")
	v.must("fleetctl", "", "credential", "reseal", "--all", "--reason", "a new identity")
	v.must("fleetctl", "", "recipient", "remove", before, "--reason", "the old identity goes")
	v.must("fleetctl", "", "credential", "reseal", "--all", "--reason", "the old identity goes")
	both, err := os.ReadFile(v.identity)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(v.identity, bytes.TrimPrefix(both, old), 0o600); err != nil {
		t.Fatal(err)
	}
	further()
	rotate("second", "third", v.quickly) // workers hear of it later than the broker

	n := load.end(v)
	v.await(n)
	late, line := 0, "the tenant has others: using those"
	for _, w := range workers {
		v.end(w)
		late += strings.Count(w.log.String(), line)
	}
	t.Logf("%d requests met a key that was revoked, and were made again with the new one", late)
	v.judge(n)
	v.onlyTheNew(old)
}

// onlyTheNew checks that an old identity opens nothing any more.
func (v *vaulted) onlyTheNew(old []byte) {
	v.Helper()
	thrown := filepath.Join(v.dir, "thrown-away.txt")
	if err := os.WriteFile(thrown, old, 0o600); err != nil {
		v.Fatal(err)
	}
	v.identity = thrown
	w := v.serve()
	id := "opened-with-the-old-identity"
	receipt, err := v.producer.Publish(v.Context(), "t00", resting(id))
	if err != nil {
		v.Fatal(err)
	}
	o, err := v.producer.Await(v.Context(), receipt)
	if err != nil || o.Rule != "tenant_config" || !strings.Contains(o.Message, "none of the identities") {
		v.Errorf("%+v, %v", o, err)
	}
	v.end(w)
}
