"""A run on many hosts as a whole, without Dask: what is asked of whom, kept, refused and said."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("distributed", reason="needs distributed")

from harness.base.errors import BadInput
from harness.cluster.archive import pack
from harness.cluster.connection import Connection, Where
from harness.cluster.errand import Outcome
from harness.cluster.fleet import Fleet, Task
from harness.cluster.hosts import Host
from harness.presentation.console import console
from tests.clusters import FACTS
from tests.conftest import Run

LOST = Outcome(2, "its worker is gone", resumable=True)
WHERE = Where("tcp://here")
TASK = Task("bench", {"precision": 0.1, "resume": False}, {}, "rows.csv", True)


class Hosts(Connection):
    """Hosts that answer without a scheduler, by the address of each worker."""

    def __init__(self, where: Where, facts: Mapping[str, Mapping[str, Any]]) -> None:
        self.where = where
        self._facts = facts

    def workers(self) -> dict[str, int]:
        return dict.fromkeys(self._facts, 1)

    def inspect(self, addresses: Iterable[str]) -> Mapping[str, Any]:
        return self._facts

    def run_quietly(self, function: Callable[[str], None], argument: str, address: str) -> None:
        pass


class Cluster:
    """Runs a task on hosts whose outcomes are known beforehand, by their identities."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = patch
        made = folder.with_name("made")
        made.mkdir()
        (made / "rows.csv").write_text("speedup\n1.5\n")
        self.found = Outcome(0, "", pack(made))
        self.failed = dataclasses.replace(self.found, status=1)
        self.asked: list[str] = []

    def run(
        self,
        workers: Mapping[str, tuple[str, str]],
        outcomes: Mapping[str, Outcome],
        resume: bool = False,
        task: Task = TASK,
        where: Where = WHERE,
    ) -> int:
        """Run ``task`` and return its status.

        Args:
            workers: the name and the identity of each one's host, by its address.
            outcomes: of each host that is asked, by its identity.
        """
        asked = self.asked = []

        class Crew:
            def __init__(self, *_: Any) -> None:
                pass

            def run(self, hosts: Sequence[Host], take: Callable[[Host, Outcome], None]) -> None:
                for host in hosts:
                    asked.append(host.name)
                    take(host, outcomes[host.facts.identity])

        facts = {
            address: {**FACTS, "name": name, "identity": identity, "lasting": f"of {name}"}
            for address, (name, identity) in workers.items()
        }
        there = Hosts(where, facts)
        self._patch.setattr("harness.cluster.fleet.Crew", Crew)
        self._patch.setattr(
            "harness.cluster.fleet.connected", lambda _: contextlib.nullcontext(there)
        )
        return Fleet(task, self.folder, console(), console(stderr=True)).run(where, resume)[0]

    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "cluster.json").read_text())
        return found

    def states(self) -> dict[str, str]:
        return {name: host["state"] for name, host in self.record()["hosts"].items()}

    def hosts(self) -> list[str]:
        """Return of which hosts there are rows in the common table."""
        return list(pd.read_csv(self.folder / "hosts.csv")["host"])


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(tmp_path / "o", monkeypatch)


def test_a_machine_is_one_host_of_a_run_whatever_its_worker_is_called(cluster: Cluster) -> None:
    """Two are called alike, and the address of a worker is another each time it is started."""
    one, other = ("a b", "1"), ("a-b", "2")
    both = {"tcp://h:1": one, "tcp://h:2": other}
    assert cluster.run(both, {"1": cluster.found, "2": LOST}) == 2
    first = {"a-b-h-1": "finished", "a-b-h-2": "unfinished"}
    assert cluster.states() == first
    assert cluster.run({"tcp://h:3": other}, {"2": LOST}, resume=True) == 2
    assert cluster.asked == ["a-b-h-2"]
    both = {"tcp://h:2": one, "tcp://h:1": other}
    assert cluster.run(both, {"2": cluster.found}, resume=True) == 0
    assert cluster.asked == ["a-b-h-2"]
    assert cluster.states() == dict.fromkeys(first, "finished")
    assert cluster.hosts() == list(first)


def test_a_host_that_was_started_anew_goes_on(cluster: Cluster) -> None:
    """Another of its name, which has come meanwhile, is another."""
    both = {"tcp://h:1": ("a", "1"), "tcp://h:2": ("b", "2")}
    assert cluster.run(both, {"1": cluster.found, "2": LOST}) == 2
    again = {"tcp://h:1": ("a", "1 again"), "tcp://h:2": ("b", "2 again"), "tcp://i:3": ("a", "3")}
    outcomes = {"2 again": cluster.found, "3": cluster.found}
    assert cluster.run(again, outcomes, resume=True) == 0
    assert cluster.asked == ["b", "a-i-3"]
    assert cluster.hosts() == ["a", "b", "a-i-3"]


