// ipmi-farm: many IPMI 2.0 BMCs of an implementation that is not ours (the server of go-ipmi) in one process, for tests and benchmarks.
// Loopback only: it refuses to bind anything outside 127.0.0.0/8.
//
//	IPMI_PASSWORD=... [IPMI_KGKEY=...] ipmi-farm [flags]
//
//	-n N          BMCs (1)
//	-base ADDR    address of the first; the others follow, last byte 1..250, then the next third byte (127.0.0.1)
//	-port PORT    UDP port of all of them, at successive addresses. 0 (the default): all on -base, each on a free port of its own. 623 needs root.
//	-suites LIST  cipher suites offered and accepted (3,17)
//	-sessions N   session slots per BMC (4)
//	-seed TEXT    the GUIDs of the BMCs follow from it (farm)
//	-off          the machines are off at the start
//	-until-eof    ends when its standard input ends, so that it never outlives a test that was killed
//	-loss P -dup P -flip P -delay D    packet faults of all BMCs (fields of the same name below)
//	-off-ms MS -on-ms MS               how long power takes to follow an accepted command
//
// Users: `admin` (administrator), `operator`, `user`, all with the password in IPMI_PASSWORD (the variable that `ipmitool -E` reads, at most 20
// bytes); IPMI_KGKEY is the BMC key, if there is one. Neither is ever printed.
//
// Prints one line once it serves: {"control":"http://127.0.0.1:PORT","bmcs":[{"host":"127.0.0.1","port":40001,"guid":"32 hex digits"},...]}
//
// The control port speaks JSON over HTTP. `bmc` is an index, counted from 0; left out: all of them.
//
//	GET  /state[?bmc=I]            {"cpuMs", "bmcs": [{on, controls, cycles, packetsIn, packetsOut, sessions}]}: true power whatever status says;
//	                               controls = Chassis Control up/down that reached the machine (retransmitted ones count again, refused ones count too);
//	                               cycles = cycle, reset and soft shutdown; packetsIn = datagrams that arrived, those dropped by `loss` included
//	GET  /totals                   the same summed over all BMCs, for large farms: {cpuMs, on, controls, cycles, packetsIn, packetsOut, sessions}
//	POST /set {"bmc"?, fields}     changes what is named, keeps the rest:
//	     on: bool                  true power, at once
//	     offMs, onMs: number       how long power takes to follow
//	     ignore: bool              commands are accepted and nothing happens
//	     lie: "on"|"off"|""        what status says, whatever is true
//	     fail: number              completion code of every Chassis Control, which then does nothing (255 = 0xFF; 0 = none)
//	     failStatus: number        completion code of Get Chassis Status
//	     down: bool                answers nothing at all
//	     loss: 0..1                share of datagrams lost, each way
//	     dup: 0..1                 share of replies sent twice
//	     flip: 0..1                share of replies with one bit flipped
//	     delayMs: number           replies wait that long
//	     guid: "32 hex digits"     another machine behind the same address
//	POST /reset {"bmc"?}           forgets every session, as a BMC that starts again does
//	POST /zero {"bmc"?}            sets the counters to 0
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/bougou/go-ipmi/pkg/types"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ipmi-farm:", err)
		os.Exit(1)
	}
}

func run() error {
	count := flag.Int("n", 1, "BMCs")
	base := flag.String("base", "127.0.0.1", "address of the first")
	port := flag.Int("port", 0, "UDP port; 0: free ports")
	suites := flag.String("suites", "3,17", "cipher suites")
	slots := flag.Int("sessions", 4, "session slots per BMC")
	seed := flag.String("seed", "farm", "GUIDs follow from it")
	off := flag.Bool("off", false, "machines start off")
	untilEOF := flag.Bool("until-eof", false, "ends with its standard input")
	var faults faults
	flag.Float64Var(&faults.Loss, "loss", 0, "share lost, each way")
	flag.Float64Var(&faults.Dup, "dup", 0, "share of replies sent twice")
	flag.Float64Var(&faults.Flip, "flip", 0, "share of replies with a flipped bit")
	delay := flag.Duration("delay", 0, "delay of replies")
	flag.Float64Var(&faults.OffMs, "off-ms", 0, "power-off takes")
	flag.Float64Var(&faults.OnMs, "on-ms", 0, "power-on takes")
	flag.Parse()
	faults.DelayMs = delay.Seconds() * 1000

	password := os.Getenv("IPMI_PASSWORD")
	if password == "" || len(password) > 20 {
		return errors.New("IPMI_PASSWORD must hold the users' password, 1 to 20 bytes")
	}
	ids, err := suiteIDs(*suites)
	if err != nil {
		return err
	}
	first := net.ParseIP(*base).To4()
	if first == nil || first[0] != 127 {
		return fmt.Errorf("-base %s is not a loopback address; this farm serves 127.0.0.0/8 only", *base)
	}

	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	farm := make([]*machine, *count)
	for index := range farm {
		address := &net.UDPAddr{IP: first, Port: *port}
		if *port != 0 {
			address.IP = successor(first, index)
		}
		farm[index], err = serve(ctx, address, options{
			guid: guidOf(*seed, index), suites: ids, slots: *slots, on: !*off, faults: faults,
			password: []byte(password), kg: []byte(os.Getenv("IPMI_KGKEY")),
		})
		if err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, control(farm)) }()

	type place struct {
		Host string `json:"host"`
		Port int    `json:"port"`
		GUID string `json:"guid"`
	}
	places := make([]place, len(farm))
	for index, machine := range farm {
		at := machine.conn.socket.LocalAddr().(*net.UDPAddr)
		places[index] = place{Host: at.IP.String(), Port: at.Port, GUID: fmt.Sprintf("%x", machine.bmc.GUID[:])}
	}
	ready := map[string]any{"control": "http://" + listener.Addr().String(), "bmcs": places}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}
	if *untilEOF {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	<-ctx.Done()
	return nil
}

func suiteIDs(list string) ([]types.CipherSuiteID, error) {
	ids := []types.CipherSuiteID{}
	for _, text := range strings.Split(list, ",") {
		id, err := strconv.ParseUint(strings.TrimSpace(text), 10, 8)
		if err != nil {
			return nil, fmt.Errorf("-suites %s: %w", list, err)
		}
		ids = append(ids, types.CipherSuiteID(id))
	}
	return ids, nil
}

// The index-th address from first on: last byte 1..250, as `127.10.[0-3].[1-250]` of ipmipower enumerates them.
func successor(first net.IP, index int) net.IP {
	position := int(first[1])<<8*250 + int(first[2])*250 + int(first[3]) - 1 + index
	return net.IPv4(127, byte(position/250>>8), byte(position/250), byte(position%250+1)).To4()
}
