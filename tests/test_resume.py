"""Going on: a run can be ended anywhere, and nothing that was measured is lost or counted twice."""

import dataclasses
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.measurement.budget import Budget
from harness.measurement.choice import choose
from harness.measurement.lineup import line_up
from harness.measurement.plan import Plan
from harness.measurement.request import Request
from harness.measurement.run_folder import RunFolder
from harness.measurement.samples import read_samples
from harness.native.toolchain import find_toolchains
from harness.presentation.console import console
from harness.session.measured import Measured, measure
from tests.conftest import store
from tests.fuzz import fuzz

Run = Callable[..., Measured]
PROCESS = "process-"


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Measure multi_page on a small trace as a command does, in two processes."""
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "small.trace", [np.arange(640) % 7 < n for n in range(1, 7)])

    def run(resume: bool = False, processes: int = 2, folder: str = "o") -> Measured:
        lineup = line_up(choose(["multi_page"]), find_toolchains())
        request = Request(lineup, (Path("small.trace"),), 1e9, seed=1, processes=processes)
        with RunFolder(Path(folder)) as opened:
            return measure(request, opened, Budget(600), resume, console(stderr=True))

    return run


class Countdown:
    """Ends the process at the n-th of the calls that change the folder."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            if "o" in Path(arguments[0]).parts:
                self.left -= 1
                if self.left < 0:
                    raise Killed
            return change(*arguments, **options)

        return step


def ended_by(
    count: Countdown, monkeypatch: pytest.MonkeyPatch, finish: Callable[[RunFolder], None]
) -> Callable[[RunFolder], None]:
    def finish_so_far(folder: RunFolder) -> None:
        with monkeypatch.context() as inner:
            inner.setattr(Path, "rename", count(Path.rename))
            inner.setattr(Path, "touch", count(Path.touch))
            inner.setattr(shutil, "rmtree", count(shutil.rmtree))
            finish(folder)

    return finish_so_far


def leave_unfinished(run: Run) -> None:
    """Measure, and be ended before the results are written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.session.measured.write_result", _killed)
        with pytest.raises(Killed):
            run()


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in (".zip", ".csv", ".trace")
    }


def test_a_run_that_is_ended_while_it_is_finished_goes_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every change of the folder, one after the other, until it gets through."""
    leave_unfinished(run)
    shutil.move("o", "measured")
    shutil.copytree("measured", "o")
    run(resume=True)
    whole = contents(Path("o"))
    samples = {name: data for name, data in contents(Path("measured")).items() if PROCESS in name}
    steps = 0
    while True:
        shutil.rmtree("o", ignore_errors=True)
        shutil.copytree("measured", "o")
        count = Countdown(steps)
        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "finish", ended_by(count, monkeypatch, RunFolder.finish))
            try:
                run(resume=True)
                break
            except Killed:
                pass
        run(resume=True)
        assert not Path("o/unfinished").exists()
        assert not Path("o/.finished").exists()
        found = contents(Path("o"))
        assert found.keys() == whole.keys()
        for name, data in samples.items():
            assert found["samples/" + Path(name).name] == data
        steps += 1
    assert steps >= 5
    assert samples


