"""A run on many hosts: they are mustered, each measures, and their results are put side by side."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from harness import __version__
from harness.base.errors import BadInput
from harness.cluster.archive import unpack
from harness.cluster.collation import agreement_table, collate
from harness.cluster.connection import Connection, Where, connected
from harness.cluster.crew import Crew
from harness.cluster.errand import Errand, Outcome, new_run
from harness.cluster.hosts import Host, Muster, muster
from harness.cluster.output import make_room, require_no_run_of_one
from harness.cluster.record import FAILED, FINISHED, UNFINISHED, Record, read_record
from harness.cluster.state import forget
from harness.cluster.view import HostsView
from harness.measurement.run_folder import RunFolder
from harness.presentation.table import print_table
from harness.results.environment import git_commit

_BAD = 2
_FREE = ("output", "plots", "resume", "budget")
"""Options that may be others when a run is gone on with, as on one machine."""


@dataclasses.dataclass(frozen=True)
class Task:
    """What is to be done on every host, before it is known which run it is."""

    module: str
    options: Mapping[str, Any]
    files: Mapping[str, bytes]
    table: str
    """The main table of the results, which is put together of all hosts; empty if there is none."""
    can_resume: bool
    """Whether its command has ``--resume``; a run of another begins anew."""

    def digest(self) -> str:
        """Return a hash of what it measures: of its files and of all options that decide it."""
        options = {name: value for name, value in self.options.items() if name not in _FREE}
        files = {name: hashlib.sha256(data).hexdigest() for name, data in self.files.items()}
        told = json.dumps({"options": options, "files": files}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()


class Fleet:
    """The hosts of one run, and the folder that their results go to."""

    def __init__(self, task: Task, folder: Path, out: Console, log: Console) -> None:
        self._task = task
        self._folder = folder
        self._out = out
        self._log = log
        self._complained: set[str] = set()

    def run(self, where: Where, resume: bool) -> tuple[int, list[str]]:
        """Measure on the hosts at ``where``.

        Returns:
            The exit status: 2 if a host has no results, 1 if a variant has failed on one, also
            in what was done of this run before; and the hosts whose results are here.

        Raises:
            BadInput: nothing could be measured at all; or what is in the folder is no such run to
                go on with, or must not lie beside a new one.
        """
        with RunFolder(self._folder) as folder:
            if not resume:
                require_no_run_of_one(folder, self._task.table)
            record = self._record(resume)
            with connected(where) as connection:
                hosts = self._muster(connection, record)
                if not resume and (aside := make_room(folder)):
                    self._log.print(f"an unfinished run was kept as {aside}", soft_wrap=True)
                record.write(self._folder)
                self._measure(connection, record, hosts)
        for name in record.missing():
            if name not in self._complained:
                self._complain(
                    name,
                    "it has not finished and took no part now; start a worker there again and go "
                    "on with --resume.",
                )
        finished = record.finished()
        if self._task.table and finished:
            self._put_together(finished)
        return _BAD if self._complained else record.status(), finished

    def _record(self, resume: bool) -> Record:
        """Return the record to go on with, or a new one."""
        before = read_record(self._folder)
        if not resume:
            return Record(new_run(), self._task.module, given=self._task.digest())
        if before is None or before.is_complete():
            raise BadInput(
                f"there is no unfinished run of many hosts in {self._folder} to go on with; leave "
                "out --resume."
            )
        if before.command != self._task.module:
            raise BadInput(
                f"the unfinished run in {self._folder} is one of {before.command}; go on with "
                "that, or name another folder with --output."
            )
        for what, then, now in (
            ("version of dirtyscan", before.dirtyscan, __version__),
            ("options or files", before.given, self._task.digest()),
        ):
            if then and then != now:  # a record of before does not say what was given
                raise BadInput(
                    f"the unfinished run in {self._folder} differs from this one in its {what}; "
                    "resume with the same ones, or start anew without --resume."
                )
        return before

    def _muster(self, connection: Connection, record: Record) -> list[Host]:
        """Note in ``record`` who takes part, and return those that have to measure yet."""
        where, there = connection.where, connection.workers()
        facts = connection.inspect(there)
        mustered = muster(there, facts, record.machines(), git_commit())
        left_out = {**mustered.left_out, **connection.absent(facts)}
        for name in record.finished():  # nothing is asked of them
            left_out.pop(name, None)
        mustered = dataclasses.replace(mustered, left_out=left_out)
        self._show(mustered)
        record.note(mustered)
        if not mustered.hosts:
            start = f"start a worker on each host with 'dask worker {where.address} --nthreads 1'"
            raise BadInput(
                f"no host at {where} can measure, of {len(there)} workers; "
                f"{start if where.address else 'see above why'}."
            )
        return [host for host in mustered.hosts if host.name not in record.finished()]

    def _show(self, mustered: Muster) -> None:
        for host in mustered.hosts:
            self._log.print(f"{host.name}: {host.facts.cpu}, {host.address}", soft_wrap=True)
        for sentence in (*mustered.differences, *mustered.remarks):
            self._log.print(sentence, soft_wrap=True)
        for name, why in mustered.left_out.items():
            self._complain(name, why)

    def _measure(self, connection: Connection, record: Record, hosts: list[Host]) -> None:
        errand = Errand(record.run, self._task.module, self._task.options, self._task.files)
        with HostsView(self._log, [host.name for host in hosts]) as view:

            def take(host: Host, outcome: Outcome) -> None:
                state, said = self._take(host, outcome)
                record.end(host.name, state, said, outcome.status if state == FINISHED else 0)
                record.write(self._folder)
                view.ended(host.name, state)
                if said:
                    self._complain(host.name, said)
                if state == FINISHED:
                    connection.run_quietly(forget, record.run, host.address)

            Crew(connection, errand, view, self._task.can_resume).run(hosts, take)

    def _take(self, host: Host, outcome: Outcome) -> tuple[str, str]:
        """Write what a host has found, and return its state and why there is nothing."""
        if not outcome.has_results:
            return UNFINISHED if outcome.resumable else FAILED, outcome.said
        try:
            unpack(outcome.archive, self._folder / host.name)
        except BadInput as error:
            return UNFINISHED, str(error)
        return FINISHED, ""

    def _complain(self, host: str, why: str) -> None:
        self._complained.add(host)
        self._log.print(f"dirtyscan: {host}: {why}", soft_wrap=True)

    def _put_together(self, finished: list[str]) -> None:
        """Put the results of all that have finished side by side."""
        rows = collate(self._folder, finished, self._task.table)
        if table := agreement_table(rows, self._task.table):
            print_table(table, self._out)
        for host in finished:
            self._out.print(f"results of {host}: {self._folder / host}", soft_wrap=True)
