package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// health answers probes over HTTP: /livez as long as the process runs, whatever becomes of
// NATS; /readyz while the worker is a member of the fleet that can write.
//
// The worker's goroutine sets the state, those of requests read it.
type health struct {
	state atomic.Pointer[string] // why the worker is not ready; empty: it is
	log   zerolog.Logger
}

func newHealth(log zerolog.Logger) *health {
	h := &health{log: log}
	starting := "starting"
	h.state.Store(&starting)
	return h
}

// ready notes a change; see [worker.Config.Ready].
func (h *health) ready(why string) {
	h.state.Store(&why)
	if why == "" {
		h.log.Info().Msg("ready")
		return
	}
	h.log.Info().Str("why", why).Msg("not ready")
}

func (h *health) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := *h.state.Load(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}

// serve answers probes at an address until stop is called, which waits for its end. An
// empty address is none.
func (h *health) serve(ctx context.Context, address string) (stop func() error, err error) {
	if address == "" {
		return func() error { return nil }, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s_HTTP_ADDR: %w", prefix, err)
	}
	h.log.Info().Stringer("address", l.Addr()).Msg("answering probes")
	srv := &http.Server{Handler: h.handler(), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	return func() error {
		if err := srv.Close(); err != nil {
			return fmt.Errorf("stop answering probes: %w", err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("answer probes: %w", err)
		}
		return nil
	}, nil
}