def test_another_spelling_of_the_interpreter_is_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyperf records it, and then refused to join the runs, after they were measured."""
    leave_unfinished(run)
    link = Path("other-python").absolute()
    link.symlink_to(sys.executable)
    # A virtual environment is found from the path of the interpreter, so it is told.
    monkeypatch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))
    monkeypatch.setattr(sys, "executable", str(link))
    run(resume=True, processes=2)
    assert len(list(Path("o/samples").glob("process-*.zip"))) == 3


def _killed(*_: object) -> None:
    raise Killed


def test_runs_of_one_second_are_kept_apart(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda _: "unfinished-20260101-000000")
    for _ in range(3):
        leave_unfinished(run)
    kept = sorted(path.name for path in Path("o").glob("unfinished*"))
    assert kept == [
        "unfinished", "unfinished-20260101-000000", "unfinished-20260101-000000-2",
    ]  # fmt: skip
    assert all((Path("o") / name / "samples/process-0001.zip").exists() for name in kept)


def test_what_else_lies_there_does_no_harm(run: Run) -> None:
    Path("o/unfinished/samples").mkdir(parents=True)
    Path("o/unfinished/samples/process-abc.zip").touch()
    run()
    shutil.rmtree("o")
    Path("o").mkdir()
    Path("o/unfinished").touch()
    with pytest.raises(BadInput, match=r"o/unfinished is no folder, .*; move it away"):
        run()


def test_a_folder_that_is_gone_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = RunFolder.begin

    def begin_and_lose(folder: RunFolder, plan: Plan) -> None:
        begin(folder, plan)
        shutil.rmtree(folder.path)

    monkeypatch.setattr(RunFolder, "begin", begin_and_lose)
    with pytest.raises(BadInput, match="the folder of the run, o, is gone"):
        run()


def test_what_is_narrow_by_luck_is_not_precise(run: Run) -> None:
    """As long as it comes of fewer processes than were planned."""
    found = run().run
    assert found
    (pair,) = found.judged
    assert len(found.logs[pair]) == 2
    assert found.stopped(pair) == "precise"
    more = dataclasses.replace(found.plan, processes=3)
    assert dataclasses.replace(found, plan=more).stopped(pair) == "budget"
    finer = dataclasses.replace(found.plan, precision=1e-12)
    assert dataclasses.replace(found, plan=finer).stopped(pair) == "budget"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the samples of a process."""
    folder = tmp_path_factory.mktemp("samples")
    with pytest.MonkeyPatch.context() as patch:
        made: Run = run.__wrapped__(folder, patch)  # type: ignore[attr-defined]
        made()
    return folder / "o/samples/process-0001.zip"


@fuzz
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_damaged_samples_are_refused(
    place: float, bit: int, cut: bool, samples: Path, tmp_path: Path
) -> None:
    whole = read_samples(samples)
    data = bytearray(samples.read_bytes())
    at = int(place * len(data))
    if cut:
        del data[at:]
    else:
        data[at] ^= 1 << bit
    path = tmp_path / "damaged.zip"
    path.write_bytes(data)
    try:
        found = read_samples(path)
    except BadInput:
        return
    # A bit that means nothing, such as one of a time stamp.
    assert found.elapsed.keys() == whole.elapsed.keys()
    assert all(np.array_equal(found.elapsed[k], whole.elapsed[k], True) for k in whole.elapsed)


def test_samples_of_something_else_are_refused(samples: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(samples) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (array,) = (name for name in members if name.endswith(".npy"))
    np.save(tmp_path / "flat.npy", np.ones(3))
    np.save(tmp_path / "negative.npy", -np.ones((1, 2, 3)))
    for name, data in {
        "pyperf.json": b"[]",
        array: (tmp_path / "flat.npy").read_bytes(),
        f"{array}": (tmp_path / "negative.npy").read_bytes(),
        "none": None,
    }.items():
        if data is None:
            del members[array]  # as where a bit has flipped in the archive's list of members
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            for member, content in ({**members, name: data} if data else members).items():
                archive.writestr(member, content)
        with pytest.raises(
            BadInput, match=r"are damaged .*; delete that file and go on with --res"
        ):
            read_samples(tmp_path / "other.zip")


@pytest.mark.parametrize(
    "text", ["", "[", "null", "5", '{"version": 5}', '{"lanes": 5}', "[" * 100_000]
)
def test_a_plan_or_failures_that_are_none_are_a_sentence(text: str, run: Run) -> None:
    leave_unfinished(run)
    failures = Path("o/unfinished/samples/failures.json")
    failures.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"the failures in .* cannot be read"):
        run(resume=True)
    failures.unlink()
    Path("o/unfinished/plan.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"the plan of the unfinished run, .* cannot be read"):
        run(resume=True)
