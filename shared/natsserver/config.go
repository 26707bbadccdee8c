package natsserver

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
)

// StartFile runs a server as a configuration file says, as nats-server --config does, but for
// what change changes: where it listens and stores. It logs only where LogFile says.
func StartFile(path string, change ...func(*server.Options)) (*Server, error) {
	read := func() (*server.Options, error) {
		options, err := server.ProcessConfigFile(path)
		if err != nil {
			return nil, fmt.Errorf("natsserver: %w", err)
		}
		for _, c := range change {
			c(options)
		}
		options.NoSigs, options.NoLog = true, options.LogFile == ""
		return options, nil
	}
	options, err := read()
	if err != nil {
		return nil, err
	}
	srv, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	if !options.NoLog {
		srv.ConfigureLogger()
	}
	srv.Start()
	if !srv.ReadyForConnections(readyTimeout) {
		srv.Shutdown()
		return nil, fmt.Errorf("natsserver: not ready after %s as %s says; is its port taken?", readyTimeout, path)
	}
	return &Server{srv, read}, nil
}

// Reload reads the configuration file of [StartFile] again, as nats-server --signal reload
// does.
func (s *Server) Reload() error {
	options, err := s.read()
	if err != nil {
		return err
	}
	if err := s.srv.ReloadOptions(options); err != nil {
		return fmt.Errorf("natsserver: %w", err)
	}
	return nil
}
