"""Who is blamed: variants that end, leave or multiply the process, and who only stands beside."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.base.errors import BadInput
from harness.base.processes import ONE_THREAD, describe_status, has_children
from harness.measurement import processes
from harness.measurement.budget import Budget
from harness.measurement.choice import choose
from harness.measurement.lineup import line_up
from harness.measurement.request import Request
from harness.measurement.run_folder import RunFolder
from harness.native.toolchain import find_toolchains
from harness.presentation.console import console
from harness.session.measured import measure, print_end
from harness.trial import report as report_module
from tests.conftest import store

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "dirtyscan.h"
#define LATER if (++calls > 30) /* of which the trial sees fewer, and a placement more */
#define TIMED if (is_timed()) /* from the first call on */
static unsigned long calls;
static inline int is_timed(void) /* only the trial watches faults */
{
    struct sigaction watched;
    return sigaction(SIGSEGV, NULL, &watched) == 0 && watched.sa_handler == SIG_DFL;
}
%(before)s
static uint64_t count(const struct dirtyscan_map *map)
{
    uint64_t page, dirty = 0;
    (void)calls;
    %(body)s
    for (page = 0; page < map->pages; page++)
        dirty += (map->bytes[page] & DIRTYSCAN_MIGRATION_FLAG) != 0;
    return dirty;
}
const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI, .year = 2026, .operation = "count", .map = "byte map",
    .summary = "one byte after the other", .run.count = count,
};
"""
Bench = Callable[..., int]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Measure a variant whose body is given, beside multi_page, as ``dirtyscan bench`` does.

    In two processes at least, however long they take.
    """
    monkeypatch.chdir(tmp_path)
    dirty = np.zeros((12, 4096), np.bool_)
    for number, snapshot in enumerate(dirty):
        snapshot[1 : 600 - 20 * number] = True
    store(tmp_path / "small.trace", list(dirty))

    def run(
        body: str,
        before: str = "",
        variants: tuple[str, ...] = ("x.c", "multi_page"),
        original: str = "",
        noise_floor: bool = True,
        processes: int = 2,
        budget: float = 600,
        resume: bool = False,
        resumable: bool = True,
    ) -> int:
        Path("x.c").write_text(SOURCE % {"body": body, "before": before}, encoding="utf-8")
        choice = choose(variants, original=original)
        lineup = line_up(choice, find_toolchains(), noise_floor)
        request = Request(lineup, (Path("small.trace"),), 1e9, seed=1, processes=processes)
        out, log = console(), console(stderr=True)
        with RunFolder(Path("o"), resumable) as folder:
            done = measure(request, folder, Budget(budget), resume, log)
        return print_end(done, out, log)

    return run


def measured() -> set[str]:
    rows = pd.read_csv("o/speedups.csv")
    return set(rows.loc[~rows["noise_floor"], "variant"])


ON_TRIAL = {
    "exit(0);": "ends the process (0)",
    "_exit(5);": "ends the process (5)",
    "raise(40);": "ends the process (number 40)",
    "raise(SIGKILL);": "ends the process (SIGKILL)",
    "static int done; if (!done) { done = 1; fork(); }": "starts a process",
    "int i; for (i = 0; i < 1024; i++) close(i);": "closes files of its process",
    "struct rlimit r = {0, 0}; setrlimit(RLIMIT_NOFILE, &r);": "changes a limit of its process",
}
WHEN_TIMED = {
    "LATER exit(0);": "crashes when timed (the process ended with status 0)",
    "LATER _exit(0);": "crashes when timed (the process ended with status 0)",
    "LATER _exit(2);": "crashes when timed (the process ended with status 2)",
    "LATER raise(SIGSEGV);": "crashes when timed (the process ended with signal SIGSEGV)",
    "LATER raise(SIGKILL);": "crashes when timed (the process ended with signal SIGKILL)",
    "LATER raise(40);": "crashes when timed (the process ended with signal number 40)",
}
ONE = [
    ("LATER fork();", "starts a process when timed"),
    ("LATER memset(map->bytes + map->pages, 0x5a, 100000);", "ended with signal SIGSEGV)"),
    ("TIMED { int i; for (i = 0; i < 1024; i++) close(i); }", "closes files of its process when"),
    ("TIMED { struct rlimit r = {0, 0}; setrlimit(RLIMIT_CORE, &r); }", "its process when timed"),
]


@pytest.mark.parametrize(("body", "says"), ONE)
def test_who_ends_or_multiplies_the_process_is_named(
    body: str, says: str, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(body) == 1
    said = capsys.readouterr().err
    (failed,) = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert failed.startswith("failed: variant x (cc-era) ")
    assert says in failed
    assert measured() == {"multi_page"}


def test_a_process_that_comes_back_late_is_its_variants(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """Others have been called since. It is started while they take turns: from a placement."""
    placed = """Dl_info of; static int started; unsigned lane, place;
    if (dladdr(&calls, &of) &&
        sscanf(strrchr(of.dli_fname, '/'), "/lane-%u-%u.so", &lane, &place) == 2 &&
        !started++ && !fork())
        usleep(20000);"""
    others = "multi_page", "word_sum", "word_test"
    assert bench(placed, variants=("x.c", *others)) == 1
    said = capsys.readouterr().err
    assert "failed: variant x (cc-era) starts a process when timed" in said
    assert measured() == set(others)


@pytest.mark.parametrize("bodies", [ON_TRIAL, WHEN_TIMED], ids=["on trial", "when timed"])
def test_so_is_each_of_many(
    bodies: dict[str, str], bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other, and those who stand beside are still measured."""
    names = {f"x{number}": body for number, body in enumerate(bodies)}
    for name, body in names.items():
        Path(f"{name}.c").write_text(SOURCE % {"body": body, "before": ""}, encoding="utf-8")
    assert bench("", variants=(*(f"{name}.c" for name in names), "x.c", "multi_page")) == 1
    said = capsys.readouterr().err
    failed = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert len(failed) == len(bodies)
    for name, body in names.items():
        (line,) = [line for line in failed if line.startswith(f"failed: variant {name} (cc-era) ")]
        assert bodies[body] in line
    assert measured() == {"x", "multi_page"}


