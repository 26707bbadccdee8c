package test

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/order"
)

// echo is the key id at whose sight the broker answers with all that it was sent.
const echo = "ECHO-"

// newTLSGate is a way to the broker over TLS; what it is signed by is in the file. It answers
// some requests itself, with their headers in the message, as a careless gateway may.
func newTLSGate(t *testing.T, to, file string) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	g := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, _, _ := r.BasicAuth(); strings.HasPrefix(user+r.Header.Get("Apca-Api-Key-Id"), echo) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Request-Id", r.Header.Get("Apca-Api-Secret-Key"))
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"code":40310000,"message":"not allowed: %s %s %s"}`,
				r.Header.Get("Apca-Api-Key-Id"), r.Header.Get("Apca-Api-Secret-Key"), r.Header.Get("Authorization"))
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return g.URL
}

// TestNoSecretLeaks runs a fleet through everything that can happen to it, and then looks for
// each secret that was used in all that anybody can see: logs at their most talkative, what the
// workers' HTTP endpoints answer, what every command says, every message of every stream and
// bucket, exports. Then it plants one, and finds it.
func TestNoSecretLeaks(t *testing.T) {
	v := bootVaulted(t, boot(t, paper.Config{}))
	h := new(hunt)
	secret := func(name string) string {
		s := rand.Text() + `+/=%&"\`
		h.add(name, s)
		return s
	}
	keys := func(name, prefix string) (keyID, its string) {
		keyID, its = prefix+rand.Text(), secret(name+"'s secret")
		h.add(name+"'s key id", keyID)
		h.add(name+"'s pair", keyID+":"+its)
		return keyID, its
	}

	good, goodSecret := keys("good", "AK")
	if !v.knows(good, goodSecret) { // from now on with this secret alone
		t.Fatal("the broker does not open an account")
	}
	authority := filepath.Join(v.dir, "authority.pem")
	v.url = newTLSGate(t, v.url, authority)
	v.env = append(v.env, "SSL_CERT_FILE="+authority)

	// Tenants of all kinds, and in all kinds of trouble.
	add := func(name string, broker string, credential []string, stdin string) {
		t.Helper()
		v.must("fleetctl", "", "tenant", "add", name, "--broker", broker, "--reason", "a test")
		v.must("fleetctl", stdin, append([]string{"credential", "set", name, "--reason", "a test"}, credential...)...)
	}
	add("good", v.url, []string{"--key-id", good}, goodSecret)
	corr, corrSecret := keys("correspondent", "CK")
	file := filepath.Join(v.dir, "ck.secret")
	if err := os.WriteFile(file, []byte(corrSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	add("corr", v.url, []string{"--key-id", corr, "--secret-file", file, "--account", "acct-1"}, "")
	add("token", v.url, []string{"--oauth-file", "-"}, secret("the token"))
	add("wrong", v.url, []string{"--key-id", good}, secret("the wrong secret"))
	down, downSecret := keys("down", "AK")
	add("down", "https://127.0.0.1:1", []string{"--key-id", down}, downSecret)
	loud, loudSecret := keys("loud", echo)
	add("loud", v.url, []string{"--key-id", loud}, loudSecret)
	booming, boomingSecret := keys("booming", echo)
	add("booming", v.url, []string{"--key-id", booming, "--account", "acct-2"}, boomingSecret)
	for _, tenant := range []string{"good", "down"} { // the keys change, too
		id, its := keys("the next of "+tenant, "AK")
		v.set(tenant, id, its)
	}
	h.add("the identity", strings.TrimSpace(v.secretIn("identity.txt", "AGE-SECRET-KEY-1")))
	h.add("the signing key", v.secretIn("operator.nk", "SU"))

	// The fleet.
	workers := []*program{v.serve("ORDERFLEET_HTTP_ADDR=127.0.0.1:0"), v.serve("ORDERFLEET_HTTP_ADDR=127.0.0.1:0")}
	all := []string{"good", "corr", "token", "wrong", "down", "loud", "booming", "nobody"}
	n := 0
	for _, tenant := range all {
		for i, change := range []func(*order.Intent){
			func(*order.Intent) {},
			func(in *order.Intent) { in.Kind, in.Target, in.Order = order.KindCancel, "0", nil },
			func(in *order.Intent) { in.Kind, in.Order = order.KindCancelAll, nil },
			func(in *order.Intent) { in.Kind, in.Order = order.KindClosePosition, &order.Order{Symbol: "AAPL"} },
		} {
			in := resting(fmt.Sprint(i))
			if change(&in); tenant == "down" {
				in.ExpiresAt = time.Now().Add(2 * time.Second)
			}
			if _, err := v.producer.Publish(t.Context(), tenant, in); err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	v.await(n)
	v.must("worker", "", "keygen", "--add", v.identity)
	h.add("the second identity", strings.TrimSpace(v.secretIn("identity.txt", "AGE-SECRET-KEY-1")))
	recipient := regexp.MustCompile(`age1[0-9a-z]+`).FindAllString(v.contents("identity.txt"), -1)
	v.must("fleetctl", "", "recipient", "add", recipient[len(recipient)-1], "--reason", "a test")
	v.must("fleetctl", "", "credential", "reseal", "--all", "--reason", "a test")

	var seen []sight
	see := func(where string, text []byte) { seen = append(seen, sight{where, text}) }
	for i, w := range workers {
		address := regexp.MustCompile(`"address":"([^"]+)"`).FindStringSubmatch(w.log.String())
		for _, path := range []string{"/livez", "/readyz", "/metrics", "/"} {
			see(fmt.Sprintf("worker %d, %s", i, path), fetch(t, "http://"+address[1]+path))
		}
	}
	v.ask(all, good, goodSecret)
	for _, w := range workers {
		v.end(w)
	}
	for i, w := range workers {
		see(fmt.Sprintf("the log of worker %d", i), []byte(w.log.String()))
	}
	see("what commands said", []byte(v.said.String()))
	for name, text := range v.unpacked() {
		see("the export, "+name, text)
	}
	for _, s := range append(v.messages(), seen...) {
		if len(s.text) == 0 && strings.HasPrefix(s.where, "the log") {
			t.Errorf("%s is empty", s.where)
		}
		for _, found := range h.find(s.where, s.text) {
			t.Error(found)
		}
	}
	if log := workers[0].log.String() + workers[1].log.String(); !strings.Contains(log, `"status":403`) || !strings.Contains(log, `"status":401`) || !strings.Contains(log, "connection refused") {
		t.Error("the run did not come into the trouble that it was to come into")
	}

	// A secret where none belongs is found, in the ledger and in what a command says.
	planted := resting("planted")
	planted.Labels = map[string]string{"note": good}
	if _, err := v.producer.Publish(t.Context(), "good", planted); err != nil {
		t.Fatal(err)
	}
	found := h.find("a command", []byte(v.must("fleetctl", "", "explain", "good", "planted", "-o", "json")))
	for _, m := range v.messages() {
		found = append(found, h.find(m.where, m.text)...)
	}
	if len(found) != 2 || !strings.HasPrefix(found[0], "a command: good's key id") || !strings.HasPrefix(found[1], "ORDERS_") {
		t.Errorf("of what was planted, found %q", found)
	}
}

// ask asks all that can be asked, with what people get wrong.
func (v *vaulted) ask(tenants []string, keyID, secret string) {
	v.Helper()
	file := filepath.Join(v.dir, "tenants.yaml")
	mistake := filepath.Join(v.dir, "mistake.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "broker: %s\ntenants:\n  good: {key_id: %s, secret: %q}\n", v.url, keyID, secret), 0o600); err != nil {
		v.Fatal(err)
	}
	if err := os.WriteFile(mistake, fmt.Appendf(nil, "broker: %s\ntenants:\n  good: {key_id: [%s], secrets: %q}\n  %q\n", v.url, keyID, secret, secret), 0o600); err != nil {
		v.Fatal(err)
	}
	identity := strings.TrimSpace(v.secretIn("identity.txt", "AGE-SECRET-KEY-1"))
	for _, args := range [][]string{
		{"status"}, {"status", "-o", "json"},
		{"tenant", "list"}, {"tenant", "list", "-o", "json"},
		{"recipient", "list"}, {"history"}, {"history", "-o", "json"},
		{"audit"}, {"audit", "--broker", file}, {"audit", "--broker", mistake},
		{"reconcile", "--all"}, {"failed", "list"}, {"replay", "--since", "1h"},
		{"export", "--to", filepath.Join(v.dir, "export")},
		{"recipient", "remove", identity, "--reason", "a mistake"},
		{"recipient", "add", identity, "--reason", "a mistake"},
		{"credential", "set", "good", "--secret-file", filepath.Join(v.dir, "identity.txt"), "--key-id", "k", "--reason", "a mistake"},
		{"credential", "set", "good", "--oauth-file", mistake, "--reason", "a mistake"},
		{"tenant", "import", mistake, "--reason", "a mistake"},
	} {
		v.run("fleetctl", "", args...)
	}
	for _, name := range tenants {
		for _, args := range [][]string{
			{"tenant", "show", name}, {"tenant", "show", name, "-o", "json"},
			{"credential", "show", name}, {"credential", "show", name, "-o", "json"},
			{"history", name}, {"explain", name, "0"}, {"explain", name, "0", "-o", "json"},
		} {
			v.run("fleetctl", "", args...)
		}
		v.run("producer", "", "credential", "show", name)
	}
	v.run("fleetctl", secret+"\nmore\n", "credential", "set", "good", "--key-id", keyID, "--reason", "a mistake")
	v.run("fleetctl", strings.Repeat(secret, 200), "credential", "set", "good", "--key-id", keyID, "--reason", "a mistake")
	v.run("worker", "", "env")
	v.env = append(v.env, "ORDERFLEET_TENANTS_FILE="+mistake)
	v.run("worker", "")
	v.env = append(v.env[:len(v.env)-1], "ORDERFLEET_IDENTITY_FILE="+mistake)
	v.run("worker", "")
	v.env = v.env[:len(v.env)-1]
}

func (v *vaulted) contents(name string) string {
	v.Helper()
	data, err := os.ReadFile(filepath.Join(v.dir, name))
	if err != nil {
		v.Fatal(err)
	}
	return string(data)
}

// secretIn is the last line of a file that begins so.
func (v *vaulted) secretIn(name, prefix string) (secret string) {
	v.Helper()
	for line := range strings.Lines(v.contents(name)) {
		if strings.HasPrefix(line, prefix) {
			secret = strings.TrimSpace(line)
		}
	}
	if secret == "" {
		v.Fatalf("no %s… in %s", prefix, name)
	}
	return secret
}

// sight is something that somebody can see.
type sight struct {
	where string
	text  []byte
}

// messages are those of every stream of the server, with their headers.
func (v *vaulted) messages() (all []sight) {
	v.Helper()
	js, err := jetstream.New(v.conn)
	if err != nil {
		v.Fatal(err)
	}
	streams := js.StreamNames(v.Context())
	for name := range streams.Name() {
		s, err := js.Stream(v.Context(), name)
		if err != nil {
			v.Fatal(err)
		}
		state := s.CachedInfo().State
		for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
			m, err := s.GetMsg(v.Context(), seq)
			if err != nil {
				continue // a key was written again
			}
			text := bytes.Join([][]byte{[]byte(m.Subject), fmt.Append(nil, m.Header), m.Data}, []byte("\n"))
			all = append(all, sight{fmt.Sprintf("%s, sequence %d", name, seq), text})
		}
	}
	if err := streams.Err(); err != nil || len(all) == 0 {
		v.Fatalf("%d messages, %v", len(all), err)
	}
	return all
}

// unpacked are the files of the export.
func (v *vaulted) unpacked() map[string][]byte {
	v.Helper()
	files := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(filepath.Join(v.dir, "export")), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(v.dir, "export", name))
		if err == nil && strings.HasSuffix(name, ".zst") {
			var unpack *zstd.Decoder
			if unpack, err = zstd.NewReader(nil); err == nil {
				data, err = unpack.DecodeAll(data, nil)
				unpack.Close()
			}
		}
		files[name] = data
		return err
	})
	if err != nil || len(files) < 2 {
		v.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

func fetch(t *testing.T, address string) []byte {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return append(fmt.Append(nil, resp.Header), body...)
}
