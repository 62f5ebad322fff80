// gofish as a client of the benchmark: answers orders in JSON lines (see bench/redfish/orders.ts), one goroutine per BMC, the CPU time of this process.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/stmcginnis/gofish"
	"github.com/stmcginnis/gofish/redfish"
)

type target struct {
	URL      string `json:"url"`
	System   string `json:"system"`
	Username string `json:"username"`
	Password string `json:"password"`
}

type order struct {
	Op      string   `json:"op"`
	Targets []target `json:"targets"`
	Auth    string   `json:"auth"`
	Reuse   bool     `json:"reuse"`
	N       int      `json:"n"`
	Sweeps  int      `json:"sweeps"`
	Rules   rules    `json:"rules"`
}

type rules struct {
	Reads     int     `json:"reads"`
	SpacingMs float64 `json:"spacingMs"`
	DwellMs   float64 `json:"dwellMs"`
	PollMs    float64 `json:"pollMs"`
}

type result struct {
	CPUMs  float64   `json:"cpuMs"`
	WallMs float64   `json:"wallMs"`
	Ms     []float64 `json:"ms"`
	Failed []string  `json:"failed"`
}

type bmc struct {
	target target
	client *gofish.APIClient
}

func cpuMs() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Sec+usage.Stime.Sec)*1e3 + float64(usage.Utime.Usec+usage.Stime.Usec)/1e3
}

func sinceMs(start time.Time) float64 { return float64(time.Since(start).Microseconds()) / 1e3 }

// Does `work` for all BMCs at once and says how long each took.
func burst(bmcs []*bmc, work func(*bmc) error) result {
	ms := make([]float64, len(bmcs))
	failed := []string{}
	var lock sync.Mutex
	var group sync.WaitGroup
	cpu, start := cpuMs(), time.Now()
	for index, one := range bmcs {
		group.Add(1)
		go func(index int, one *bmc) {
			defer group.Done()
			err := work(one)
			ms[index] = sinceMs(start)
			if err != nil {
				lock.Lock()
				failed = append(failed, err.Error())
				lock.Unlock()
			}
		}(index, one)
	}
	group.Wait()
	return result{CPUMs: cpuMs() - cpu, WallMs: sinceMs(start), Ms: ms, Failed: failed}
}

func (b *bmc) open(auth string, reuse bool) error {
	client, err := gofish.Connect(gofish.ClientConfig{
		Endpoint: b.target.URL, Username: b.target.Username, Password: b.target.Password,
		Insecure: true, BasicAuth: auth == "basic", ReuseConnections: reuse,
	})
	if err != nil {
		return err
	}
	b.client = client
	return b.status()
}

func (b *bmc) read() (*redfish.ComputerSystem, error) {
	return redfish.GetComputerSystem(b.client, b.target.System)
}

func (b *bmc) status() error {
	system, err := b.read()
	if err == nil && system.PowerState != redfish.OnPowerState {
		err = fmt.Errorf("%s reads %q", b.target.URL, system.PowerState)
	}
	return err
}

// Sends ForceOff and reads until the rule is met that Safestate concludes by: consecutive reads of Off, spaced, over a dwell time.
func (b *bmc) off(r rules) error {
	system, err := b.read()
	if err != nil {
		return err
	}
	if err := system.Reset(redfish.ForceOffResetType); err != nil {
		return err
	}
	reads := 0
	var first time.Time
	for ends := time.Now().Add(time.Minute); time.Now().Before(ends); {
		asked := time.Now()
		system, err := b.read()
		if err != nil {
			return err
		}
		if system.PowerState != redfish.OffPowerState {
			reads = 0
		} else {
			if reads == 0 {
				first = time.Now()
			}
			reads++
			if reads >= r.Reads && float64(asked.Sub(first).Microseconds())/1e3 >= r.DwellMs {
				return nil
			}
		}
		time.Sleep(time.Until(asked.Add(time.Duration(r.PollMs * float64(time.Millisecond)))))
	}
	return fmt.Errorf("%s was not seen off", b.target.URL)
}

func main() {
	var bmcs []*bmc
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := json.NewEncoder(os.Stdout)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var wish order
		if err := json.Unmarshal(line, &wish); err != nil {
			panic(err)
		}
		var found result
		switch wish.Op {
		case "open":
			bmcs = nil
			for _, one := range wish.Targets {
				bmcs = append(bmcs, &bmc{target: one})
			}
			found = burst(bmcs, func(b *bmc) error { return b.open(wish.Auth, wish.Reuse) })
		case "status":
			found.Ms, found.Failed = []float64{}, []string{}
			for sweep := 0; sweep < wish.Sweeps; sweep++ {
				one := burst(bmcs[:wish.N], (*bmc).status)
				found.CPUMs += one.CPUMs
				found.WallMs += one.WallMs
				found.Ms = append(found.Ms, one.Ms...)
				found.Failed = append(found.Failed, one.Failed...)
			}
		case "off":
			found = burst(bmcs[:wish.N], func(b *bmc) error { return b.off(wish.Rules) })
		case "close":
			found = burst(bmcs, func(b *bmc) error { b.client.Logout(); return nil })
		}
		if err := output.Encode(found); err != nil {
			panic(err)
		}
	}
}
