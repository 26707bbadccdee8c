// Package natsserver runs a real NATS server with JetStream inside the process,
// for tests, the demo and the stress test. Producers and workers never link it:
// only tests and the deploy module may import it, and a test holds them to that.
package natsserver

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
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
	// Name of the server; "orderfleet" by default. Members of a cluster need names of
	// their own.
	Name string
	// Cluster that the server is a member of, if it is of one.
	Cluster *Cluster
}

// Cluster is a server's place among its peers. Clients are not told of the peers: they
// reach those servers whose addresses they were given.
type Cluster struct {
	// Name is the same on all members.
	Name string
	// Port where the peers connect to this one, on its Host.
	Port int
	// Routes to the other members, as nats://127.0.0.1:6223.
	Routes []string
	// Advertise is where the peers are told that this one can be reached, host:port; by
	// default where it listens. With something between the members that must not be
	// passed by, name an address where nobody listens: then only Routes lead anywhere.
	Advertise string
}

// Server is a running NATS server. Stop it.
type Server struct {
	srv  *server.Server
	read func() (*server.Options, error) // its configuration file, if it has one
}

// readyTimeout is for machines that have little time for a server.
const readyTimeout = 30 * time.Second

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
	options := &server.Options{
		Host:       o.Host,
		Port:       o.Port,
		ServerName: cmp.Or(o.Name, "orderfleet"),
		JetStream:  true,
		StoreDir:   o.Dir,
		SyncAlways: o.SyncAlways,
		NoLog:      true,
		NoSigs:     true,
	}
	if o.Cluster != nil {
		if err := o.Cluster.join(options); err != nil {
			return nil, err
		}
	}
	srv, err := server.NewServer(options)
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
	if !srv.ReadyForConnections(readyTimeout) {
		srv.Shutdown()
		return nil, fmt.Errorf("natsserver: not ready on %s:%d after %s; is the port taken?", o.Host, o.Port, readyTimeout)
	}
	return &Server{srv: srv}, nil
}

// join makes a server with these options a member.
func (c *Cluster) join(options *server.Options) error {
	options.Cluster = server.ClusterOpts{
		Name:        c.Name,
		Host:        options.Host,
		Port:        c.Port,
		Advertise:   c.Advertise,
		NoAdvertise: true,
	}
	for _, route := range c.Routes {
		u, err := url.Parse(route)
		if err != nil {
			return fmt.Errorf("natsserver: route to a peer: %w", err)
		}
		options.Routes = append(options.Routes, u)
	}
	return nil
}

// URL is where clients connect.
func (s *Server) URL() string { return s.srv.ClientURL() }

// Stop shuts the server down and waits until it is.
func (s *Server) Stop() {
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
}
