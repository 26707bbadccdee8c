// Package natsserver runs a real NATS server with JetStream inside the process,
// for tests, the demo and the stress test. Producers and workers never link it:
// only tests and the deploy module may import it, and a test holds them to that.
package natsserver

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/orderfleet/orderfleet/shared/ledger"
)

// Options of a server. The zero value listens on a free port of the loopback
// interface and keeps nothing but what it was told to store in Dir.
type Options struct {
	// Dir is where JetStream stores its streams. Required.
	Dir string
	// Host and Port to listen on; "127.0.0.1" and a free port by default.
	Host string
	Port int
	// Shards of the account mapping; 0 leaves the mapping out.
	Shards int
	// SyncAlways makes JetStream sync every write to disk before it acknowledges.
	SyncAlways bool
}

// Server is a running NATS server. Stop it.
type Server struct{ srv *server.Server }

// Start runs a server and returns when it takes connections.
func Start(o Options) (*Server, error) {
	if o.Dir == "" {
		return nil, errors.New("natsserver: no directory to store the streams in")
	}
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	srv, err := server.NewServer(&server.Options{
		Host:       o.Host,
		Port:       o.Port,
		ServerName: "orderfleet",
		JetStream:  true,
		StoreDir:   o.Dir,
		SyncAlways: o.SyncAlways,
		NoLog:      true,
		NoSigs:     true,
	})
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	if o.Shards > 0 {
		from, to := ledger.Mapping(o.Shards)
		if err := srv.GlobalAccount().AddMapping(from, to); err != nil {
			return nil, fmt.Errorf("natsserver: account mapping: %w", err)
		}
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		srv.Shutdown()
		return nil, fmt.Errorf("natsserver: not ready on %s:%d after 10 s; is the port taken?", o.Host, o.Port)
	}
	return &Server{srv}, nil
}

// URL is where clients connect.
func (s *Server) URL() string { return s.srv.ClientURL() }

// Stop shuts the server down and waits until it is.
func (s *Server) Stop() {
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
}
