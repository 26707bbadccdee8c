package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/parts"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsserver"
)

// system is the running parts and the wires between them.
type system struct {
	Options
	alive  context.Context // whose end kills every process
	dir    string
	keep   bool // dir, whatever the options say
	wires  *wires
	nats   [servers]*server
	paper  *parts.Process
	broker parts.PaperReady
	pool   *pool
	leases *leases
	// operator is who throws the switch.
	operator *operator
	nc       *nats.Conn // the observer's, past all wires
	ledger   *ledger.Ledger
}

// The ledger remembers message ids for a moment only, so that an intent that is published
// again late reaches the workers.
const dedup = 5 * time.Second

// boot starts everything but the producers.
func boot(ctx context.Context, o Options) (_ *system, err error) {
	s := &system{Options: o, alive: ctx, dir: o.Dir, wires: newWires(), leases: newLeases(o.Shards)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if s.operator, err = newOperator(); err != nil {
		return nil, err
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "orderfleet-chaos-"); err != nil {
			return nil, fmt.Errorf("chaos: %w", err)
		}
	} else if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	if err := s.bootNATS(ctx); err != nil {
		return nil, err
	}
	args := []string{"--no-duplicate-check"}
	if o.DuplicateCheck {
		args = nil
	}
	if s.paper, err = parts.Spawn(ctx, &s.broker, parts.Paper, args...); err != nil {
		return nil, err
	}
	if err := s.provision(ctx); err != nil {
		return nil, err
	}
	if s.pool, err = s.newPool(); err != nil {
		return nil, err
	}
	return s, s.pool.fill((minWorkers + maxWorkers) / 2)
}

// server is a NATS server. The NATS lane owns it once the lanes run.
type server struct {
	alive context.Context
	args  []string
	proc  *parts.Process // nil while it is down
	at    string         // where clients connect, host:port
}

// bootNATS starts a cluster of three. Each route between two of them is a wire.
func (s *system) bootNATS(ctx context.Context) error {
	ports, err := natsserver.FreePorts(2 * servers)
	if err != nil {
		return err
	}
	client, cluster := ports[:servers], ports[servers:]
	urls := make([]string, servers)
	for i := range servers {
		s.nats[i] = &server{alive: ctx, at: fmt.Sprintf("127.0.0.1:%d", client[i])}
		urls[i] = "nats://" + s.nats[i].at
		s.nats[i].args = []string{
			"--dir", filepath.Join(s.dir, serverName(i)), "--shards", fmt.Sprint(s.Shards), fmt.Sprintf("--sync-always=%t", !s.LazySync),
			"--name", serverName(i), "--port", fmt.Sprint(client[i]),
			"--cluster", "chaos", "--cluster-port", fmt.Sprint(cluster[i]),
			"--cluster-advertise", "127.0.0.1:1", // nobody is there: the wires are the only way
		}
		for j := range servers {
			if j == i {
				continue
			}
			at, err := s.wires.connect(NATSNATS, serverName(i), serverName(j), fmt.Sprintf("127.0.0.1:%d", cluster[j]))
			if err != nil {
				return err
			}
			s.nats[i].args = append(s.nats[i].args, "--route", "nats://"+at)
		}
	}
	for i := range servers {
		if err := s.nats[i].start(); err != nil {
			return err
		}
	}
	s.nc, err = nats.Connect(strings.Join(urls, ","), nats.Name("orderfleet chaos"), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.ErrorHandler(overlook))
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	return nil
}

// overlook keeps the client library from printing what we do to its connections.
func overlook(*nats.Conn, *nats.Subscription, error) {}

func serverName(i int) string { return fmt.Sprintf("nats%d", i) }

// start starts a server that is down.
func (v *server) start() error {
	if v.proc != nil {
		return nil
	}
	var err error
	v.proc, err = parts.Spawn(v.alive, &parts.NATSReady{}, parts.NATS, v.args...)
	return err
}

// kill ends a server with SIGKILL.
func (v *server) kill() error {
	if v.proc == nil {
		return nil
	}
	err := v.proc.Kill()
	v.proc = nil
	return err
}

// bootPatience bounds what a cluster needs to elect its leaders.
const bootPatience = 60 * time.Second

// provision makes the ledger, and says who governs the tenants, and what they may do.
func (s *system) provision(ctx context.Context) error {
	settings := ledger.DefaultSettings()
	settings.Shards, settings.Replicas, settings.Dedup = s.Shards, servers, dedup
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	err := retry(ctx, func(ctx context.Context) error {
		_, err := ledger.Provision(ctx, s.nc, settings)
		return err
	})
	if err != nil {
		return err
	}
	err = retry(ctx, func(ctx context.Context) (err error) {
		s.ledger, err = ledger.Open(ctx, s.nc)
		return err
	})
	if err != nil {
		return err
	}
	return s.govern(ctx)
}

// retry tries until it works or ctx ends; each try has a few seconds.
func retry(ctx context.Context, try func(context.Context) error) error {
	for {
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := try(once)
		cancel()
		if err == nil {
			return nil
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// sleep waits, and says whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// stop ends the parts, those that depend on others first.
func (s *system) stop() error {
	var errs []error
	if s.pool != nil {
		errs = append(errs, s.pool.stop())
	}
	if s.paper != nil {
		errs = append(errs, s.paper.Stop())
	}
	if s.nc != nil {
		s.nc.Close()
	}
	for _, v := range s.nats {
		if v != nil {
			errs = append(errs, v.kill())
		}
	}
	if s.operator != nil {
		s.operator.signer.Wipe()
	}
	s.wires.stop()
	if s.Dir == "" && s.dir != "" && !s.keep {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
