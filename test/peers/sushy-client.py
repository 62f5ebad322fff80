"""What sushy (OpenStack Ironic's client) makes of a BMC. Standard input: JSON {url, username, password, mode, system?}; output: one JSON object.

It is the peer's code that is exercised here: root, log-in, systems, power state, reset, refresh, log-out, with its defaults.
"""
import json
import sys
import time
import warnings

warnings.simplefilter("ignore")

import sushy  # noqa: E402
from sushy import auth  # noqa: E402


def until(system, wanted):
    """Reads the power state until it is `wanted`, as a caller of sushy has to, and answers all that was read."""
    seen = []
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        system.refresh(force=True)
        seen.append(system.power_state.value if system.power_state else None)
        if seen[-1] == wanted:
            return seen
        time.sleep(0.05)
    raise TimeoutError(f"{wanted} was not reached: {seen}")


def main():
    wish = json.load(sys.stdin)
    modes = {"session": auth.SessionAuth, "basic": auth.BasicAuth, "auto": auth.SessionOrBasicAuth}
    mode = modes[wish["mode"]](username=wish["username"], password=wish["password"])
    root = sushy.Sushy(wish["url"], auth=mode, verify=False)
    collection = root.get_system_collection()
    try:
        system = root.get_system(wish.get("system"))
    except sushy.exceptions.UnknownDefaultError:
        print(json.dumps({"ambiguous": list(collection.members_identities)}))
        mode.close()
        return
    found = {
        "members": list(collection.members_identities),
        "identity": system.identity,
        "uuid": system.uuid,
        "resets": sorted(value.value for value in system.get_allowed_reset_system_values()),
        "before": system.power_state.value,
    }
    system.reset_system(sushy.RESET_TYPE_FORCE_OFF)
    found["off"] = until(system, "Off")
    system.reset_system(sushy.RESET_TYPE_ON)
    found["on"] = until(system, "On")
    mode.close()
    print(json.dumps(found))


main()
