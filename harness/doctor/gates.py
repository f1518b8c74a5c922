"""Calibration of the gate: false alarms on unchanged code, and slowdowns that it must catch.

Unchanged code is ``multi_page`` against a copy of its own files, timed although both compile to the
same; the reference is the one of this machine. The slower ones are ``multi_page`` that looks at a
share of its words a second time, in two places of the map. They are compared with one that does so
for a share of 0: the machine code of both is the same then and only a constant differs, as other
code would be faster or slower by chance, by what its layout does to the branch predictor.
"""

import contextlib
import dataclasses
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from harness.base.errors import BadInput
from harness.base.files import read_file, write_text
from harness.gate.finding import Change, Evidence, Verdict
from harness.gate.gate import ask
from harness.gate.question import Question
from harness.gate.reference import find_reference
from harness.measurement.tell import quiet
from harness.native.variant import find_variant
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.synthesis import Report

_CALL = "return map->page_size == 4096 ? ram_save_remaining() : ram_save_remaining_any();"
_AGAIN = """{
        static const volatile double share = %s;
        static volatile uint64_t again;
        const uint64_t whole = ram_save_remaining();
        uint64_t place;

        for (place = 1; place < 4; place += 2) {
            phys_ram_dirty = map->bytes + place * (map->pages / 4);
            last_ram_offset = (uint64_t)((double)(map->pages / 2) * share) * map->page_size;
            again += ram_save_remaining();
        }
        return whole;
    }"""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One gate that is asked for; the columns of ``gates.csv``, with what came out."""

    evidence: str
    extra_work: float
    """The share of the words that is looked at twice; 0 for unchanged code."""
    busy: bool
    """Whether two other programs kept both CPUs busy."""
    round: int


@dataclasses.dataclass(frozen=True)
class Gate:
    """A trial and its outcome."""

    trial: Trial
    outcome: str
    """``slower``, ``undecided`` or ``unchanged``."""
    lowest: float
    """The lowest ratio of speeds of any row."""
    middle: float
    """The median ratio of speeds."""
    seconds: float


KINDS = (
    (Evidence.REVISION, 0.0),
    (Evidence.REVISION, 0.05),
    (Evidence.REVISION, 0.02),
    (Evidence.INSTRUCTIONS, 0.0),
    (Evidence.INSTRUCTIONS, 0.05),
    (Evidence.REFERENCE, 0.0),
)


def calibrate_gate(rounds: int, path: Path, report: Report) -> pd.DataFrame:
    """Ask every kind of gate ``rounds`` times, every other time beside two busy loops.

    Args:
        path: a table that each answer is written to at once; rounds that are in it are not asked
            again.

    Returns:
        The table, a row for each :class:`Gate`.

    Raises:
        BadInput: a gate cannot be asked, or ``path`` is not such a table.
    """
    table = _answers(path)
    done = len(table) // len(KINDS)
    table = table.head(done * len(KINDS))  # a round that was cut short is asked again
    for number in range(done, rounds):
        for gate in _ask_all(number):
            fields = dataclasses.asdict(gate)
            row = pd.DataFrame([{**fields.pop("trial"), **fields}])
            table = pd.concat([table, row]) if len(table) else row
            write_text(path, str(table.to_csv(index=False, float_format="%.6g")))
        report("rounds", number + 1, rounds)
    return table


def _answers(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame()
    try:
        table = pd.read_csv(path)
    except ValueError:  # pandas' own errors are kinds of it
        table = pd.DataFrame()
    if not {"evidence", "extra_work", "round", "outcome", "seconds"} <= set(table):
        raise BadInput(f"{path} is no table of the gate's answers; name another with --output.")
    return table


def _ask_all(number: int) -> Iterator[Gate]:
    """Ask every kind of gate once, in round ``number``."""
    busy = number % 2 == 1
    with (
        tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch,
        _busy_loops() if busy else contextlib.nullcontext(),
    ):
        for evidence, extra in KINDS:
            yield _ask(Trial(evidence, extra, busy, number), Path(scratch))


def _ask(trial: Trial, scratch: Path) -> Gate:
    start = time.monotonic()
    verdict = ask(_question(trial, scratch), quiet)
    return Gate(
        trial,
        _outcome(verdict),
        min((finding.ratio for finding in verdict.findings), default=1.0),
        statistics.median([finding.ratio for finding in verdict.findings] or [1.0]),
        time.monotonic() - start,
    )


def _question(trial: Trial, scratch: Path) -> Question:
    conditions = tuple(find_condition(name) for name in DEFAULT_CONDITIONS)
    if trial.evidence == Evidence.REFERENCE:
        reference = find_reference()
        return Question(conditions, reference, time_reference=True)
    sides = [_copy(scratch / f"before-{trial.extra_work}", 0.0, bool(trial.extra_work))]
    sides.append(
        _copy(scratch / f"after-{trial.extra_work}", trial.extra_work, bool(trial.extra_work))
    )
    only_count = trial.evidence == Evidence.INSTRUCTIONS
    return Question(
        conditions,
        against=(str(sides[0]), str(sides[1])),
        instructions=only_count,
        timed=not only_count,
        even_unchanged=True,
        seed=trial.round,
    )


def _outcome(verdict: Verdict) -> str:
    if verdict.failed:
        return str(Change.SLOWER)
    return str(Change.UNDECIDED if verdict.open else Change.UNCHANGED)


def _copy(folder: Path, share: float, prepared: bool) -> Path:
    """Copy ``multi_page`` into ``folder``, ``prepared`` to look at a share of words twice."""
    main, *others = find_variant("multi_page", "count").sources
    made = folder / main.name
    if not made.exists():
        text = read_file(main).decode()
        assert _CALL in text
        write_text(made, text.replace(_CALL, _AGAIN % share) if prepared else text)
        for path in (*others, *main.parent.glob("multi_page.*.h")):
            shutil.copy(path, folder)
    return made


@contextlib.contextmanager
def _busy_loops() -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
