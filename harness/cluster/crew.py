"""The crew: hosts that do one errand each, watched until the last of them is done or lost."""

import contextlib
import dataclasses
import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from distributed import Future

from harness.cluster.connection import Connection, SchedulerGone
from harness.cluster.errand import Errand, Outcome
from harness.cluster.hosts import Host, muster
from harness.cluster.member import Member
from harness.cluster.worker import do_errand, topic

_LOOK_EVERY = 0.25  # seconds
_WORKERS_EVERY = 1.0  # seconds between two looks at which workers there are
_COMES_BACK = 15.0  # seconds in which a nanny, or somebody, may start a lost worker anew
_SILENT = 60.0  # seconds without a word of a host that tells every five that it lives
_BEGINS = 15.0  # seconds in which a worker that is free has begun
_SLOW, _SLOW_SECONDS = 2.0, 30.0  # times, and seconds more, that it may take longer than the others
_STOPPING = 20.0  # seconds for hosts to keep what they have


class Shown(Protocol):
    """Is told how far the hosts are."""

    def lines(self, host: str, lines: Sequence[str], processes: int) -> None:
        """Show what a host has said, and how many measuring processes it has finished."""

    def say(self, host: str, what: str) -> None:
        """Show a sentence about a host."""


class Crew:
    """Hosts that do one errand; each does it once."""

    def __init__(
        self, connection: Connection, errand: Errand, shown: Shown, can_resume: bool
    ) -> None:
        """Prepare it; ``can_resume`` says whether the command has ``--resume``."""
        self._can_resume = can_resume
        self._connection = connection
        self._client = connection.client
        self._errand = errand
        self._shown = shown
        self._events: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._members: dict[str, Member] = {}
        self._known: set[str] = set()
        self._looked = 0.0
        self._longest = 0.0
        self._stopping = False

    def run(self, hosts: Sequence[Host], take: Callable[[Host, Outcome], None]) -> None:
        """Have every host do the errand, and ``take`` what becomes of it as soon as that is known.

        Raises:
            KeyboardInterrupt: it was interrupted; hosts have been asked to keep what they have, and
                what became of each was taken.
        """
        now = time.monotonic()
        self._members = {host.name: Member(host, now, now) for host in hosts}
        try:
            self._begin()
            while self._members:
                time.sleep(_LOOK_EVERY)
                self._show_events()
                for name, outcome in self._ended():
                    take(self._members.pop(name).host, outcome)
                self._say_who_is_slow()
        except SchedulerGone:
            for member in self._members.values():
                what = f"{self._connection.where} is gone"
                said = self._remedy(member, what, "start it again")
                take(member.host, Outcome(2, said, resumable=True))
        except KeyboardInterrupt:
            self._stop()
            for member in self._members.values():
                said = "interrupted"
                if self._can_resume:
                    said += f"; its {member.processes} finished processes are kept there"
                said += "." if member.stopped else ", and it has not answered since."
                take(member.host, Outcome(130, said, resumable=True))
            raise

    def _begin(self) -> None:
        """Give every host the errand."""
        self._known = set(self._connection.workers())
        with self._sending():
            name = topic(self._errand.run)
            self._client.subscribe_topic(name, lambda event: self._hear(event[1]))
        for member in self._members.values():
            member.future = self._submit(member.host)

    def _submit(self, host: Host) -> "Future[Any]":
        # Never on another worker, and never a second time by Dask's own doing.
        with self._sending():
            future: Future[Any] = self._client.submit(
                do_errand,
                self._errand,
                workers=[host.address],
                allow_other_workers=False,
                pure=False,
                retries=0,
                key=f"dirtyscan-{self._errand.run}-{host.name}-{time.time_ns()}",
            )
        return future

    @contextlib.contextmanager
    def _sending(self) -> Iterator[None]:
        """Say that the scheduler is gone if what the block sends to it cannot be sent."""
        try:
            yield
        except Exception:  # of kinds that differ from one version of Dask to another
            if self._client.status == "running":
                raise
            raise SchedulerGone from None

    def _hear(self, message: Mapping[str, Any]) -> None:
        self._events.put(message)

    def _show_events(self) -> None:
        while True:
            try:
                message = self._events.get_nowait()
            except queue.Empty:
                return
            # A host has its name here by its address, as several may be called alike.
            by_address = (m for m in self._members.values() if m.host.address == message["worker"])
            if member := next(by_address, None):
                member.hear(message)
                lines = [] if self._stopping else message["lines"]  # all say the same then
                self._shown.lines(member.host.name, lines, member.processes)

    def _ended(self) -> list[tuple[str, Outcome]]:
        """Return what became of those that are done or lost since this was asked last."""
        found: list[tuple[str, Outcome]] = []
        for name, member in self._members.items():
            if member.future is not None and member.future.done():
                found.append((name, self._outcome(member)))
                self._longest = max(self._longest, member.took(found[-1][1]))
        ended = {name for name, _ in found}
        if time.monotonic() - self._looked < _WORKERS_EVERY:
            return found
        self._looked = time.monotonic()
        workers = self._connection.workers()
        for name, member in self._members.items():
            if name in ended or member.host.address in workers:
                continue
            if member.lost is None:
                member.lost = time.monotonic()
                self._shown.say(name, f"its worker is gone; waiting {_COMES_BACK:g} s for another")
                self._forget(member)
            elif time.monotonic() - member.lost > _COMES_BACK:
                said = self._remedy(member, "its worker is gone", "start a worker there again")
                found.append((name, Outcome(2, said, resumable=True)))
        self._take_back(workers)
        return found

    def _outcome(self, member: Member) -> Outcome:
        assert member.future is not None
        try:
            outcome = member.future.result(timeout=600)
        except Exception as error:  # whatever ended the task, the host is named with it
            if member.future.cancelled():
                raise SchedulerGone from None  # nobody here has cancelled it
            said = f"its worker failed ({type(error).__name__}: {error})"
            return Outcome(2, said, resumable=True)
        finally:
            self._forget(member)
        assert isinstance(outcome, Outcome)
        return outcome

    def _forget(self, member: Member) -> None:
        """Have the scheduler forget the task, so that it cannot be run when a worker comes."""
        if member.future is not None:
            member.future.release()
            member.future = None

    def _take_back(self, workers: Mapping[str, int]) -> None:
        """Have hosts go on whose worker is gone and has another in its place."""
        new = {address: workers[address] for address in workers if address not in self._known}
        self._known |= set(workers)
        lost = [m for m in self._members.values() if m.lost is not None]
        if not new or not lost:
            return
        found = muster(new, self._connection.inspect(new))
        for member in lost:
            for host in found.hosts:
                if host.facts.identity == member.host.facts.identity:
                    facts = dataclasses.replace(host.facts, name=member.host.name)
                    member.host = dataclasses.replace(host, facts=facts)
                    member.future, member.lost = self._submit(member.host), None
                    member.heard = time.monotonic()
                    self._shown.say(member.host.name, "has a worker again, and goes on")

    def _say_who_is_slow(self) -> None:
        now = time.monotonic()
        for member in self._members.values():
            if member.lost is not None:
                continue
            if not member.begun:
                if now - member.began > _BEGINS:
                    self._say_once(member, "its worker does something else first; waiting")
                continue
            if now - member.heard > _SILENT:
                self._say_once(member, f"has said nothing for {_SILENT:g} s, and is waited for")
            if self._longest and now - member.began > _SLOW * self._longest + _SLOW_SECONDS:
                what = f"takes more than {_SLOW:g} times as long as {self._longest:.0f} s"
                self._say_once(member, f"{what}, which was enough for others; it is waited for")

    def _say_once(self, member: Member, what: str) -> None:
        if what not in member.said:
            member.said.add(what)
            self._shown.say(member.host.name, what)

    def _stop(self) -> None:
        """Have all hosts stop, and wait until they have kept what they have."""
        self._stopping = True
        asked = [m for m in self._members.values() if m.future is not None]
        try:
            self._client.cancel([m.future for m in asked], force=True)
        except (OSError, RuntimeError, ValueError):
            return
        end = time.monotonic() + _STOPPING
        while time.monotonic() < end and not all(m.stopped for m in asked):
            time.sleep(_LOOK_EVERY)
            self._show_events()

    def _remedy(self, member: Member, what: str, first: str) -> str:
        """Say how to go on after what happened, once somebody has done what comes ``first``."""
        if not self._can_resume:
            return f"{what}; {first} and give the command again."
        return (
            f"{what}; the {member.processes} processes that are finished are kept there, so "
            f"{first} and go on with --resume."
        )
