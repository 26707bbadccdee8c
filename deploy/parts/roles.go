package parts

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"
)

// Arg is the first argument that makes a program a part; the second one says which.
const Arg = "part-of-orderfleet"

// The parts that every program of ours can be.
const (
	NATS   = "nats"
	Paper  = "paper"
	Worker = "worker"
)

// Role runs a part until its parent ends it.
type Role func(ctx context.Context, args []string) error

// Run is this program as a part, if its arguments say so; done is false if they do not.
// extra are parts of the program's own.
func Run(ctx context.Context, args []string, extra map[string]Role) (done bool, err error) {
	if len(args) < 3 || args[1] != Arg {
		return false, nil
	}
	roles := map[string]Role{NATS: runNATS, Paper: runPaper, Worker: runWorker}
	maps.Copy(roles, extra)
	role := roles[args[2]]
	if role == nil {
		return true, fmt.Errorf("parts: %q is no part", args[2])
	}
	return true, role(ctx, args[3:])
}

// Say tells the parent something.
func Say(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

func parse(role string, args []string, define func(*flag.FlagSet)) error {
	flags := flag.NewFlagSet(role, flag.ContinueOnError)
	define(flags)
	return flags.Parse(args)
}

// NATSReady is what the NATS server says.
type NATSReady struct{ URL string }

func runNATS(ctx context.Context, args []string) error {
	var (
		o       natsserver.Options
		cluster natsserver.Cluster
	)
	if err := parse(NATS, args, func(f *flag.FlagSet) {
		f.StringVar(&o.Dir, "dir", "", "")
		f.IntVar(&o.Shards, "shards", 0, "")
		f.IntVar(&o.Port, "port", 0, "")
		f.BoolVar(&o.SyncAlways, "sync-always", false, "")
		f.StringVar(&o.Name, "name", "", "")
		f.StringVar(&cluster.Name, "cluster", "", "")
		f.IntVar(&cluster.Port, "cluster-port", 0, "")
		f.StringVar(&cluster.Advertise, "cluster-advertise", "", "")
		f.Func("route", "", func(s string) error {
			cluster.Routes = append(cluster.Routes, s)
			return nil
		})
	}); err != nil {
		return err
	}
	if cluster.Name != "" {
		o.Cluster = &cluster
	}
	srv, err := natsserver.Start(o)
	if err != nil {
		return err
	}
	defer srv.Stop()
	if err := Say(NATSReady{srv.URL()}); err != nil {
		return err
	}
	AwaitParent(ctx)
	return nil
}

// PaperReady is what the paper broker says.
type PaperReady struct{ URL, Admin string }

func runPaper(ctx context.Context, args []string) error {
	var (
		unchecked     bool
		correspondent paper.Limit
	)
	if err := parse(Paper, args, func(f *flag.FlagSet) {
		f.BoolVar(&unchecked, "no-duplicate-check", false, "")
		f.IntVar(&correspondent.Requests, "correspondent-limit", paper.Unlimited, "")
		f.DurationVar(&correspondent.Window, "correspondent-window", 0, "")
	}); err != nil {
		return err
	}
	api, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("parts: %w", err)
	}
	admin, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("parts: %w", err)
	}
	b := paper.New(paper.Config{
		Cash:             plenty,
		RateLimit:        paper.Unlimited,
		Correspondent:    correspondent,
		Tick:             -1, // prices stand still
		NoDuplicateCheck: unchecked,
	})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.Run(ctx, api, admin) })
	if err := Say(PaperReady{"http://" + api.Addr().String(), "http://" + admin.Addr().String()}); err != nil {
		return err
	}
	AwaitParent(ctx)
	cancel()
	return group.Wait()
}

// WorkerReady is what the worker says when all its shards are folded.
type WorkerReady struct {
	Goroutines int
	Heap       uint64 // bytes in use after a collection
}

func runWorker(ctx context.Context, args []string) error {
	var (
		natsURL, brokerURL string
		clients            Clients
		settle             time.Duration
		among              bool
		correspondent      string
	)
	if err := parse(Worker, args, func(f *flag.FlagSet) {
		f.StringVar(&natsURL, "nats", "", "")
		f.StringVar(&brokerURL, "broker", "", "")
		f.StringVar((*string)(&clients), "clients", string(Own), "")
		f.DurationVar(&settle, "settle", 0, "")
		f.StringVar(&correspondent, "correspondent", "", "whose accounts the tenants' are; they bear their names")
		f.BoolVar(&among, "among", false, "one of many: ready before it serves anything")
	}); err != nil {
		return err
	}
	nc, err := natsconn.Dial(ctx, "orderfleet worker", natsconn.Options{URL: natsURL})
	if err != nil {
		return err
	}
	defer nc.Close()
	l, err := ledger.Open(ctx, nc)
	if err != nil {
		return err
	}

	serving, drain := make(chan int, l.Shards()), make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	terms := registry.New(l, nil)
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the sessions
	var watch sync.WaitGroup
	watch.Go(func() { _ = terms.Run(watching) }) // its end is that of its context
	defer watch.Wait()
	defer unwatch()
	group.Go(func() error {
		return worker.Run(ctx, drain, nc, worker.Config{
			Connect:  connector(brokerURL, correspondent, clients.transport()),
			Books:    books(brokerURL, correspondent),
			Registry: terms,
			Pools:    terms,
			Settle:   settle,
			Serving: func(shard int) {
				select {
				case serving <- shard:
				default: // it is served again
				}
			},
			Log: zerolog.New(os.Stderr).Level(zerolog.ErrorLevel),
		})
	})
	for n := 0; n < l.Shards() && !among; n++ {
		select {
		case <-serving:
		case <-ctx.Done():
			return group.Wait()
		}
	}
	debug.FreeOSMemory() // so that what the fold left behind does not count as held
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	if err := Say(WorkerReady{runtime.NumGoroutine(), mem.HeapInuse}); err != nil {
		return err
	}
	AwaitParent(ctx)
	close(drain)
	return group.Wait()
}

// secret of every tenant's key: their names are their key ids.
const secret = "parts"

// plenty is the cash of every account: no order is refused for want of it.
var plenty = decimal.New(1, 12)

// connector makes the lines of tenants whose keys are their names, or a correspondent's. A nil
// transport means that each client owns its connection.
func connector(brokerURL, correspondent string, transport http.RoundTripper) func(context.Context, string) (broker.Line, error) {
	return func(_ context.Context, name string) (broker.Line, error) {
		client, err := client(brokerURL, name, correspondent, transport)
		return broker.Line{Client: client, Address: brokerURL}, err
	}
}

// books makes their second lines.
func books(brokerURL, correspondent string) func(context.Context, string) (broker.Books, error) {
	return func(_ context.Context, name string) (broker.Books, error) {
		return client(brokerURL, name, correspondent, nil)
	}
}

func client(brokerURL, name, correspondent string, transport http.RoundTripper) (*alpaca.Client, error) {
	keys := tenant.Credentials{KeyID: name, Secret: secret}
	if correspondent != "" {
		keys = tenant.Credentials{KeyID: correspondent, Secret: secret, Account: name}
	}
	return alpaca.New(alpaca.Config{
		Tenant:      name,
		BaseURL:     brokerURL,
		Credentials: keys,
		Transport:   transport,
		Logger:      zerolog.New(io.Discard).Level(zerolog.WarnLevel),
	})
}
