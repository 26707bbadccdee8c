package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Link is a kind of connection between two parts.
type Link string

// The links.
const (
	WorkerNATS   Link = "worker-nats"
	WorkerBroker Link = "worker-broker"
	ProducerNATS Link = "producer-nats"
	NATSNATS     Link = "nats-nats"
)

// The kinds of network faults.
const (
	Cut      = "cut"       // connections end, new ones too
	Hole     = "hole"      // nothing arrives, nothing ends
	HalfHole = "half hole" // nothing arrives in one direction
	Slow     = "slow"      // everything takes a while
	Thin     = "thin"      // some sixty bytes a millisecond, in pieces
)

// harms are what the proxy does for each kind. No delay reaches how long a worker waits
// for a trace of a lost order, see misbehaviours.
var harms = map[string][]string{
	Cut: {
		`{"name":"up","type":"reset_peer","stream":"upstream","attributes":{"timeout":0}}`,
		`{"name":"down","type":"reset_peer","stream":"downstream","attributes":{"timeout":0}}`,
	},
	Hole: {
		`{"name":"up","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
		`{"name":"down","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`,
	},
	HalfHole: {`{"name":"down","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`},
	Slow: {
		`{"name":"up","type":"latency","stream":"upstream","attributes":{"latency":150,"jitter":120}}`,
		`{"name":"down","type":"latency","stream":"downstream","attributes":{"latency":150,"jitter":120}}`,
	},
	Thin: {
		`{"name":"up","type":"slicer","stream":"upstream","attributes":{"average_size":64,"size_variation":32,"delay":1000}}`,
		`{"name":"down","type":"slicer","stream":"downstream","attributes":{"average_size":64,"size_variation":32,"delay":1000}}`,
	},
}

// wire is a TCP proxy between two parts. One fault disturbs it at a time.
type wire struct {
	link     Link
	from, to string
	proxy    *toxiproxy.Proxy
	meter    *meter
}

// wires are all of them. The run's goroutine makes them before any lane begins.
type wires struct {
	server *toxiproxy.ApiServer
	all    []*wire
}

func newWires() *wires {
	toxics.Register(meterKind, new(meter))
	return &wires{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())}
}

// connect makes a wire and returns where it begins, host:port. It leads to an address where
// nobody need listen yet.
func (ws *wires) connect(link Link, from, to, upstream string) (string, error) {
	w := &wire{link: link, from: from, to: to, proxy: toxiproxy.NewProxy(ws.server, from+">"+to, "127.0.0.1:0", upstream)}
	if err := w.proxy.Start(); err != nil {
		return "", fmt.Errorf("chaos: wire from %s to %s: %w", from, to, err)
	}
	metered, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(`{"name":"meter","type":"meter","stream":"upstream"}`))
	if err != nil {
		return "", fmt.Errorf("chaos: wire from %s to %s: %w", from, to, err)
	}
	w.meter, _ = metered.Toxic.(*meter)
	ws.all = append(ws.all, w)
	return w.proxy.Listen, nil
}

func (ws *wires) stop() {
	for _, w := range ws.all {
		w.proxy.Stop()
	}
}

// pick chooses what a network fault strikes: one part of the link with all its peers, or
// with one, over a wire that is in use. It strikes nothing if no such wire is.
func (ws *wires) pick(link Link, pick uint64) (struck []*wire, name string) {
	r := rand.New(rand.NewPCG(pick, 0))
	var of, live []*wire
	for _, w := range ws.all {
		if w.link != link {
			continue
		}
		of = append(of, w)
		if w.meter.live() {
			live = append(live, w)
		}
	}
	if len(live) == 0 {
		return nil, ""
	}
	one := live[r.IntN(len(live))]
	part, peer := one.from, one.to
	all := r.IntN(2) == 0
	for _, w := range of {
		between := w.from == part && w.to == peer || w.from == peer && w.to == part
		if between || all && (w.from == part || link == NATSNATS && w.to == part) {
			struck = append(struck, w)
		}
	}
	if all {
		peer = "all"
	}
	return struck, part + "-" + peer
}

// disturb does something to wires, all at once: a wire whose reader is frozen may take a
// while.
func disturb(struck []*wire, kind string) error {
	return each(struck, func(w *wire) error {
		for _, toxic := range harms[kind] {
			if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
				return fmt.Errorf("chaos: disturb %s: %w", w.proxy.Name, err)
			}
		}
		return nil
	})
}

// heal undoes what was done to wires.
func heal(ctx context.Context, struck []*wire) error {
	return each(struck, func(w *wire) error {
		for _, name := range []string{"up", "down"} {
			if err := w.proxy.Toxics.RemoveToxic(ctx, name); err != nil && !errors.Is(err, toxiproxy.ErrToxicNotFound) {
				return fmt.Errorf("chaos: heal %s: %w", w.proxy.Name, err)
			}
		}
		return nil
	})
}

func each(all []*wire, do func(*wire) error) error {
	errs := make(chan error, len(all))
	var group sync.WaitGroup
	for _, w := range all {
		group.Go(func() { errs <- do(w) })
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
