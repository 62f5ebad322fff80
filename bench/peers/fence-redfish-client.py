"""fence_redfish as a client of the benchmark: answers orders in JSON lines (see bench/redfish/orders.ts). One process of the agent an operation,
as a cluster calls it, parameters by standard input; the CPU time of those processes. The agent's path is the argument."""
import json
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

STATUS_PROCESSES = 4
OFF_PROCESSES = 16


def cpu_ms():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1e3


def run(agent, target, action, expected):
    url = urlsplit(target["url"])
    options = {
        "action": action,
        "ip": url.hostname,
        "ipport": url.port,
        "username": target["username"],
        "password": target["password"],
        "systems_uri": target["system"],
        "ssl_insecure": "1",
    }
    text = "".join(f"{name}={value}\n" for name, value in options.items())
    done = subprocess.run([agent], input=text, text=True, capture_output=True)
    if done.returncode != expected:
        raise AssertionError(f"{action} of {target['url']} ended with {done.returncode}: {done.stderr.strip()[-200:]}")


def burst(targets, processes, work):
    cpu, start = cpu_ms(), time.monotonic()

    def timed(target):
        error = None
        try:
            work(target)
        except Exception as problem:  # Counted, not hidden: the benchmark reports it.
            error = str(problem)
        return (time.monotonic() - start) * 1e3, error

    with ThreadPoolExecutor(processes) as pool:
        done = list(pool.map(timed, targets))
    return {
        "cpuMs": cpu_ms() - cpu,
        "wallMs": (time.monotonic() - start) * 1e3,
        "ms": [ms for ms, _ in done],
        "failed": [error for _, error in done if error],
    }


def obey(agent, order, targets):
    count = order.get("n")
    if order["op"] == "open":
        targets[:] = order["targets"]
    elif order["op"] == "status":
        return burst(targets[:count] * order["sweeps"], STATUS_PROCESSES, lambda target: run(agent, target, "status", 0))
    elif order["op"] == "off":
        return burst(targets[:count], OFF_PROCESSES, lambda target: run(agent, target, "off", 0))
    return {"cpuMs": 0, "wallMs": 0, "ms": [], "failed": []}


def main():
    targets = []
    for line in sys.stdin:
        print(json.dumps(obey(sys.argv[1], json.loads(line), targets)), flush=True)


main()
