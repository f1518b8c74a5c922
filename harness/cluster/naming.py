"""Names of hosts: each is a folder's, had by one machine of a run, and kept by it."""

import dataclasses
import re
from collections.abc import Mapping

from harness.base.text import LONGEST_NAME
from harness.cluster.facts import HostFacts
from harness.cluster.identity import hashed


@dataclasses.dataclass(frozen=True)
class Machine:
    """Which machine a host is, told by hashes."""

    running: str
    """No other that runs has it."""
    lasting: str = ""
    """It has it after a restart too; empty where it is not known."""


def machine_of(facts: HostFacts) -> Machine:
    """Return which machine says ``facts`` of itself."""
    return Machine(hashed(facts.identity), hashed(facts.lasting) if facts.lasting else "")


def name_hosts(facts: Mapping[str, HostFacts], known: Mapping[str, Machine]) -> dict[str, str]:
    """Return what the host of each worker is called, both by the worker's address.

    A machine that is known is called what it was, whoever else is there now. Another is called what
    it calls itself, with its address where several do.

    Args:
        known: the machines that have a name in this run already, by that name.
    """
    machines = {address: machine_of(each) for address, each in facts.items()}
    own = {address: as_folder(each.name) for address, each in facts.items()}
    before = _recognized(machines, own, known)
    alike: dict[str, set[str]] = {}
    for address, machine in machines.items():
        if machine.running not in before:
            alike.setdefault(own[address], set()).add(machine.running)
    holders = {name: machine.running for name, machine in known.items()}
    named = {}
    for address, machine in machines.items():
        if machine.running in before:
            named[address] = before[machine.running]
            continue
        name, number = own[address], 2
        if len(alike[name]) > 1 or holders.get(name, machine.running) != machine.running:
            name = plain = as_folder(f"{name}-{address.rpartition('/')[2]}")
            while holders.get(name, machine.running) != machine.running:
                name, number = f"{plain[: LONGEST_NAME - 5]}-{number}", number + 1
        holders[name] = machine.running
        named[address] = name
    return named


def _recognized(
    machines: Mapping[str, Machine], own: Mapping[str, str], known: Mapping[str, Machine]
) -> dict[str, str]:
    """Return the names of those that are known, by what they are while they run."""
    by_running = {machine.running: name for name, machine in known.items()}
    found = {
        machine.running: by_running[machine.running]
        for machine in machines.values()
        if machine.running in by_running
    }
    for address, machine in machines.items():
        if machine.running in found or not machine.lasting:
            continue
        # It was started anew. Of copies that cannot be told apart one has its name, if any has.
        free = [
            name
            for name, other in known.items()
            if other.lasting == machine.lasting and name not in found.values()
        ]
        if free:
            found[machine.running] = own[address] if own[address] in free else free[0]
    return found


def as_folder(name: str) -> str:
    """Return ``name`` as that of a folder may be, since the results of the host go there."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-")[:LONGEST_NAME] or "host"
