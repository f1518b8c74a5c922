"""The crew, without Dask: what is said of hosts at work, and what becomes of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

pytest.importorskip("distributed", reason="needs distributed")

from harness.base.documents import convert
from harness.base.errors import BadInput
from harness.cluster import connection, crew
from harness.cluster.connection import Connection, SchedulerGone, Where, connected
from harness.cluster.crew import Crew
from harness.cluster.errand import Errand, Outcome
from harness.cluster.facts import HostFacts
from harness.cluster.hosts import Host
from tests.clusters import FACTS

FOUND = Outcome(0, "")
REFUSED = Outcome(2, "another measurement has this machine")
Work = tuple[float, Outcome]
"""The seconds that a host takes, and what becomes of it then."""


class Later:
    """Stands for a future of Dask."""

    def __init__(self, work: Work) -> None:
        self._end = time.monotonic() + work[0]
        self._outcome = work[1]

    def done(self) -> bool:
        return time.monotonic() >= self._end

    def result(self, timeout: float) -> Outcome:
        return self._outcome

    def release(self) -> None:
        pass


class Client:
    """Stands for a client of Dask, whose hosts have so many finished processes already."""

    def __init__(self, works: Mapping[str, Work], processes: Mapping[str, int]) -> None:
        self.status = "running"
        self._works = works
        self._processes = processes

    def subscribe_topic(self, name: str, handler: Callable[[Any], None]) -> None:
        self._handler = handler

    def submit(self, *_: object, workers: Sequence[str], **__: object) -> Later:
        (address,) = workers
        if address in self._processes:  # others end without a word
            message = {"lines": [], "processes": self._processes[address], "ended": False}
            self._handler((0.0, {"worker": address, **message}))
        return Later(self._works[address])


class Closed(Client):
    """One that has lost its scheduler."""

    def subscribe_topic(self, name: str, handler: Callable[[Any], None]) -> None:
        self.status = "closed"
        raise KeyError("whatever Dask may raise")


class Hosts(Connection):
    def __init__(self, client: Client, addresses: Sequence[str]) -> None:
        self.client = client  # type: ignore[assignment]
        self.where = Where("tcp://here")
        self._addresses = addresses

    def workers(self) -> dict[str, int]:
        return dict.fromkeys(self._addresses, 1)


class Gone(Hosts):
    def workers(self) -> dict[str, int]:
        raise SchedulerGone


class Said:
    """Keeps what is shown."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def lines(self, host: str, lines: Sequence[str], processes: int) -> None:
        pass

    def say(self, host: str, what: str) -> None:
        self.sentences.append(f"{host}: {what}")


def host(name: str) -> Host:
    return Host(name, 1, convert({**FACTS, "name": name, "identity": name}, HostFacts))


def run(there: Hosts, names: str, said: Said, can_resume: bool = True) -> dict[str, Outcome]:
    """Have a crew of hosts with ``names`` of a letter, and return what became of each."""
    found: dict[str, Outcome] = {}

    def take(host: Host, outcome: Outcome) -> None:
        found[host.name] = outcome

    errand = Errand("a-run", "bench", {})
    Crew(there, errand, said, can_resume).run([host(name) for name in names], take)
    return found


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_LOOK_EVERY", 0.01)


@pytest.mark.parametrize(
    "there", [Gone(Client({}, {}), "ab"), Hosts(Closed({}, {}), "ab")], ids=["asked", "told"]
)
def test_a_scheduler_that_goes_before_the_hosts_begin_is_said_of_each(there: Hosts) -> None:
    found = run(there, "ab", Said())
    assert list(found) == ["a", "b"]
    for outcome in found.values():
        assert outcome.said.startswith("tcp://here is gone; the 0 processes")
        assert (outcome.status, outcome.resumable) == (2, True)
        assert outcome.said.endswith("so start it again and go on with --resume.")
    for outcome in run(there, "ab", Said(), can_resume=False).values():
        assert outcome.said == "tcp://here is gone; start it again and give the command again."


def test_who_loses_a_worker_is_told_of_an_option_that_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew, "_COMES_BACK", 0.0)
    monkeypatch.setattr(crew, "_WORKERS_EVERY", 0.0)
    there = Hosts(Client({"a": (600.0, FOUND)}, {"a": 4}), "")
    assert run(there, "a", Said())["a"].said == (
        "its worker is gone; the 4 processes that are finished are kept there, so start a worker "
        "there again and go on with --resume."
    )
    assert run(there, "a", Said(), can_resume=False)["a"].said == (
        "its worker is gone; start a worker there again and give the command again."
    )


def test_a_scheduler_that_goes_before_the_first_worker_comes_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lost:
        """A client that was connected and is not any more."""

        status = "connecting"

        def __init__(self, *_: object, **__: object) -> None:
            pass

        def close(self, timeout: float) -> None:
            pass

    monkeypatch.setattr(connection, "Client", Lost)
    with (
        pytest.raises(BadInput, match=r"^tcp://here does not answer any more; start it again\."),
        connected(Where("tcp://here")),
    ):
        pass


@pytest.mark.parametrize(
    ("quick", "processes"),
    [(REFUSED, {}), (FOUND, {}), (FOUND, {"a": 3})],
    ids=["refused", "found before", "gone on with"],
)
def test_a_host_is_slow_beside_those_that_did_all_of_it(
    quick: Outcome, processes: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "_SLOW_SECONDS", 0.05)
    works = {"a": (0.0, quick), "b": (0.5, FOUND)}
    said = Said()
    found = run(Hosts(Client(works, {"b": 0, **processes}), "ab"), "ab", said)
    assert found == {"a": quick, "b": FOUND}
    assert said.sentences == []
    run(Hosts(Client({**works, "a": (0.0, FOUND)}, {"a": 0, "b": 0}), "ab"), "ab", said)
    (slow,) = said.sentences
    assert slow.startswith("b: takes more than 2 times as long as 0 s, which was enough for others")
