package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/cli"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	cmd := newRoot()
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(errs)
	return cli.Run(ctx, cmd)
}

func TestServesUntilStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	var errs strings.Builder
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, in, &errs)
		in.Close() //nolint:errcheck // a pipe's never fails
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("said nothing; exit %d: %s", <-done, errs.String())
	}
	urls := regexp.MustCompile(`http://[\d.:]+\d`).FindAllString(lines.Text(), 2)
	if len(urls) != 2 {
		t.Fatalf("no two addresses in %q", lines.Text())
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // ends with the pipe
	for url, want := range map[string]int{urls[0] + "/v2/account": 403, urls[1] + "/ledger": 200} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close() //nolint:errcheck // nothing was written
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", url, resp.StatusCode, want)
		}
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit %d after a clean stop: %s", code, errs.String())
	}
}

func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // the test is over
	for name, c := range map[string]struct {
		args string
		code int
		says string
	}{
		"help":             {"--help", 0, "--no-duplicate-check"},
		"unknown flag":     {"--nonsense", 2, "--nonsense"},
		"argument":         {"now", 2, "now"},
		"no cash":          {"--cash -5", 2, "--cash"},
		"no rate":          {"--rate-limit 0", 2, "--rate-limit"},
		"no share":         {"--correspondent-limit 0", 2, "--correspondent-limit"},
		"half a second":    {"--correspondent-window 500ms", 2, "--correspondent-window"},
		"address in use":   {"--listen " + taken.Addr().String(), 1, "cannot listen on --listen"},
		"admin in use":     {"--listen 127.0.0.1:0 --admin " + taken.Addr().String(), 1, "cannot listen on --admin"},
		"no such address":  {"--listen nowhere", 1, "nowhere"},
		"seed is a number": {"--seed x", 2, "--seed"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if code := run(t.Context(), strings.Fields(c.args), &out, &out); code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("exit %d, want %d; said %s", code, c.code, out.String())
			}
		})
	}
}
