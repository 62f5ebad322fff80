// go-ipmi's client as a program, for benchmarks and tests. The password comes from IPMI_PASSWORD, never from an argument.
//
//	goipmi [flags] status|on|off HOST[:PORT]    one operation, as a person would do it: prints on or off; exits 1 with the error otherwise
//	goipmi [flags] sweep|kept|fence < hosts     one operation per line of standard input; prints {"wallMs", "cpuMs", "rssMb", "ms": [..], "failed": [..]}
//
// sweep: a session per BMC, status, close. kept: sessions opened unmeasured, then `-sweeps` times status of all. fence: a session per BMC, off, status
// every `-poll` until it says off, close. Wall, CPU and times are taken inside, without the start of the process. A Close that fails is no failure,
// but go-ipmi waits for its answer, and that counts.
//
// Flags: -user admin, -suite 17, -privilege user|operator|administrator, -concurrency 1000, -sweeps 1, -poll 100ms
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/bougou/go-ipmi/pkg/client"
	"github.com/bougou/go-ipmi/pkg/command/chassis"
	"github.com/bougou/go-ipmi/pkg/types"
)

var (
	user        = flag.String("user", "admin", "user name")
	suite       = flag.Uint("suite", 17, "cipher suite")
	privilege   = flag.String("privilege", "operator", "privilege asked for")
	concurrency = flag.Int("concurrency", 1000, "operations at a time")
	sweeps      = flag.Int("sweeps", 1, "rounds over kept sessions")
	poll        = flag.Duration("poll", 100*time.Millisecond, "between two reads of a fence")
)

var privileges = map[string]types.PrivilegeLevel{
	"user":          types.PrivilegeLevelUser,
	"operator":      types.PrivilegeLevelOperator,
	"administrator": types.PrivilegeLevelAdministrator,
}

type result struct {
	WallMs float64   `json:"wallMs"`
	CPUMs  float64   `json:"cpuMs"`
	RSSMb  float64   `json:"rssMb"`
	Ms     []float64 `json:"ms"`
	Failed []string  `json:"failed"`
}

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "goipmi:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx := context.Background()
	switch {
	case len(args) == 2:
		return once(ctx, args[0], args[1])
	case len(args) == 1:
		hosts := []string{}
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			hosts = append(hosts, lines.Text())
		}
		outcome, err := many(ctx, args[0], hosts)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(outcome)
	}
	return errors.New("say status|on|off HOST[:PORT], or sweep|kept|fence with the hosts on standard input")
}

func once(ctx context.Context, verb, host string) error {
	session, err := connect(ctx, host)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close(ctx) }()
	switch verb {
	case "on":
		_, err = session.ChassisControl(ctx, chassis.ChassisControlPowerUp)
		return err
	case "off":
		_, err = session.ChassisControl(ctx, chassis.ChassisControlPowerDown)
		return err
	case "status":
		on, err := status(ctx, session)
		if err == nil {
			fmt.Println(map[bool]string{true: "on", false: "off"}[on])
		}
		return err
	}
	return fmt.Errorf("no verb %s", verb)
}

func many(ctx context.Context, op string, hosts []string) (result, error) {
	switch op {
	case "sweep":
		return burst(hosts, func(host string) error {
			session, err := connect(ctx, host)
			if err != nil {
				return err
			}
			defer func() { _ = session.Close(ctx) }()
			_, err = status(ctx, session)
			return err
		}), nil
	case "fence":
		return burst(hosts, func(host string) error {
			session, err := connect(ctx, host)
			if err != nil {
				return err
			}
			defer func() { _ = session.Close(ctx) }()
			return fence(ctx, session)
		}), nil
	case "kept":
		return kept(ctx, hosts), nil
	}
	return result{}, fmt.Errorf("no operation %s", op)
}

func fence(ctx context.Context, session *client.Client) error {
	if _, err := session.ChassisControl(ctx, chassis.ChassisControlPowerDown); err != nil {
		return err
	}
	for {
		on, err := status(ctx, session)
		if err != nil || !on {
			return err
		}
		time.Sleep(*poll)
	}
}

func kept(ctx context.Context, hosts []string) result {
	var lock sync.Mutex
	sessions := map[string]*client.Client{}
	opened := burst(hosts, func(host string) error {
		session, err := connect(ctx, host)
		lock.Lock()
		defer lock.Unlock()
		if err == nil {
			sessions[host] = session
		}
		return err
	})
	sum := result{Failed: opened.Failed, Ms: []float64{}}
	for range *sweeps {
		one := burst(hosts, func(host string) error {
			session, ok := sessions[host]
			if !ok {
				return errors.New("no session")
			}
			_, err := status(ctx, session)
			return err
		})
		sum.WallMs += one.WallMs
		sum.CPUMs += one.CPUMs
		sum.RSSMb = one.RSSMb
		sum.Ms = append(sum.Ms, one.Ms...)
		sum.Failed = append(sum.Failed, one.Failed...)
	}
	burst(hosts, func(host string) error {
		if session, ok := sessions[host]; ok {
			_ = session.Close(ctx)
		}
		return nil
	})
	return sum
}

func connect(ctx context.Context, at string) (*client.Client, error) {
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		host, port = at, "623"
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	session, err := client.NewClient(host, number, *user, os.Getenv("IPMI_PASSWORD"))
	if err != nil {
		return nil, err
	}
	level, ok := privileges[*privilege]
	if !ok {
		return nil, fmt.Errorf("no privilege %s", *privilege)
	}
	session.WithCipherSuiteID(types.CipherSuiteID(*suite)).WithMaxPrivilegeLevel(level)
	if err := session.Connect(ctx); err != nil {
		return nil, err
	}
	return session, nil
}

func status(ctx context.Context, session *client.Client) (bool, error) {
	answer, err := session.GetChassisStatus(ctx)
	if err != nil {
		return false, err
	}
	return answer.PowerIsOn, nil
}

// Does `work` for all hosts, at most -concurrency at a time. Each time counts from the start of the burst: waiting for a place is waiting too.
func burst(hosts []string, work func(string) error) result {
	ms := make([]float64, len(hosts))
	failed := []string{}
	var lock sync.Mutex
	var group sync.WaitGroup
	places := make(chan struct{}, *concurrency)
	cpu, start := cpuMs(), time.Now()
	for index, host := range hosts {
		group.Add(1)
		places <- struct{}{}
		go func() {
			defer group.Done()
			err := work(host)
			<-places
			ms[index] = sinceMs(start)
			if err != nil {
				lock.Lock()
				failed = append(failed, host+": "+err.Error())
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	return result{WallMs: sinceMs(start), CPUMs: cpuMs() - cpu, RSSMb: rssMb(), Ms: ms, Failed: failed}
}

func usage() syscall.Rusage {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage
}

func cpuMs() float64 {
	used := usage()
	return float64(used.Utime.Sec+used.Stime.Sec)*1e3 + float64(used.Utime.Usec+used.Stime.Usec)/1e3
}

// The highest resident memory so far.
func rssMb() float64 { return float64(usage().Maxrss) / 1024 }

func sinceMs(start time.Time) float64 { return float64(time.Since(start).Microseconds()) / 1e3 }
