package test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/worker/session"
)

// gate is a way to the broker that notes whose keys pass it.
type gate struct {
	*httptest.Server
	mu   sync.Mutex
	keys []string
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	g := new(gate)
	proxy := httputil.NewSingleHostReverseProxy(target)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.keys = append(g.keys, r.Header.Get("Apca-Api-Key-Id")+r.Header.Get("Authorization"))
		g.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gate) passed() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.keys)
}

// TestNoFallback: the environment of a worker has keys that the broker accepts, under the names
// that its SDK falls back to. A tenant that has no keys does not trade with them: not one
// request reaches the broker. One that has trades with its own.
func TestNoFallback(t *testing.T) {
	v := bootVaulted(t, boot(t, paper.Config{}))
	if !v.knows("ENV-KEY", "env-secret") {
		t.Fatal("the broker does not accept the keys of the environment")
	}
	g := newGate(t, v.url)
	environment := []string{
		"APCA_API_KEY_ID=ENV-KEY", "APCA_API_SECRET_KEY=env-secret", "APCA_API_BASE_URL=" + g.URL,
		"APCA_API_OAUTH=env-token", "APCA_OAUTH_TOKEN=env-token", "HTTP_PROXY=" + g.URL, "http_proxy=" + g.URL,
	}
	v.url = g.URL
	v.must("fleetctl", "", "tenant", "add", "bare", "--broker", v.url, "--reason", "a test")
	v.register("removed", "REMOVED-KEY", "removed-secret")
	v.must("fleetctl", "", "credential", "remove", "removed", "--reason", "a test")
	v.register("acme", "acme", "acme-secret")

	blocked := func(name, rule string) {
		t.Helper()
		receipt, err := v.producer.Publish(t.Context(), name, resting("a"))
		if err != nil {
			t.Fatal(err)
		}
		o, err := v.producer.Await(t.Context(), receipt)
		if err != nil || o.Status != order.Blocked || o.Rule != rule {
			t.Errorf("%s: %s by %q (%s), %v; wanted %s", name, o.Status, o.Rule, o.Message, err, rule)
		}
	}
	w := v.serve(environment...)
	blocked("bare", session.RuleNoCredentials)
	blocked("removed", session.RuleNoCredentials)
	blocked("nobody", session.RuleUnknownTenant)
	v.end(w)
	w = v.serve(append(environment, "ORDERFLEET_IDENTITY_FILE=")...)
	blocked("acme", session.RuleTenantConfig) // nobody can open its keys
	v.end(w)
	if passed := g.passed(); len(passed) > 0 {
		t.Fatalf("%d requests came to the broker, with the keys %q", len(passed), passed)
	}

	w = v.serve(environment...)
	receipt, err := v.producer.Publish(t.Context(), "acme", resting("b"))
	if err != nil {
		t.Fatal(err)
	}
	if o, err := v.producer.Await(t.Context(), receipt); err != nil || o.Status != order.Accepted {
		t.Errorf("%+v, %v", o, err)
	}
	v.end(w)
	passed := g.passed()
	if len(passed) == 0 {
		t.Error("this test does not see what comes to the broker")
	}
	for _, key := range passed {
		if key != "acme" && key != "" { // a websocket says it in a message
			t.Errorf("a request came with the key %q", key)
		}
	}
}
