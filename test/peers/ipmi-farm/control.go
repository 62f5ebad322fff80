package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"syscall"
)

type counts struct {
	Controls   int64 `json:"controls"`
	Cycles     int64 `json:"cycles"`
	PacketsIn  int64 `json:"packetsIn"`
	PacketsOut int64 `json:"packetsOut"`
	Sessions   int   `json:"sessions"`
}

type state struct {
	On bool `json:"on"`
	counts
}

func (m *machine) state() state {
	return state{On: m.chassis.power(), counts: counts{
		Controls: m.controls.Load(), Cycles: m.cycles.Load(),
		PacketsIn: m.conn.in.Load(), PacketsOut: m.conn.out.Load(), Sessions: m.bmc.Sessions.Count(),
	}}
}

// The control port. Every answer is JSON; what can't be understood is answered 400 with {"error"}.
func control(farm []*machine) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, r *http.Request) {
		machines, err := chosen(farm, r.URL.Query().Get("bmc"))
		states := make([]state, len(machines))
		for index, machine := range machines {
			states[index] = machine.state()
		}
		answer(w, map[string]any{"cpuMs": cpuMs(), "bmcs": states}, err)
	})
	mux.HandleFunc("GET /totals", func(w http.ResponseWriter, _ *http.Request) {
		var sum counts
		on := 0
		for _, machine := range farm {
			one := machine.state()
			if one.On {
				on++
			}
			sum.Controls += one.Controls
			sum.Cycles += one.Cycles
			sum.PacketsIn += one.PacketsIn
			sum.PacketsOut += one.PacketsOut
			sum.Sessions += one.Sessions
		}
		answer(w, struct {
			CPUMs float64 `json:"cpuMs"`
			On    int     `json:"on"`
			counts
		}{cpuMs(), on, sum}, nil)
	})
	mux.HandleFunc("POST /set", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{}, each(farm, r, (*machine).set))
	})
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{}, each(farm, r, func(m *machine, _ []byte) error {
			m.forgetSessions()
			return nil
		}))
	})
	mux.HandleFunc("POST /zero", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{}, each(farm, r, func(m *machine, _ []byte) error {
			m.controls.Store(0)
			m.cycles.Store(0)
			m.conn.in.Store(0)
			m.conn.out.Store(0)
			return nil
		}))
	})
	return mux
}

// Changes what the body names. A decoder leaves fields alone that it finds no value for: that is how the rest is kept.
func (m *machine) set(body []byte) error {
	faults := *m.faults.Load()
	if err := json.Unmarshal(body, &faults); err != nil {
		return err
	}
	var once struct {
		On   *bool  `json:"on"`
		GUID string `json:"guid"`
	}
	if err := json.Unmarshal(body, &once); err != nil {
		return err
	}
	if once.GUID != "" {
		guid, err := hex.DecodeString(once.GUID)
		if err != nil || len(guid) != len(m.bmc.GUID) {
			return fmt.Errorf("guid: 32 hex digits, not %q", once.GUID)
		}
		copy(m.bmc.GUID[:], guid)
	}
	m.faults.Store(&faults)
	if once.On != nil {
		m.chassis.follow(*once.On, 0)
	}
	return nil
}

func chosen(farm []*machine, bmc string) ([]*machine, error) {
	if bmc == "" {
		return farm, nil
	}
	index, err := strconv.Atoi(bmc)
	if err != nil || index < 0 || index >= len(farm) {
		return nil, fmt.Errorf("bmc: 0 to %d, not %q", len(farm)-1, bmc)
	}
	return farm[index : index+1], nil
}

func each(farm []*machine, r *http.Request, do func(*machine, []byte) error) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 1<<16))
	if err != nil {
		return err
	}
	if len(body) == 0 {
		body = []byte("{}")
	}
	var which struct {
		BMC *int `json:"bmc"`
	}
	if err := json.Unmarshal(body, &which); err != nil {
		return err
	}
	name := ""
	if which.BMC != nil {
		name = strconv.Itoa(*which.BMC)
	}
	machines, err := chosen(farm, name)
	if err != nil {
		return err
	}
	for _, machine := range machines {
		if err := do(machine, body); err != nil {
			return err
		}
	}
	return nil
}

func answer(w http.ResponseWriter, value any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		value = map[string]string{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(value)
}

// CPU time of this process, so that a benchmark can say how busy the farm was.
func cpuMs() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Sec+usage.Stime.Sec)*1e3 + float64(usage.Utime.Usec+usage.Stime.Usec)/1e3
}
