package chaos

import (
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"
)

// meter is a toxic that harms nothing: it notes when a wire last carried anything towards
// the server. Connections of the wire write it, whoever picks a wire reads it.
type meter struct{ carried atomic.Int64 } // in ns since the epoch

// meterKind is its name at the proxy.
const meterKind = "meter"

// Pipe passes everything on.
func (m *meter) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case c := <-stub.Input:
			if c == nil {
				stub.Close()
				return
			}
			m.carried.Store(time.Now().UnixNano())
			stub.Output <- c
		}
	}
}

// recent is how long ago a wire in use carried something at most: workers and NATS servers
// send heartbeats all the time, and the load is steady.
const recent = 1500 * time.Millisecond

// live says whether the wire is in use.
func (m *meter) live() bool { return time.Since(time.Unix(0, m.carried.Load())) < recent }