def test_who_has_not_finished_is_named_each_time(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    both = {"tcp://h:1": ("a", "1"), "tcp://h:2": ("b", "2")}
    assert cluster.run(both, {"1": LOST, "2": cluster.found}) == 2
    assert capsys.readouterr().err.count("dirtyscan: a: ") == 1
    assert cluster.run({"tcp://h:2": ("b", "2")}, {}, resume=True) == 2
    assert cluster.asked == []
    said = capsys.readouterr().err
    assert "dirtyscan: a: it has not finished and took no part now; start a worker" in said
    assert cluster.states() == {"a": "unfinished", "b": "finished"}
    assert cluster.run(both, {"1": LOST}, resume=True) == 2
    assert capsys.readouterr().err.count("dirtyscan: a: ") == 1


def test_a_variant_that_has_failed_is_not_forgotten(cluster: Cluster) -> None:
    """Also where others were gone on with after it."""
    both = {"tcp://h:1": ("a", "1"), "tcp://h:2": ("b", "2")}
    assert cluster.run(both, {"1": LOST, "2": cluster.failed}) == 2
    assert cluster.run(both, {"1": cluster.found}, resume=True) == 1


def test_a_record_of_before_is_read(cluster: Cluster) -> None:
    """It said less of a host, and nothing of what the run was about."""
    both = {"tcp://h:1": ("a", "1"), "tcp://h:2": ("b", "2")}
    cluster.run(both, {"1": LOST, "2": cluster.found})
    found = cluster.record()
    for host in found["hosts"].values():
        del host["lasting"], host["status"]
    del found["given"]
    (cluster.folder / "cluster.json").write_text(json.dumps(found))
    assert cluster.run(both, {"1": cluster.found}, resume=True) == 0
    assert cluster.asked == ["a"]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"options": {**TASK.options, "precision": 0.2}}, "options or files"),
        ({"files": {"given-1/mine.c": b"changed"}}, "options or files"),
        ({"module": "study_run"}, "is one of bench"),
        ({}, "version of dirtyscan"),
    ],
)
def test_another_run_is_not_taken_for_the_unfinished_one(
    cluster: Cluster, changed: dict[str, Any], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = dataclasses.replace(TASK, files={"given-1/mine.c": b"mine"})
    hosts = {"tcp://h:1": ("a", "1"), "tcp://h:2": ("b", "2")}
    cluster.run(hosts, {"1": LOST, "2": cluster.found}, task=task)
    before = cluster.record()
    with monkeypatch.context() as patch:
        if not changed:
            patch.setattr("harness.cluster.fleet.__version__", "0.0")
        with pytest.raises(BadInput, match=rf"^the unfinished run in .* {what}"):
            cluster.run(hosts, {}, resume=True, task=dataclasses.replace(task, **changed))
    assert cluster.record() == before
    # How long it is measured, and where what is made of it goes, may be others.
    more = {**TASK.options, "resume": True, "budget": 1.0, "output": "elsewhere"}
    again = dataclasses.replace(task, options=more)
    assert cluster.run(hosts, {"1": cluster.found}, resume=True, task=again) == 0


@pytest.mark.parametrize(
    ("command", "can_resume"),
    [
        (("bench",), True),
        (("study", "density"), True),
        (("study", "kernel"), False),
        (("claims", "run"), False),
        (("gate",), False),
    ],
)
def test_only_commands_that_have_the_option_are_gone_on_with(
    dirtyscan: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], can_resume: bool
) -> None:
    asked = []

    class Kept:
        def __init__(self, task: Task, *_: object) -> None:
            asked.append(task.can_resume)

        def run(self, *_: object) -> tuple[int, list[str]]:
            return 0, []

    monkeypatch.setattr("harness.cluster.fleet.Fleet", Kept)
    dirtyscan(*command, "--cluster", "tcp://here")
    assert asked == [can_resume]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["one", "two.example", "three"], ""),
        (["one", "three"], "two.here: it has no worker after 120 s; see that any port of head can"),
        (["n1", "n2"], "one, two.here, three: 1 of these 3 have no worker after 120 s; see that"),
    ],
)
def test_a_host_over_ssh_without_a_worker_is_named(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], names: list[str], said: str
) -> None:
    where = Where(hosts=("head", "one", "two.here", "three"))
    workers = {f"tcp://h:{number}": (name, name) for number, name in enumerate(names)}
    status = cluster.run(workers, dict.fromkeys(names, cluster.found), where=where)
    assert status == (2 if said else 0)
    assert (f"dirtyscan: {said}" in capsys.readouterr().err) == bool(said)
    assert list(cluster.record()["left_out"]) == ([said.partition(":")[0]] if said else [])
    assert len(cluster.hosts()) == len(names)


