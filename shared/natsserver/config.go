package natsserver

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
)

// StartFile runs a server as a configuration file says, as nats-server --config does.
func StartFile(path string) (*Server, error) {
	options, err := server.ProcessConfigFile(path)
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	options.NoSigs, options.NoLog = true, true
	srv, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(readyTimeout) {
		srv.Shutdown()
		return nil, fmt.Errorf("natsserver: not ready after %s as %s says; is its port taken?", readyTimeout, path)
	}
	return &Server{srv}, nil
}

// Reload reads the configuration file of [StartFile] again, as nats-server --signal reload
// does.
func (s *Server) Reload() error {
	if err := s.srv.Reload(); err != nil {
		return fmt.Errorf("natsserver: %w", err)
	}
	return nil
}
