package stress

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// RoleArg, as a program's first argument, makes it a part of the system: the second one
// says which. See [RunRole].
const RoleArg = "part-of-stress"

// The parts.
const (
	roleNATS   = "nats"
	rolePaper  = "paper"
	roleWorker = "worker"
	roleBare   = "bare"
)

// RunRole runs a part of the system until standard input ends. A program that calls
// [Run] must call it when its first argument is [RoleArg], with the rest.
func RunRole(ctx context.Context, args []string) error {
	roles := map[string]func(context.Context, []string) error{
		roleNATS: runNATS, rolePaper: runPaper, roleWorker: runWorker, roleBare: runBare,
	}
	if len(args) == 0 || roles[args[0]] == nil {
		return fmt.Errorf("stress: %v names no part", args)
	}
	return roles[args[0]](ctx, args[1:])
}

// say tells the parent something.
func say(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

func parse(role string, args []string, define func(*flag.FlagSet)) error {
	flags := flag.NewFlagSet(role, flag.ContinueOnError)
	define(flags)
	return flags.Parse(args)
}

// natsReady is what the NATS server says.
type natsReady struct{ URL string }

func runNATS(ctx context.Context, args []string) error {
	var (
		dir    string
		shards int
	)
	if err := parse(roleNATS, args, func(f *flag.FlagSet) {
		f.StringVar(&dir, "dir", "", "")
		f.IntVar(&shards, "shards", 0, "")
	}); err != nil {
		return err
	}
	srv, err := natsserver.Start(natsserver.Options{Dir: dir, Shards: shards})
	if err != nil {
		return err
	}
	defer srv.Stop()
	if err := say(natsReady{srv.URL()}); err != nil {
		return err
	}
	awaitEOF(ctx)
	return nil
}

// paperReady is what the paper broker says.
type paperReady struct{ URL, Admin string }

func runPaper(ctx context.Context, args []string) error {
	var unchecked bool
	if err := parse(rolePaper, args, func(f *flag.FlagSet) {
		f.BoolVar(&unchecked, "no-duplicate-check", false, "")
	}); err != nil {
		return err
	}
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("stress: %w", err)
	}
	admin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("stress: %w", err)
	}
	b := paper.New(paper.Config{
		Cash:             plenty,
		RateLimit:        paper.Unlimited,
		NoDuplicateCheck: unchecked,
	})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.Run(ctx, api, admin) })
	if err := say(paperReady{"http://" + api.Addr().String(), "http://" + admin.Addr().String()}); err != nil {
		return err
	}
	awaitEOF(ctx)
	cancel()
	return group.Wait()
}

// workerReady is what the worker says when all its shards are folded.
type workerReady struct {
	Goroutines int
	Heap       uint64 // bytes in use after a collection
}

func runWorker(ctx context.Context, args []string) error {
	var (
		natsURL, brokerURL string
		clients            Clients
	)
	if err := parse(roleWorker, args, func(f *flag.FlagSet) {
		f.StringVar(&natsURL, "nats", "", "")
		f.StringVar(&brokerURL, "broker", "", "")
		f.StringVar((*string)(&clients), "clients", "", "")
	}); err != nil {
		return err
	}
	nc, err := nats.Connect(natsURL)
	if err != nil {
		return fmt.Errorf("stress: %w", err)
	}
	defer nc.Close()
	l, err := ledger.Open(ctx, nc)
	if err != nil {
		return err
	}

	serving, drain := make(chan int, l.Shards()), make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return worker.Run(ctx, drain, nc, worker.Config{
			Connect: connector(brokerURL, clients.transport()),
			Serving: func(shard int) { serving <- shard },
			Log:     zerolog.New(os.Stderr).Level(zerolog.ErrorLevel),
		})
	})
	for range l.Shards() {
		select {
		case <-serving:
		case <-ctx.Done():
			return group.Wait()
		}
	}
	debug.FreeOSMemory() // so that what the fold left behind does not count as held
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	if err := say(workerReady{runtime.NumGoroutine(), mem.HeapInuse}); err != nil {
		return err
	}
	awaitEOF(ctx)
	close(drain)
	return group.Wait()
}

// connector makes the clients of tenants whose keys are their names. A nil transport
// means that each client owns its connection.
func connector(brokerURL string, transport http.RoundTripper) func(context.Context, string) (broker.Client, error) {
	return func(_ context.Context, name string) (broker.Client, error) {
		return alpaca.New(alpaca.Config{
			Tenant:      name,
			BaseURL:     brokerURL,
			Credentials: tenant.Credentials{KeyID: name, Secret: "stress"},
			Transport:   transport,
			Logger:      zerolog.New(io.Discard).Level(zerolog.WarnLevel),
		})
	}
}
