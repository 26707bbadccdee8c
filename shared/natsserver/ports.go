package natsserver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
)

// Ports that servers may keep lie from lowest up to where the system begins to give ports to
// outgoing connections: where it says, or no higher than any system begins by default.
const lowest, highest = 10000, 32768

// handedOut counts the ports that this process tried, from one of its own.
var handedOut atomic.Uint32

func init() { handedOut.Store(rand.Uint32N(highest)) }

// FreePorts finds n ports of the loopback interface, for servers that have to come back at
// the same one: nobody listens there now, no outgoing connection will be given one of them,
// and no later call returns them.
func FreePorts(n int) ([]int, error) {
	until := firstEphemeral()
	ports := make([]int, 0, n)
	for range until - lowest {
		if len(ports) == n {
			break
		}
		port := lowest + int(handedOut.Add(1))%(until-lowest)
		if l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			ports = append(ports, port)
			_ = l.Close()
		}
	}
	if len(ports) < n {
		return nil, fmt.Errorf("natsserver: no %d free ports between %d and %d", n, lowest, until)
	}
	return ports, nil
}

// firstEphemeral is the first port that the system may give to an outgoing connection. A
// system that may give all of them leaves no better choice than ours.
func firstEphemeral() int {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return highest // not Linux
	}
	first := 0
	if _, err := fmt.Sscan(string(text), &first); err != nil || first < lowest+1000 {
		return highest
	}
	return min(first, highest)
}