def test_a_host_over_ssh_that_has_finished_needs_no_worker(cluster: Cluster) -> None:
    where = Where(hosts=("head", "one", "two"))
    one, two = {"tcp://h:1": ("one", "1")}, {"tcp://h:2": ("two", "2")}
    assert cluster.run({**one, **two}, {"1": cluster.found, "2": LOST}, where=where) == 2
    assert cluster.run(two, {"2": cluster.found}, resume=True, where=where) == 0


def test_hosts_over_ssh_of_which_no_worker_comes_are_named(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    where = Where(hosts=("head", "one", "two"))
    with pytest.raises(BadInput, match=r"no host at the scheduler on head can .*; see above why"):
        cluster.run({}, {}, where=where)
    assert capsys.readouterr().err.count("it has no worker after 120 s") == 2


def contents(folder: Path) -> list[str]:
    names = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not name.endswith(".lock"))


def test_a_run_takes_the_place_of_one_that_is_finished(cluster: Cluster) -> None:
    """Once it is sure to begin."""
    both = {"tcp://h:1": ("a", "1"), "tcp://h:2": ("b", "2")}
    assert cluster.run(both, {"1": cluster.found, "2": cluster.found}) == 0
    before = contents(cluster.folder)
    assert before == ["a/rows.csv", "b/rows.csv", "cluster.json", "hosts.csv"]
    with pytest.raises(BadInput, match="can measure, of 0 workers"):
        cluster.run({}, {})
    assert contents(cluster.folder) == before
    (cluster.folder / "own").mkdir()
    (cluster.folder / "own/notes.txt").touch()
    assert cluster.run({"tcp://h:1": ("a", "1")}, {"1": cluster.found}) == 0
    left = ["a/rows.csv", "cluster.json", "hosts.csv", "own/notes.txt"]
    assert contents(cluster.folder) == left
    assert cluster.hosts() == ["a"]
    assert cluster.run({"tcp://h:2": ("b", "2")}, {"2": Outcome(2, "no room")}) == 2
    assert contents(cluster.folder) == ["cluster.json", "own/notes.txt"]


def test_a_run_that_is_not_finished_is_kept_beside_the_new_one(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    both = {"tcp://h:1": ("a", "1"), "tcp://h:2": ("b", "2")}
    assert cluster.run(both, {"1": cluster.found, "2": LOST}) == 2
    assert cluster.run({"tcp://h:3": ("c", "3")}, {"3": cluster.found}) == 0
    (aside,) = cluster.folder.glob("unfinished-*")
    assert f"an unfinished run was kept as {aside}" in capsys.readouterr().err
    assert contents(aside) == ["a/rows.csv", "cluster.json", "hosts.csv"]
    assert cluster.states() == {"c": "finished"}
    assert cluster.hosts() == ["c"]
    cluster.folder = aside
    assert cluster.run(both, {"2": cluster.found}, resume=True) == 0
    assert cluster.hosts() == ["a", "b"]


@pytest.mark.parametrize("name", ["speedups.csv", "environment.json", "rows.csv", "unfinished"])
def test_many_hosts_do_not_measure_around_results_of_one(cluster: Cluster, name: str) -> None:
    cluster.folder.mkdir()
    (cluster.folder / name).mkdir()
    with pytest.raises(BadInput, match=rf"o has a run of one machine \({name}\), .*; name another"):
        cluster.run({"tcp://h:1": ("a", "1")}, {})
    assert [path.name for path in cluster.folder.iterdir() if path.name != ".lock"] == [name]


@pytest.mark.parametrize(
    "command",
    [
        ("bench",),
        ("bench", "--resume"),
        ("compare", "page_by_page", "multi_page"),
        ("study", "density"),
        ("claims", "run"),
    ],
    ids=" ".join,
)
def test_one_machine_does_not_measure_among_results_of_many(
    cluster: Cluster, dirtyscan: Run, command: tuple[str, ...]
) -> None:
    cluster.run({"tcp://h:1": ("a", "1")}, {"1": cluster.found})
    before = contents(cluster.folder)
    done = dirtyscan(*command, "--output", "o")
    assert done.returncode == 2
    assert done.stderr.startswith("dirtyscan: o has a run of many hosts (cluster.json), and that")
    assert len(done.stderr.splitlines()) == 1
    assert contents(cluster.folder) == before


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", ["..", ".", "../o", ""])
def test_a_record_names_no_folder_but_its_own(cluster: Cluster, name: str, resume: bool) -> None:
    hosts = {"tcp://h:1": ("a", "1")}
    cluster.run(hosts, {"1": LOST})
    found = cluster.record()
    found["hosts"][name] = found["hosts"].pop("a")
    (cluster.folder / "cluster.json").write_text(json.dumps(found))
    before = contents(cluster.folder.parent)
    with pytest.raises(BadInput, match=r"cluster\.json is damaged .*; remove it"):
        cluster.run(hosts, {}, resume=resume)
    assert contents(cluster.folder.parent) == before