@pytest.mark.parametrize(
    ("body", "before"),
    [
        ('LATER chdir("/");', ""),
        (r'LATER fprintf(stderr, "\xff\xfe");', ""),
        (r'LATER { puts("{\"a\": 1}"); fflush(stdout); }', ""),
        ("", r'__attribute__((constructor)) static void hello(void) { puts("\xff{}"); }'),
        ("", '__attribute__((destructor)) static void bye(void) { write(1, "x\\n", 2); }'),
    ],
    ids=["chdir", "stderr", "stdout", "constructor", "destructor"],
)
def test_what_does_no_harm_is_measured(body: str, before: str, bench: Bench) -> None:
    assert bench(body, before=before) == 0
    assert measured() == {"x", "multi_page"}


def test_who_starts_a_process_that_stays_away_is_named_or_among_those_named(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it is called often enough when it is timed alone, which the clock decides, it is."""
    try:
        assert bench("LATER if (!fork()) for (;;) sleep(1);") == 1
        said = capsys.readouterr().err
    except BadInput as error:
        said = str(error)
    named = r"(variant x \(cc-era\)|one of page_by_page, x, multi_page) starts a process when timed"
    assert re.search(named, said)


def test_who_leaves_a_process_behind_is_named_at_once(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every load waited for it; and it would be measured beside the others."""
    start = "__attribute__((constructor)) static void start(void)"
    assert bench("", before=f"{start} {{ if (!fork()) for (;;) sleep(1); }}") == 1
    assert "failed: variant x (cc-era) starts a process" in capsys.readouterr().err
    assert measured() == {"multi_page"}
    assert not has_children()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("_exit(0);", "x.c ends the process with status 0 while it is loaded"),
        ("_exit(2);", "x.c ends the process with status 2 while it is loaded"),
        (r'puts("{\"a\": 1}"); fflush(stdout); _exit(0);', "x.c ends the process with status 0"),
        ("raise(40);", "x.c ends the process with signal number 40 while it is loaded"),
    ],
)
def test_who_ends_the_process_when_loaded_is_a_sentence(
    statement: str, says: str, bench: Bench
) -> None:
    before = f"__attribute__((constructor)) static void start(void) {{ {statement} }}"
    with pytest.raises(BadInput, match=re.escape(says)):
        bench("", before=before)


