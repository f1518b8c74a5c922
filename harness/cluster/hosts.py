"""The hosts of a cluster: found, compared, and those named that cannot take part."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness import __version__
from harness.base.documents import convert
from harness.base.text import LONGEST_NAME
from harness.cluster.facts import HostFacts

_NAMED = 3
"""So many names stand in a sentence before it says how many more there are."""


@dataclasses.dataclass(frozen=True)
class Host:
    """A worker of Dask, and the machine that it runs on."""

    address: str
    """Of the worker."""
    threads: int
    facts: HostFacts

    @property
    def name(self) -> str:
        """What the machine is called."""
        return self.facts.name


@dataclasses.dataclass(frozen=True)
class Muster:
    """Who is there, who takes part, and what is not the same everywhere."""

    hosts: tuple[Host, ...]
    """That take part, each under a name that no other has."""
    left_out: Mapping[str, str]
    """By the name of each other one, a sentence on why it takes no part."""
    differences: tuple[str, ...]
    """Sentences on what the hosts differ in."""
    remarks: tuple[str, ...]
    """Sentences on what else is to be known."""


def muster(workers: Mapping[str, int], facts: Mapping[str, Any]) -> Muster:
    """Say which workers take part.

    Args:
        workers: the threads of each, by its address.
        facts: what :func:`harness.cluster.facts.inspect_host` returned of each, by its address, or
            the exception that it ended with.
    """
    left_out: dict[str, str] = {}
    there: list[Host] = []
    for address in sorted(workers):
        found = _facts(facts.get(address))
        if isinstance(found, str):
            left_out[address] = found
        else:
            there.append(Host(address, workers[address], found))
    named = _named_apart(there)
    sound: list[Host] = []
    for host in named:
        if why := _why_not(host, sound):
            left_out[host.name if host.name not in left_out else host.address] = why
        else:
            sound.append(host)
    sound, others = _of_one_architecture(sound)
    return Muster(
        tuple(sound), {**left_out, **others}, tuple(_differences(sound)), tuple(_remarks(sound))
    )


def _facts(found: Any) -> HostFacts | str:
    """Return the facts in what a worker has answered, or why there are none."""
    if isinstance(found, dict):
        version = found.get("versions", {}).get("dirtyscan", "?")
        if version != __version__:
            return (
                f"it has dirtyscan {version} and this is {__version__}; install the same there, "
                "and start its worker anew."
            )
        try:
            return convert(found, HostFacts)
        except ValueError as error:
            return f"what it says of itself cannot be read ({error}); install the same dirtyscan."
    if isinstance(found, ModuleNotFoundError | AttributeError | ImportError):
        return (
            f"its worker has no dirtyscan {__version__} ({found}); install it there as here, with "
            "the extra cluster, and start the worker anew."
        )
    return f"it does not answer ({type(found).__name__}: {found}); look at its worker's log."


def _named_apart(hosts: Sequence[Host]) -> list[Host]:
    """Return the hosts, those that have a name in common by their address besides."""
    machines: dict[str, set[str]] = {}
    hosts = [_renamed(host, _as_folder(host.name)) for host in hosts]
    for host in hosts:
        machines.setdefault(host.name, set()).add(host.facts.identity)
    named = []
    for host in hosts:
        if len(machines[host.name]) > 1:
            host = _renamed(host, _as_folder(f"{host.name}-{host.address.rpartition('/')[2]}"))
        named.append(host)
    return named


def _renamed(host: Host, name: str) -> Host:
    return dataclasses.replace(host, facts=dataclasses.replace(host.facts, name=name))


def _as_folder(name: str) -> str:
    """Return ``name`` as that of a folder may be, since the results of the host go there."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-")[:LONGEST_NAME] or "host"


def _why_not(host: Host, before: Iterable[Host]) -> str:
    """Say why ``host`` takes no part beside those ``before``; empty if it does."""
    for other in before:
        if other.facts.identity == host.facts.identity:
            return (
                f"its workers {other.address} and {host.address} are on one machine, where only "
                "one measures at a time; start one worker a host."
            )
    if host.threads != 1:
        return (
            f"its worker has {host.threads} threads, so that other work may run beside a "
            "measurement; start it with --nthreads 1."
        )
    return host.facts.obstacle


def _of_one_architecture(hosts: Sequence[Host]) -> tuple[list[Host], dict[str, str]]:
    """Return the hosts of the architecture that most have, and of others why they take no part."""
    found = [host.facts.architecture for host in hosts]
    if len(set(found)) < 2:
        return list(hosts), {}
    most = max(dict.fromkeys(found), key=found.count)
    others = {
        host.name: f"it is {host.facts.architecture}, and the others are {most}; give the hosts of "
        "each architecture a run of their own."
        for host in hosts
        if host.facts.architecture != most
    }
    return [host for host in hosts if host.facts.architecture == most], others


def _differences(hosts: Sequence[Host]) -> list[str]:
    """Say what is not the same on all hosts, the versions first."""
    names = dict.fromkeys(name for host in hosts for name in host.facts.versions)
    by_name: dict[str, Callable[[Host], str]] = {
        name: lambda host, name=name: host.facts.versions.get(name, "none")  # type: ignore[misc]
        for name in names
    }
    by_name["CPU"] = lambda host: host.facts.cpu
    by_name["usable CPUs"] = lambda host: str(host.facts.cpus)
    told = []
    for name, read in by_name.items():
        having: dict[str, list[str]] = {}
        for host in hosts:
            having.setdefault(read(host), []).append(host.name)
        if len(having) > 1:
            each = (f"{value} on {_list_names(on)}" for value, on in having.items())
            told.append(f"{name} differs: {'; '.join(each)}")
    return told


def _remarks(hosts: Sequence[Host]) -> list[str]:
    told = []
    if alone := [host.name for host in hosts if host.facts.cpus < 2]:
        told.append(
            f"{_list_names(alone)}: the worker of Dask has to share the only CPU with what is "
            "measured"
        )
    if pretended := [host.name for host in hosts if host.facts.pretended]:
        told.append(
            f"{_list_names(pretended)}: the identity is given by hand, for tests; several may be "
            "one machine"
        )
    return told


def _list_names(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more"
