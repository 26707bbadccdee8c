package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/paper"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/shared/registry"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
)

// Options of a system. Zero ports are free ones.
type Options struct {
	NATSPort   int
	BrokerPort int
	AdminPort  int
	Log        zerolog.Logger
}

// shards of the local ledger.
const shards = 8

// tenantsFile makes every name a tenant whose key id is the name. One has no keys, as
// happens.
const tenantsFile = `broker: %s
tenants:
  tundra: {}
any: {key_id: "{tenant}", secret: "secret-of-{tenant}"}
`

// System is a running system.
type System struct {
	Producer *producer.Producer
	Broker   *paper.Broker
	NATSURL  string
	// BrokerURL and AdminURL are the paper broker's.
	BrokerURL, AdminURL string

	dir    string
	server *natsserver.Server
	nc     *nats.Conn
	drain  chan struct{}
	worker chan error // what the worker ended with
	// the watch of the registry outlives the worker
	unwatch context.CancelFunc
	watch   chan error
	paper   chan error // what the broker ended with
	close   context.CancelFunc
}

// Start starts a system and returns when it takes orders.
func Start(ctx context.Context, o Options) (_ *System, err error) {
	s := &System{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "orderfleet-"); err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	if err := s.startNATS(ctx, o); err != nil {
		return nil, err
	}
	if err := s.startBroker(ctx, o); err != nil {
		return nil, err
	}
	if err := s.startWorker(ctx, o); err != nil {
		return nil, err
	}
	s.Producer, err = producer.New(ctx, s.nc)
	return s, err
}

func (s *System) startNATS(ctx context.Context, o Options) (err error) {
	if s.server, err = natsserver.Start(natsserver.Options{Dir: s.dir, Port: o.NATSPort, Shards: shards}); err != nil {
		return err
	}
	s.NATSURL = s.server.URL()
	if s.nc, err = natsconn.Dial(ctx, "orderfleet local", natsconn.Options{URL: s.NATSURL}); err != nil {
		return err
	}
	settings := ledger.DefaultSettings()
	settings.Shards = shards
	_, err = ledger.Provision(ctx, s.nc, settings)
	return err
}

func (s *System) startBroker(ctx context.Context, o Options) error {
	api, err := listen(ctx, o.BrokerPort)
	if err != nil {
		return err
	}
	admin, err := listen(ctx, o.AdminPort)
	if err != nil {
		return err
	}
	s.BrokerURL, s.AdminURL = "http://"+api.Addr().String(), "http://"+admin.Addr().String()
	s.Broker = paper.New(paper.Config{Seed: 1})
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.close, s.paper = cancel, make(chan error, 1)
	go func() { s.paper <- s.Broker.Run(ctx, api, admin) }()
	return nil
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	return l, nil
}

func (s *System) startWorker(ctx context.Context, o Options) error {
	path := filepath.Join(s.dir, "tenants.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, tenantsFile, s.BrokerURL), 0o600); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	directory, err := registry.OpenFile(path, nil)
	if err != nil {
		return err
	}
	opened, err := ledger.Open(ctx, s.nc)
	if err != nil {
		return err
	}
	server := registry.New(opened, nil)
	terms := registry.NewLayered(directory, server)
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	s.unwatch, s.watch = unwatch, make(chan error, 1)
	go func() { s.watch <- terms.Run(watching) }()
	dial := func(ctx context.Context, name string) (*alpaca.Client, string, error) {
		t, err := directory.Lookup(ctx, name)
		if err != nil {
			return nil, "", err
		}
		client, err := alpaca.New(alpaca.Config{Tenant: t.Name, BaseURL: t.BaseURL, Credentials: t.Credentials, Logger: o.Log})
		return client, t.BaseURL, err
	}
	serving := make(chan int, shards)
	s.drain, s.worker = make(chan struct{}), make(chan error, 1)
	go func() {
		s.worker <- worker.Run(context.Background(), s.drain, s.nc, worker.Config{
			Connect: func(ctx context.Context, name string) (broker.Line, error) {
				client, address, err := dial(ctx, name)
				return broker.Line{Client: client, Address: address}, err
			},
			Books: func(ctx context.Context, name string) (broker.Books, error) {
				client, _, err := dial(ctx, name)
				return client, err
			},
			Registry:       terms,
			Pools:          server,
			ReconcileEvery: time.Hour,
			Serving:        func(shard int) { serving <- shard },
			Log:            o.Log,
		})
	}()
	for range shards {
		select {
		case <-serving:
		case err := <-s.worker:
			s.worker <- err
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Wait returns nil when ctx ends, or what ended a part before.
func (s *System) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.worker:
		s.worker <- nil // Stop takes it
		return fmt.Errorf("local: the worker ended: %w", err)
	case err := <-s.paper:
		s.paper <- nil
		return fmt.Errorf("local: the paper broker ended: %w", err)
	}
}

// Stop drains the worker and ends everything, in that order. It returns what any part
// failed with.
func (s *System) Stop() error {
	var errs []error
	if s.worker != nil {
		close(s.drain)
		errs = append(errs, <-s.worker)
	}
	if s.watch != nil {
		s.unwatch()
		if err := <-s.watch; !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	if s.paper != nil {
		s.close()
		errs = append(errs, <-s.paper)
	}
	if s.nc != nil {
		s.nc.Close()
	}
	if s.server != nil {
		s.server.Stop()
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
