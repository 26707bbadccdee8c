package chaos

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo serves what it is sent, until the test ends.
func echo(t *testing.T) (at string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c) //nolint:errcheck // until either end hangs up
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// say sends a word and reads it back.
func say(c net.Conn, patience time.Duration) error {
	const word = "word"
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, word); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, len(word)))
	return err
}

func TestWires(t *testing.T) {
	ws := newWires()
	defer ws.stop()
	at, err := ws.connect(WorkerBroker, "worker0", "broker", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	dial := func() net.Conn {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	for kind, works := range map[string]bool{Cut: false, Hole: false, HalfHole: false, Slow: true, Thin: true} {
		t.Run(kind, func(t *testing.T) {
			const long = 30 * time.Second
			patience := long
			if kind == Hole || kind == HalfHole {
				patience = 100 * time.Millisecond // nothing will come
			}
			old := dial()
			ws.all[0].meter.carried.Store(0)
			if err := say(old, long); err != nil {
				t.Fatalf("before: %v", err)
			}
			if !ws.all[0].meter.live() {
				t.Error("what it carried is not seen")
			}
			if err := disturb(ws.all, kind); err != nil {
				t.Fatal(err)
			}
			for name, c := range map[string]net.Conn{"old": old, "new": dial()} {
				err := say(c, patience)
				if (err == nil) != works {
					t.Errorf("a %s connection: %v", name, err)
				}
				if stalled := errors.Is(err, os.ErrDeadlineExceeded); stalled != (kind == Hole || kind == HalfHole) {
					t.Errorf("a %s connection: stalled is %v: %v", name, stalled, err)
				}
			}
			if err := heal(t.Context(), ws.all); err != nil {
				t.Fatal(err)
			}
			if err := say(dial(), long); err != nil {
				t.Errorf("healed: %v", err)
			}
		})
	}
}

// A fault strikes wires of its link only, those between two parts or all of one.
func TestPick(t *testing.T) {
	ws := &wires{}
	for _, w := range []wire{
		{link: WorkerNATS, from: "worker0", to: "nats0"}, {link: WorkerNATS, from: "worker0", to: "nats1"},
		{link: WorkerNATS, from: "worker1", to: "nats0"}, {link: WorkerNATS, from: "worker1", to: "nats1"},
		{link: WorkerNATS, from: "worker2", to: "nats1"}, // nobody is there
		{link: NATSNATS, from: "nats0", to: "nats1"}, {link: NATSNATS, from: "nats1", to: "nats0"},
	} {
		w.meter = new(meter)
		if w.from != "worker2" {
			w.meter.carried.Store(time.Now().Add(time.Hour).UnixNano())
		}
		ws.all = append(ws.all, &w)
	}
	seen := make(map[string]int)
	for pick := range uint64(200) {
		for _, link := range []Link{WorkerNATS, NATSNATS} {
			struck, name := ws.pick(link, pick)
			seen[name] = len(struck)
			for _, w := range struck {
				if w.link != link {
					t.Fatalf("%s struck a wire of %s", link, w.link)
				}
			}
		}
	}
	if seen["worker2-nats1"] > 0 || seen["worker2-all"] > 0 {
		t.Error("a wire that is not in use was struck")
	}
	if struck, _ := ws.pick(ProducerNATS, 1); struck != nil {
		t.Errorf("struck %v where there is nothing", struck)
	}
	for name, n := range map[string]int{"worker0-nats1": 1, "worker1-all": 2, "nats0-nats1": 2, "nats1-all": 2} {
		if seen[name] != n {
			t.Errorf("%s strikes %d wires, not %d", name, seen[name], n)
		}
	}
}
