package alpaca_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/orderfleet/orderfleet/shared/seal"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/broker/brokertest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(asSession); url != "" {
		if err := session(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// asSession makes this program a session at the broker of that address.
const asSession = "ORDERFLEET_TEST_SESSION"

// session does in a process of its own what a tenant's session does: opens sealed credentials,
// makes a line with them, uses it, and ends it. It dumps its heap twice, to files in the working
// folder: while the line is there, and when it has ended. Then it waits.
func session(url string) error {
	blob, err := os.ReadFile("blob")
	if err != nil {
		return err
	}
	ids, err := seal.LoadIdentities("identity")
	if err != nil {
		return err
	}
	creds, err := ids.Open("acme", seal.Blob(blob).Digest(), blob)
	if err != nil {
		return err
	}
	client, err := alpaca.New(alpaca.Config{Tenant: "acme", BaseURL: url, Credentials: creds})
	if err != nil {
		return err
	}
	creds.Wipe()
	if v := client.Place(context.Background(), id, market(), never); v.Kind != broker.Accepted {
		return fmt.Errorf("%+v", v)
	}
	if err := dump("during"); err != nil {
		return err
	}
	client.Close()
	if err := dump("after"); err != nil {
		return err
	}
	runtime.KeepAlive(client)
	fmt.Println("done")
	_, err = io.ReadAll(os.Stdin)
	return err
}

// dump writes all that is reachable, after the rest was collected.
func dump(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	runtime.GC()
	runtime.GC() // what finalizers held
	debug.WriteHeapDump(f.Fd())
	return f.Close()
}

// TestNothingStaysOnTheHeap: once a session's line has ended, no object of the process holds
// its tenant's keys, in any form in which they were used.
//
// What this promises: the plaintext that was opened, the credentials, the headers and the
// request that were made from them are overwritten at once. What it does not: package age
// decrypts through buffers of its own, which become garbage with the keys in them. Nothing
// refers to those; the runtime overwrites them when it uses the memory again. How many such
// copies lie in the memory of the process is logged, from /proc.
func TestNothingStaysOnTheHeap(t *testing.T) {
	s := brokertest.NewServer(t)
	s.Answer(brokertest.Booked)
	secret, keyID := rand.Text(), rand.Text() // in no program's text
	dir := t.TempDir()
	identity, recipient, err := seal.Keygen()
	if err != nil {
		t.Fatal(err)
	}
	blob, err := seal.Seal("acme", tenant.Credentials{KeyID: keyID, Secret: secret, Account: "acct-1"}, seal.Recipients{recipient})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"identity": identity, "blob": blob} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env, child.Dir, child.Stderr = append(os.Environ(), asSession+"="+s.URL), dir, os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "done\n" {
		t.Fatalf("%q, %v: %v", line, err, child.Wait())
	}
	if n, ok := inMemory(child.Process.Pid, s.URL); ok && n == 0 {
		t.Error("this test does not see the memory of the process")
	}
	forms := map[string]string{
		"the secret": secret, "the key's id": keyID,
		"the header": base64.StdEncoding.EncodeToString([]byte(keyID + ":" + secret)),
	}
	for form, text := range forms {
		for name, want := range map[string]bool{"during": true, "after": false} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if got := bytes.Contains(data, []byte(text)); got != want {
				t.Errorf("%s the line's life, %s on the heap: %t, wanted %t", name, form, got, want)
			}
		}
		if n, ok := inMemory(child.Process.Pid, text); ok {
			t.Logf("%s lies %d times in memory that nothing refers to", form, n)
		}
	}
	_ = stdin.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

// inMemory counts how often a text lies in what a process has written to its memory.
func inMemory(pid int, text string) (n int, ok bool) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, false
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return 0, false
	}
	defer func() { _ = mem.Close() }()
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var may string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &may); err != nil || may[:2] != "rw" || to-from > 1<<30 {
			continue
		}
		area := make([]byte, to-from)
		if _, err := mem.ReadAt(area, from); err != nil {
			continue
		}
		n += bytes.Count(area, []byte(text))
	}
	return n, true
}
