"""The record of a run on many hosts: who took part with what, and what became of each."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import msgspec

from harness import __version__
from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import read_file, write_text
from harness.cluster.hosts import Host, Muster
from harness.cluster.naming import Machine, machine_of
from harness.results.hosts import RECORD

FINISHED, FAILED, UNFINISHED = "finished", "failed", "unfinished"
_Name = Annotated[str, msgspec.Meta(pattern=r"\A[^/\0.][^/\0]*\Z")]
"""It is that of a folder too, which may be removed."""


@dataclasses.dataclass(frozen=True)
class HostRecord:
    """A host in a run."""

    machine: str
    """Tells machines that run apart, and is no one's name."""
    cpu: str
    architecture: str
    versions: dict[str, str]
    state: str = UNFINISHED
    said: str = ""
    """Why there are no results of it."""
    lasting: str = ""
    """What it is also after a restart; empty where it is not known."""
    status: int = 0
    """The exit status that came with its results: 1 if a variant has failed there."""


@dataclasses.dataclass
class Record:
    """What ``cluster.json`` holds."""

    run: str
    command: str
    dirtyscan: str = __version__
    hosts: dict[_Name, HostRecord] = dataclasses.field(default_factory=dict)
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)
    differences: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    given: str = ""
    """A hash of what is measured, which is the same for as long as the run is gone on with."""

    def note(self, mustered: Muster) -> None:
        """Note who takes part; what is known of hosts that have finished stays."""
        for host in mustered.hosts:
            before = self.hosts.get(host.name)
            if not before or before.state != FINISHED:
                self.hosts[host.name] = describe_host(host)
        self.left_out = dict(mustered.left_out)
        self.differences = mustered.differences
        self.remarks = mustered.remarks

    def end(self, host: str, state: str, said: str, status: int) -> None:
        """Note what became of ``host``."""
        self.hosts[host] = dataclasses.replace(
            self.hosts[host], state=state, said=said, status=status
        )

    def machines(self) -> dict[str, Machine]:
        """Return which machines have taken part, by name."""
        return {name: Machine(host.machine, host.lasting) for name, host in self.hosts.items()}

    def finished(self) -> list[str]:
        """Return the names of the hosts whose results are here."""
        return [name for name, host in self.hosts.items() if host.state == FINISHED]

    def states(self) -> set[str]:
        """Return what has become of hosts."""
        return {host.state for host in self.hosts.values()}

    def missing(self) -> list[str]:
        """Return the names of the others."""
        return [name for name, host in self.hosts.items() if host.state != FINISHED]

    def status(self) -> int:
        """Return the highest exit status of the hosts whose results are here."""
        return max((self.hosts[name].status for name in self.finished()), default=0)

    def is_complete(self) -> bool:
        """Return whether there is nothing to go on with."""
        return bool(self.hosts) and not self.missing()

    def write(self, folder: Path) -> None:
        """Write it to ``folder``."""
        write_text(folder / RECORD, json.dumps(dataclasses.asdict(self), indent=1) + "\n")


def describe_host(host: Host) -> HostRecord:
    """Return the record of a host of which nothing has come yet."""
    facts, machine = host.facts, machine_of(host.facts)
    versions = dict(facts.versions)
    return HostRecord(
        machine.running, facts.cpu, facts.architecture, versions, lasting=machine.lasting
    )


def read_record(folder: Path) -> Record | None:
    """Return the record in ``folder``; None if there is none.

    Raises:
        BadInput: it is damaged.
    """
    path = folder / RECORD
    if not path.exists():
        return None
    try:
        return decode_json(read_file(path), Record)
    except ValueError as error:
        raise BadInput(
            f"{path} is damaged ({error}); remove it and the results beside it, or name another "
            "folder with --output."
        ) from None