ENDED_ONCE = 'LATER if (open("%s", O_CREAT | O_EXCL, 0600) >= 0) raise(%s);'


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM"])
def test_an_accident_is_nobodys_fault(
    signal: str, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Out of memory, an operator: what ended a process once from outside is no verdict."""
    assert bench(ENDED_ONCE % (tmp_path / "ended", signal)) == 0
    assert (tmp_path / "ended").exists()
    assert "failed" not in capsys.readouterr().err
    assert measured() == {"x", "multi_page"}


def test_two_accidents_of_two_are_nobodys_fault(bench: Bench, tmp_path: Path) -> None:
    """Whoever is called when somebody ends a process a second time need not be the first one."""
    once = ENDED_ONCE % (tmp_path / "first", "SIGKILL")
    again = ENDED_ONCE % (tmp_path / "second", "SIGKILL")
    Path("y.c").write_text(SOURCE % {"body": again, "before": ""}, encoding="utf-8")
    assert bench(once, variants=("x.c", "y.c")) == 0
    assert (tmp_path / "first").exists()
    assert (tmp_path / "second").exists()
    assert measured() == {"x", "y"}


def test_an_accident_on_trial_is_nobodys_fault(bench: Bench, tmp_path: Path) -> None:
    once = ENDED_ONCE.removeprefix("LATER ") % (tmp_path / "ended", "SIGKILL")
    assert bench(once) == 0
    assert (tmp_path / "ended").exists()
    assert measured() == {"x", "multi_page"}


def test_an_original_that_was_ended_leaves_the_run_as_it_was(bench: Bench) -> None:
    """Its samples can be gone on with: nothing is written down of an original by signal alone."""
    ended = 'LATER if (access("spared", F_OK)) raise(SIGKILL);'
    with pytest.raises(BadInput, match=r"variant x \(cc-era\) crashes when timed .*; nothing can"):
        bench(ended, original="x.c", variants=("word_sum",))
    Path("spared").touch()
    assert bench(ended, original="x.c", variants=("word_sum",), resume=True) == 0
    assert measured() == {"word_sum"}


def test_a_failure_of_the_trial_is_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was said of the variant that it 'ends the process (0)'."""

    class Report:
        state = 0
        sentence = b""

    def fail() -> None:
        raise MemoryError("of the harness")

    monkeypatch.setattr(os, "_exit", lambda status: (_ for _ in ()).throw(SystemExit(status)))
    report = Report()
    with pytest.raises(SystemExit):
        report_module.end_after(fail, report)  # type: ignore[arg-type]
    assert report.sentence == b"MemoryError: of the harness"
    assert report.state == report_module.BROKEN


def test_a_failure_of_the_harness_is_no_variants(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ONE_THREAD, "PYTHONHASHSEED", "no number")
    with pytest.raises(BadInput, match=r"measuring process 0 ended with status 1 \("):
        bench("")


@pytest.mark.parametrize("resumable", [True, False])
def test_only_who_can_go_on_is_told_to(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    resumable: bool,
) -> None:
    real = processes.Processes._run_worker

    def fail(self: processes.Processes, index: int, keys: list[str]) -> tuple[int | None, str]:
        if index < 2:
            return real(self, index, keys)
        self._samples.ending.unlink()
        return 1, "no memory"

    monkeypatch.setattr(processes.Processes, "_run_worker", fail)
    advice = "; the samples before it are kept, go on with --resume" if resumable else ""
    with pytest.raises(BadInput, match=rf"process 2 ended with status 1 \(no memory\){advice}\.$"):
        bench("", resumable=resumable)
    monkeypatch.setattr(processes.Processes, "_run_worker", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench("", resume=True, resumable=resumable)
    said = " ".join(capsys.readouterr().err.split())
    assert "interrupted: the samples of 2 processes are kept in o" in said
    assert ("go on with --resume and the same options" in said) == resumable


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_is_paid_for_elsewhere_alone_says_nothing(bench: Bench) -> None:
    with pytest.raises(BadInput, match="the cost of variant counter is paid in"):
        bench("", variants=("counter",), noise_floor=False)


def test_what_is_left_is_paid_for_elsewhere(bench: Bench) -> None:
    """Where all others went astray: the run ends, with nothing to compare."""
    assert bench("LATER exit(0);", variants=("x.c", "counter"), noise_floor=False) == 1


@pytest.mark.parametrize("number", [*range(1, 65)])
def test_every_signal_can_be_named(number: int) -> None:
    assert describe_status(-number).startswith("signal ")


def test_what_lies_in_the_folder_is_not_imported(bench: Bench) -> None:
    """Code of the folder that somebody is in would run inside measurements."""
    Path("random.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    Path("harness").mkdir()
    Path("harness/__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    assert bench("") == 0
    assert measured() == {"x", "multi_page"}


def test_who_hangs_while_the_number_of_calls_is_sought_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There a trial of any length may go before, so that the process itself has no limit."""
    monkeypatch.setattr(processes, "LIMIT_OF_CALL", 1.0)
    assert bench("TIMED for (;;) pause();") == 1
    assert "hangs when timed" in capsys.readouterr().err
    assert measured() == {"multi_page"}


@pytest.mark.parametrize("budget", [1e308, float("inf"), 1e10])
def test_a_budget_without_end_is_one(budget: float, bench: Bench) -> None:
    assert bench("", budget=budget) == 0
