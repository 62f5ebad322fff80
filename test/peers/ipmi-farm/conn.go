package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

// The UDP socket of one BMC, with the packet faults. Satisfies go-ipmi's transport.PacketConn.
type conn struct {
	socket  *net.UDPConn
	machine *machine
	in      atomic.Int64
	out     atomic.Int64
}

func (c *conn) ReadFrom(buffer []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.socket.ReadFromUDP(buffer)
		if err != nil {
			return n, from, err
		}
		c.in.Add(1)
		faults := c.machine.faults.Load()
		if faults.Down || rand.Float64() < faults.Loss {
			continue
		}
		return n, from, nil
	}
}

func (c *conn) WriteTo(data []byte, to net.Addr) (int, error) {
	address, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("not a UDP address: %T", to)
	}
	faults := c.machine.faults.Load()
	if faults.Down || rand.Float64() < faults.Loss {
		return len(data), nil
	}
	if rand.Float64() < faults.Flip {
		data = append([]byte(nil), data...)
		data[rand.IntN(len(data))] ^= 1 << rand.IntN(8)
	}
	copies := 1
	if rand.Float64() < faults.Dup {
		copies = 2
	}
	c.out.Add(int64(copies))
	send := func() {
		for range copies {
			_, _ = c.socket.WriteToUDP(data, address)
		}
	}
	if faults.DelayMs <= 0 {
		send()
		return len(data), nil
	}
	data = append([]byte(nil), data...)
	time.AfterFunc(milliseconds(faults.DelayMs), send)
	return len(data), nil
}

func (c *conn) LocalAddr() net.Addr { return c.socket.LocalAddr() }

func (c *conn) Close() error { return c.socket.Close() }
