"""The hosts of a cluster: found, compared, and those named that cannot take part."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness import __version__
from harness.base.documents import convert
from harness.base.text import list_names
from harness.cluster.facts import HostFacts
from harness.cluster.naming import Machine, name_hosts


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
    """That take part, each under a name that no other of the run has."""
    left_out: Mapping[str, str]
    """By the name of each other one, a sentence on why it takes no part."""
    differences: tuple[str, ...]
    """Sentences on what the hosts differ in."""
    remarks: tuple[str, ...]
    """Sentences on what else is to be known."""


def muster(
    workers: Mapping[str, int],
    facts: Mapping[str, Any],
    known: Mapping[str, Machine] = {},
    commit: str = "",
) -> Muster:
    """Say which workers take part.

    Args:
        workers: the threads of each, by its address.
        facts: what :func:`harness.cluster.facts.inspect_host` returned of each, by its address, or
            the exception that it ended with.
        known: the machines that took part in this run before, by the names that they keep.
        commit: of dirtyscan here; nothing is said of the hosts' beside it if it is empty.
    """
    left_out: dict[str, str] = {}
    there: dict[str, HostFacts] = {}
    for address in sorted(workers):
        found = _facts(facts.get(address))
        if isinstance(found, str):
            left_out[address] = found
        else:
            there[address] = found
    sound: list[Host] = []
    for address, name in name_hosts(there, known).items():
        host = Host(address, workers[address], dataclasses.replace(there[address], name=name))
        if why := _why_not(host, sound):
            left_out[host.name if host.name not in left_out else host.address] = why
        else:
            sound.append(host)
    sound, others = _of_one_architecture(sound)
    return Muster(
        tuple(sound),
        {**left_out, **others},
        tuple(_differences(sound, commit)),
        tuple(_remarks(sound)),
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


def _differences(hosts: Sequence[Host], commit: str) -> list[str]:
    """Say what is not the same on all hosts, the versions first.

    Of what is here only the ``commit`` counts: what is measured are the hosts' own variants.
    """
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
        if name == "commit" and commit:
            having.setdefault(commit, []).append("this machine, which asks")
        if len(having) > 1:
            each = (f"{value} on {list_names(on)}" for value, on in having.items())
            told.append(f"{name} differs: {'; '.join(each)}")
    return told


def _remarks(hosts: Sequence[Host]) -> list[str]:
    told = []
    if alone := [host.name for host in hosts if host.facts.cpus < 2]:
        told.append(
            f"{list_names(alone)}: the worker of Dask has to share the only CPU with what is "
            "measured"
        )
    if pretended := [host.name for host in hosts if host.facts.pretended]:
        told.append(
            f"{list_names(pretended)}: the identity is given by hand, for tests; several may be "
            "one machine"
        )
    return told
