package replay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/natsserver"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
)

// stage is the fleet that a shadow plays on: a NATS server that keeps its ledger in memory,
// a worker, and a door to the tenants' paper brokers.
//
//	newStage --> open --close--> worker drained, door closed, NATS stopped, its directory removed
type stage struct {
	url    string // of the door
	ledger *ledger.Ledger

	dir    string
	server *natsserver.Server
	nc     *nats.Conn
	door   *http.Server
	serve  chan error // what the door ended with
	drain  chan struct{}
	worker chan error // what the worker ended with
}

// A shadow has one worker, and nobody waits for another one's death: however busy this
// machine is, it keeps its shards.
const leaseTTL = time.Minute

// newStage starts a stage and returns when its worker serves all shards. What connects to
// a broker gets the door's address.
func newStage(ctx context.Context, shards, sessions int, brokers http.Handler, connect func(ctx context.Context, url, tenant string) (broker.Line, error), log zerolog.Logger) (_ *stage, err error) {
	s := &stage{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.openLedger(ctx, shards); err != nil {
		return nil, fmt.Errorf("replay: start a ledger: %w", err)
	}
	if err := s.openDoor(ctx, brokers); err != nil {
		return nil, fmt.Errorf("replay: start a broker: %w", err)
	}
	serving := make(chan int, shards)
	s.drain, s.worker = make(chan struct{}), make(chan error, 1)
	go func() {
		s.worker <- worker.Run(context.WithoutCancel(ctx), s.drain, s.nc, worker.Config{
			Name:        "shadow",
			Connect:     func(ctx context.Context, tenant string) (broker.Line, error) { return connect(ctx, s.url, tenant) },
			MaxSessions: max(sessions, shards),
			LeaseTTL:    leaseTTL,
			Serving:     func(shard int) { serving <- shard },
			Log:         log,
		})
	}()
	for range shards {
		select {
		case <-serving:
		case err := <-s.worker:
			s.worker <- err
			return nil, fmt.Errorf("replay: start a worker: %w", err)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return s, nil
}

func (s *stage) openLedger(ctx context.Context, shards int) (err error) {
	if s.dir, err = os.MkdirTemp("", "orderfleet-shadow-"); err != nil {
		return err
	}
	if s.server, err = natsserver.Start(natsserver.Options{Dir: s.dir, Shards: shards, Name: "shadow"}); err != nil {
		return err
	}
	if s.nc, err = natsconn.Dial(ctx, "orderfleet shadow", natsconn.Options{URL: s.server.URL()}); err != nil {
		return err
	}
	settings := ledger.DefaultSettings()
	settings.Shards, settings.Storage = shards, "memory"
	if _, err := ledger.Provision(ctx, s.nc, settings); err != nil {
		return err
	}
	s.ledger, err = ledger.Open(ctx, s.nc)
	return err
}

func (s *stage) openDoor(ctx context.Context, brokers http.Handler) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url = "http://" + l.Addr().String()
	s.door = &http.Server{Handler: brokers, ReadHeaderTimeout: 10 * time.Second}
	s.serve = make(chan error, 1)
	go func() { s.serve <- s.door.Serve(l) }()
	return nil
}

// publish puts a message where it stood then, byte by byte.
func (s *stage) publish(ctx context.Context, shard int, tenant string, data []byte) error {
	_, err := s.ledger.JetStream().PublishMsg(ctx, &nats.Msg{Subject: ledger.Intents.Subject(shard, tenant), Data: data}, jetstream.WithExpectStream(ledger.StreamName(shard)))
	if err != nil {
		return fmt.Errorf("replay: publish an intent of tenant %s: %w", tenant, err)
	}
	return nil
}

// close ends everything, the worker first. It returns what any part failed with.
func (s *stage) close() error {
	var errs []error
	if s.worker != nil {
		close(s.drain)
		errs = append(errs, <-s.worker)
	}
	if s.door != nil {
		errs = append(errs, s.door.Close())
		if err := <-s.serve; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
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
