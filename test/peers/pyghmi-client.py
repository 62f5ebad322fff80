"""What pyghmi makes of a BMC. Standard input: JSON {host, port, username, password, kg?, actions}; output: one JSON object {powers: [...]} or {error: "..."}.

It is the peer's code that is exercised here: log-in (suite 17 first, then 3), power state, power off and on with its own waiting, log-out.
"""
import json
import sys

from pyghmi.exceptions import IpmiException
from pyghmi.ipmi import command


def main():
    wish = json.load(sys.stdin)
    kg = wish.get("kg")
    powers = []
    try:
        session = command.Command(
            bmc=wish["host"],
            userid=wish["username"],
            password=wish["password"],
            port=wish["port"],
            kg=kg.encode() if kg else None,
        )
        for action in wish["actions"]:
            answer = session.get_power() if action == "status" else session.set_power(action, wait=30)
            powers.append(answer["powerstate"])
        session.ipmi_session.logout()
    except IpmiException as error:
        print(json.dumps({"error": str(error), "powers": powers}))
        return
    print(json.dumps({"powers": powers}))


main()
