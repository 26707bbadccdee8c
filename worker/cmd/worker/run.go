package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/rs/zerolog"
)

// run serves until a signal. The first one drains, within the time that the settings
// give; the second, or the end of that time, abandons what is under way.
func run(ctx context.Context, s settings, options natsconn.Options, logTo io.Writer) (err error) {
	log := newLogger(s, logTo)
	probes := newHealth(log)
	stop, err := probes.serve(ctx, s.HTTPAddr)
	if err != nil {
		return cli.Usage(err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	own, err := s.load(log)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	waiting, stopWaiting := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	nc, err := natsconn.Await(waiting, "orderfleet worker", options, func(err error) {
		probes.ready("waiting for NATS")
		log.Warn().Err(err).Msg("waiting for NATS")
	}, connectionLog(log)...)
	var who *tenants
	if err == nil {
		defer nc.Close()
		who, err = own.tenants(waiting, nc, log)
	}
	stopped := waiting.Err() != nil
	stopWaiting()
	switch {
	case err != nil && stopped:
		return nil // there is nothing to finish
	case err != nil:
		return err
	}

	ctx, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	defer who.follow(ctx, abandon)()
	drain := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- worker.Run(ctx, drain, nc, worker.Config{
			Name:           s.WorkerName,
			Connect:        connector(who.directory, s, log),
			Books:          books(who.directory, s, log),
			PerMinute:      who.perMinute,
			Registry:       who.registry,
			Pools:          who.pools,
			Reseal:         who.reseal,
			ReconcileEvery: s.Reconcile,
			MaxSessions:    s.MaxSessions,
			Idle:           s.SessionIdle,
			Settle:         s.LookupSettle,
			Grace:          s.LookupGrace,
			LeaseTTL:       s.LeaseTTL,
			Ready:          probes.ready,
			Log:            log,
		})
	}()
	return supervise(signals, ended, drain, abandon, s.DrainTimeout, log)
}

// connectionLog tells what becomes of the connection.
func connectionLog(log zerolog.Logger) []nats.Option {
	return []nats.Option{
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn().Err(err).Msg("NATS")
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: we closed it
				log.Warn().Err(err).Msg("cut off from NATS; reconnecting")
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info().Str("server", nc.ConnectedUrlRedacted()).Msg("connected to NATS again")
		}),
	}
}

// errAbandoned ends a worker that could not finish in time.
var errAbandoned = errors.New("work under way was abandoned; the next worker resolves it")

// supervise turns signals into draining and abandoning, and waits for the worker.
func supervise(signals <-chan os.Signal, ended <-chan error, drain chan<- struct{}, abandon context.CancelCauseFunc, patience time.Duration, log zerolog.Logger) error {
	select {
	case err := <-ended:
		return err
	case sig := <-signals:
		log.Info().Stringer("signal", sig).Dur("within", patience).Msg("draining; a second signal abandons what is under way")
		close(drain)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case sig := <-signals:
		log.Warn().Stringer("signal", sig).Msg("abandoning")
	case <-timer.C:
		log.Warn().Dur("after", patience).Msg("not drained in time; abandoning")
	}
	abandon(errAbandoned)
	return <-ended
}

// connector makes tenants' lines to their brokers.
func connector(directory tenant.Directory, s settings, log zerolog.Logger) func(context.Context, string) (broker.Line, error) {
	return func(ctx context.Context, name string) (broker.Line, error) {
		t, client, err := dial(ctx, directory, name, s, log)
		if err != nil {
			return broker.Line{}, err
		}
		return broker.Line{
			Client:       client,
			Address:      t.BaseURL,
			Keys:         t.Keys,
			PerMinute:    t.RequestsPerMinute,
			HoldOnFailed: t.HoldOnFailed,
		}, nil
	}
}

// books makes tenants' second lines to their brokers.
func books(directory tenant.Directory, s settings, log zerolog.Logger) func(context.Context, string) (broker.Books, error) {
	return func(ctx context.Context, name string) (broker.Books, error) {
		_, client, err := dial(ctx, directory, name, s, log)
		if err != nil {
			return nil, err
		}
		return client, nil
	}
}

// dial makes a client of a tenant's broker, which connects when it is used. The tenant comes
// without its credentials: these are the client's alone, until it is closed.
func dial(ctx context.Context, directory tenant.Directory, name string, s settings, log zerolog.Logger) (tenant.Tenant, *alpaca.Client, error) {
	t, err := directory.Lookup(ctx, name)
	if err != nil {
		return t, nil, err
	}
	keys := t.Credentials
	t.Credentials = tenant.Credentials{}
	defer keys.Wipe() // the client has its own copy
	client, err := alpaca.New(alpaca.Config{
		Tenant:      t.Name,
		BaseURL:     t.BaseURL,
		Credentials: keys,
		Timeouts: alpaca.Timeouts{
			Dial: s.BrokerDial, TLS: s.BrokerTLS, FirstByte: s.BrokerFirst, Call: s.BrokerCall,
		},
		Logger: log,
	})
	return t, client, err
}

func newLogger(s settings, to io.Writer) zerolog.Logger {
	if s.LogFormat == "console" {
		to = zerolog.ConsoleWriter{Out: to, TimeFormat: time.RFC3339, NoColor: !cli.IsTerminal(to)}
	}
	return zerolog.New(to).Level(s.LogLevel).With().Timestamp().Logger()
}
