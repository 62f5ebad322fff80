package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bougou/go-ipmi/pkg/bmc"
	"github.com/bougou/go-ipmi/pkg/clock"
	"github.com/bougou/go-ipmi/pkg/hal"
	"github.com/bougou/go-ipmi/pkg/hal/mock"
	"github.com/bougou/go-ipmi/pkg/server"
	"github.com/bougou/go-ipmi/pkg/types"
)

// What a test makes a BMC do; the control port sets it by these names.
type faults struct {
	OffMs      float64 `json:"offMs"`
	OnMs       float64 `json:"onMs"`
	Ignore     bool    `json:"ignore"`
	Lie        string  `json:"lie"`
	Fail       uint8   `json:"fail"`
	FailStatus uint8   `json:"failStatus"`
	Down       bool    `json:"down"`
	Loss       float64 `json:"loss"`
	Dup        float64 `json:"dup"`
	Flip       float64 `json:"flip"`
	DelayMs    float64 `json:"delayMs"`
}

type options struct {
	guid     [16]byte
	suites   []types.CipherSuiteID
	slots    int
	on       bool
	faults   faults
	password []byte
	kg       []byte
}

// One BMC with its machine.
type machine struct {
	bmc      *bmc.BMC
	conn     *conn
	chassis  *chassis
	clock    *leapingClock
	faults   atomic.Pointer[faults]
	controls atomic.Int64
	cycles   atomic.Int64
}

// A clock that can be put forward: how sessions are made to expire, and a BMC to forget them all.
type leapingClock struct {
	clock.Clock
	ahead atomic.Int64
}

func (c *leapingClock) Now() time.Time { return c.Clock.Now().Add(time.Duration(c.ahead.Load())) }

// Past go-ipmi's inactivity limit of 60 s with its tolerance of 3 s.
const leap = 64 * time.Second

func (m *machine) forgetSessions() {
	m.clock.ahead.Add(int64(leap))
	m.bmc.Sessions.EvictExpired()
}

func guidOf(seed string, index int) [16]byte {
	hash := sha256.Sum256(fmt.Appendf(nil, "%s/%d", seed, index))
	var guid [16]byte
	copy(guid[:], hash[:])
	return guid
}

var users = []struct {
	name      string
	privilege bmc.PrivilegeLevel
}{
	{"admin", bmc.PrivilegeLevelAdministrator},
	{"operator", bmc.PrivilegeLevelOperator},
	{"user", bmc.PrivilegeLevelUser},
}

func serve(ctx context.Context, address *net.UDPAddr, with options) (*machine, error) {
	socket, err := net.ListenUDP("udp4", address)
	if err != nil {
		return nil, err
	}
	m := &machine{clock: &leapingClock{Clock: clock.Real}}
	m.faults.Store(&with.faults)
	m.chassis = &chassis{Chassis: &mock.Chassis{}, machine: m, on: with.on}
	m.conn = &conn{socket: socket, machine: m}
	info := bmc.DeviceInfo{DeviceID: 0x20, DeviceRevision: 1, FirmwareMajor: 1, IPMIVersion: 0x20, ManufacturerID: 0, ProductID: 1}
	m.bmc = bmc.New(info, with.guid, &hardware{HAL: mock.New(), chassis: m.chassis}, bmc.WithClock(m.clock), bmc.WithKG(with.kg), bmc.WithV15Disabled())
	m.bmc.SetCipherSuites(with.suites)
	m.bmc.Sessions = bmc.NewSessionStoreWithOptions(m.clock, bmc.WithMaxSessions(with.slots))
	for index, user := range users {
		added, err := m.bmc.Users.Add(uint8(index+2), user.name)
		if err != nil {
			return nil, err
		}
		added.SetPassword(with.password)
		added.Enabled = true
		added.ChannelAccess[1] = bmc.UserChannelAccess{MaxPrivilege: user.privilege, Enabled: true}
	}
	go func() { _ = server.NewServer(m.bmc, m.conn).Serve(ctx) }()
	return m, nil
}

// go-ipmi's simulated hardware with a chassis of ours.
type hardware struct {
	*mock.HAL
	chassis *chassis
}

func (h *hardware) Chassis() hal.ChassisHAL { return h.chassis }

type chassis struct {
	*mock.Chassis
	machine *machine
	lock    sync.Mutex
	on      bool
	pending *time.Timer
}

func (c *chassis) power() bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.on
}

// Sets true power after a while; what was on its way before is called off, as a BMC carries out the last command.
func (c *chassis) follow(on bool, after time.Duration) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.pending != nil {
		c.pending.Stop()
		c.pending = nil
	}
	if after <= 0 {
		c.on = on
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		c.lock.Lock()
		defer c.lock.Unlock()
		if c.pending == timer {
			c.on = on
			c.pending = nil
		}
	})
	c.pending = timer
}

func (c *chassis) PowerState(context.Context) (bool, error) {
	faults := c.machine.faults.Load()
	if faults.FailStatus != 0 {
		return false, types.CompletionCode(faults.FailStatus)
	}
	if faults.Lie != "" {
		return faults.Lie == "on", nil
	}
	return c.power(), nil
}

func (c *chassis) SetPower(_ context.Context, on bool) error {
	c.machine.controls.Add(1)
	faults := c.machine.faults.Load()
	if faults.Fail != 0 {
		return types.CompletionCode(faults.Fail)
	}
	if faults.Ignore {
		return nil
	}
	takes := faults.OffMs
	if on {
		takes = faults.OnMs
	}
	c.follow(on, milliseconds(takes))
	return nil
}

func (c *chassis) PowerCycle(context.Context) error { return c.cycle() }
func (c *chassis) ColdReset(context.Context) error  { return c.cycle() }
func (c *chassis) WarmReset(context.Context) error  { return c.cycle() }

func (c *chassis) cycle() error {
	c.machine.cycles.Add(1)
	if code := c.machine.faults.Load().Fail; code != 0 {
		return types.CompletionCode(code)
	}
	return nil
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
