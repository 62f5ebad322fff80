"""sushy as a client of the benchmark: answers orders in JSON lines (see bench/redfish/orders.ts), threads over BMCs, the CPU time of this process."""
import json
import resource
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

warnings.simplefilter("ignore")

import sushy  # noqa: E402
from sushy import auth  # noqa: E402

STATUS_THREADS = 8  # More threads only wait for the interpreter's lock.
OFF_THREADS = 64


def cpu_ms():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e3


class Bmc:
    def __init__(self, target):
        self.target = target

    def open(self, kind):
        modes = {"session": auth.SessionAuth, "basic": auth.BasicAuth}
        self.auth = modes[kind](username=self.target["username"], password=self.target["password"])
        root = sushy.Sushy(self.target["url"], auth=self.auth, verify=False)
        self.system = root.get_system(self.target["system"])  # Reads it, too.

    def read(self):
        self.system.refresh(force=True)
        return self.system.power_state

    def status(self):
        state = self.read()
        if state != sushy.PowerState.ON:
            raise AssertionError(f"{self.target['url']} reads {state}")

    def off(self, rules):
        """ForceOff, then reads until Safestate's rule is met: consecutive reads of Off over a dwell time."""
        self.read()
        self.system.reset_system(sushy.RESET_TYPE_FORCE_OFF)
        reads, first = 0, 0.0
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            asked = time.monotonic()
            if self.read() != sushy.PowerState.OFF:
                reads = 0
            else:
                if reads == 0:
                    first = time.monotonic()
                reads += 1
                if reads >= rules["reads"] and (asked - first) * 1e3 >= rules["dwellMs"]:
                    return
            time.sleep(max(0, asked + rules["pollMs"] / 1e3 - time.monotonic()))
        raise TimeoutError(f"{self.target['url']} was not seen off")

    def close(self):
        self.auth.close()


def burst(bmcs, threads, work):
    cpu, start = cpu_ms(), time.monotonic()

    def timed(bmc):
        error = None
        try:
            work(bmc)
        except Exception as problem:  # Counted, not hidden: the benchmark reports it.
            error = f"{type(problem).__name__}: {problem}"
        return (time.monotonic() - start) * 1e3, error

    with ThreadPoolExecutor(threads) as pool:
        done = list(pool.map(timed, bmcs))
    return {
        "cpuMs": cpu_ms() - cpu,
        "wallMs": (time.monotonic() - start) * 1e3,
        "ms": [ms for ms, _ in done],
        "failed": [error for _, error in done if error],
    }


def obey(order, bmcs):
    count = order.get("n")
    if order["op"] == "open":
        bmcs[:] = [Bmc(target) for target in order["targets"]]
        return burst(bmcs, STATUS_THREADS, lambda bmc: bmc.open(order["auth"]))
    if order["op"] == "status":
        sweeps = [burst(bmcs[:count], STATUS_THREADS, Bmc.status) for _ in range(order["sweeps"])]
        sums = {key: sum(sweep[key] for sweep in sweeps) for key in ("cpuMs", "wallMs")}
        return {**sums, **{key: [item for sweep in sweeps for item in sweep[key]] for key in ("ms", "failed")}}
    if order["op"] == "off":
        return burst(bmcs[:count], OFF_THREADS, lambda bmc: bmc.off(order["rules"]))
    return burst(bmcs, STATUS_THREADS, Bmc.close)


def main():
    bmcs = []
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line), bmcs)), flush=True)


main()
