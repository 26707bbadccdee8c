package parts_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/parts"
	"go.uber.org/goleak"
)

// Roles of this test's own.
const (
	echo   = "echo"   // says its arguments, then ends with its parent
	broken = "broken" // fails before it is ready
)

type said struct{ Args []string }

func TestMain(m *testing.M) {
	roles := map[string]parts.Role{
		echo: func(ctx context.Context, args []string) error {
			defer parts.AwaitParent(ctx)
			return parts.Say(said{args})
		},
		broken: func(context.Context, []string) error { return errors.New("cannot begin") },
	}
	if done, err := parts.Run(context.Background(), os.Args, roles); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestSpawnAndStop(t *testing.T) {
	var got said
	p, err := parts.Spawn(t.Context(), &got, echo, "a", "b c")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%q", got.Args) != `["a" "b c"]` {
		t.Errorf("it says %q", got.Args)
	}
	if runtime.GOOS == "linux" {
		if u, err := parts.UsageOf(p.PID()); err != nil || u.RSS < 1<<20 {
			t.Errorf("uses %+v: %v", u, err)
		}
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := parts.UsageOf(p.PID()); err == nil {
		t.Error("it is still there")
	}
}

func TestKill(t *testing.T) {
	p, err := parts.Spawn(t.Context(), new(said), echo)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if err := p.Read(new(said)); err == nil || !strings.Contains(err.Error(), "echo ended") {
		t.Errorf("read of the dead: %v", err)
	}
}

// Who interrupts us interrupts our parts: no error of theirs hides that.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := parts.Spawn(ctx, new(said), echo)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := p.Read(new(said)); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestFailures(t *testing.T) {
	for _, role := range []string{broken, "none", parts.Paper, parts.NATS} {
		args := []string{}
		if role == parts.Paper || role == parts.NATS {
			args = []string{"--no-such-flag"}
		}
		_, err := parts.Spawn(t.Context(), new(said), role, args...)
		if err == nil || !strings.Contains(err.Error(), role+" ended before") || !strings.Contains(err.Error(), "exit status 1") {
			t.Errorf("%s: %v", role, err)
		}
	}
	if done, _ := parts.Run(t.Context(), []string{"program", "publish", "x"}, nil); done {
		t.Error("an ordinary command line is a part")
	}
}
