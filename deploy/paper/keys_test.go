package paper_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/paper"
)

// TestKeysChange: an account has several keys while they change, and one that is revoked is
// good for nothing, whatever it is shown for.
func TestKeysChange(t *testing.T) {
	b := paper.New(paper.Config{Tick: -1})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, l, nil) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	account := func(key, secret string) (status int) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/v2/account", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Apca-Api-Key-Id", key)
		req.Header.Set("Apca-Api-Secret-Key", secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	want := func(when, key, secret string, status int) {
		t.Helper()
		if got := account(key, secret); got != status {
			t.Errorf("%s: HTTP %d, wanted %d", when, got, status)
		}
	}
	if err := b.IssueKey("acme", "second", "s2"); err == nil {
		t.Error("a key of no account")
	}
	want("the first", "acme", "s1", 200)
	if err := b.IssueKey("acme", "second", "s2"); err != nil {
		t.Fatal(err)
	}
	want("both, the first", "acme", "s1", 200)
	want("both, the second", "second", "s2", 200)
	want("with another secret", "second", "s1", 401)
	if err := b.IssueKey("acme", "second", "s3"); err == nil {
		t.Error("one key twice")
	}
	b.RevokeKey("acme")
	want("revoked", "acme", "s1", 401)
	want("after that, the second", "second", "s2", 200)
	b.RevokeKey("second")
	want("revoked, the second", "second", "s2", 401)
}
