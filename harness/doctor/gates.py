"""Calibration of the gate: false alarms on unchanged code, and slowdowns that it must catch.

Unchanged code is ``multi_page`` against a copy of its own files, timed although both compile to the
same; the reference is the one of this machine. The slower ones are ``multi_page`` that looks at a
share of its words a second time, in two places of the map. They are compared with one that does so
for a share of 0: the machine code of both is the same then and only a constant differs, as other
code would be faster or slower by chance, by what its layout does to the branch predictor.

Harmless changes move code and do not change it: bytes or a function before it, a function behind
it, a longer summary, a string that nobody reads. Each round asks about another one of another
variant. A reference, which takes longest and whose other side is always the same, is asked in every
fifth round.
"""

import contextlib
import dataclasses
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from harness.base.errors import BadInput
from harness.base.files import read_file, write_text
from harness.doctor.harmless import HARMLESS, MOVED
from harness.gate.against import Against, time_changed
from harness.gate.choice import find_timed
from harness.gate.evidence import Evidence, Scope
from harness.gate.finding import Basis, Change, Verdict
from harness.gate.instructions import count_changed
from harness.gate.speedups import Speedups
from harness.measurement.tell import quiet
from harness.native.finding import find_variant
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
    """One gate that is asked for; the columns of ``calibration.csv``, with what came out."""

    evidence: str
    extra_work: float
    """The share of the words that is looked at twice; 0 for unchanged code."""
    busy: bool
    """Whether two other programs kept both CPUs busy."""
    round: int
    variant: str = "multi_page"
    change: str = ""
    """The harmless change that was made to it; empty for none."""


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
    (Basis.REVISION, 0.0),
    (Basis.REVISION, 0.05),
    (Basis.REVISION, 0.02),
    (Basis.INSTRUCTIONS, 0.0),
    (Basis.INSTRUCTIONS, 0.05),
)
"""What each round asks, beside one harmless change."""
REFERENCE_ROUNDS = 5
"""A reference is asked in one round of so many; an odd number, so that idle and busy ones come."""
_KEY = ["evidence", "extra_work", "round", "change"]


def calibrate_gate(rounds: int, path: Path, report: Report) -> pd.DataFrame:
    """Ask every kind of gate ``rounds`` times, four rounds in eight beside two busy loops.

    Args:
        path: a table that each answer is written to at once; what is in it is not asked again.

    Returns:
        The table, a row for each :class:`Gate`.

    Raises:
        BadInput: a gate cannot be asked, or ``path`` is not such a table.
    """
    table = _answers(path)
    for number in range(rounds):
        asked = set(table[_KEY].itertuples(index=False, name=None)) if len(table) else set()
        left = [trial for trial in _trials(number) if _key(trial) not in asked]
        for gate in _ask_all(left):
            fields = dataclasses.asdict(gate)
            row = pd.DataFrame([{**fields.pop("trial"), **fields}])
            table = pd.concat([table, row]) if len(table) else row
            write_text(path, str(table.to_csv(index=False, float_format="%.6g")))
        report("rounds", number + 1, rounds)
    return table


def _trials(number: int) -> tuple[Trial, ...]:
    """Return what is asked in round ``number``."""
    # Not in step with the variants, so that each is asked both idle and busy.
    busy = number // len(MOVED) % 2 == 1
    kinds = KINDS if number % REFERENCE_ROUNDS else [*KINDS, (Basis.REFERENCE, 0.0)]
    variant = MOVED[number % len(MOVED)]
    change = list(HARMLESS)[number % len(HARMLESS)]
    return (
        *(Trial(evidence, extra, busy, number) for evidence, extra in kinds),
        Trial(Basis.REVISION, 0.0, busy, number, variant, change),
    )


def _key(trial: Trial) -> tuple[str, float, int, str]:
    return str(trial.evidence), trial.extra_work, trial.round, trial.change


def _answers(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame()
    try:
        table = pd.read_csv(path, keep_default_na=False)
    except ValueError:  # pandas' own errors are kinds of it
        table = pd.DataFrame(columns=["damaged"])
    if len(table.columns) and not {*_KEY, "outcome", "seconds"} <= set(table):
        raise BadInput(f"{path} is no table of the gate's answers; name another with --output.")
    return table


def _ask_all(trials: Sequence[Trial]) -> Iterator[Gate]:
    """Ask some gates of one round."""
    busy = any(trial.busy for trial in trials)
    with (
        tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch,
        _busy_loops() if busy else contextlib.nullcontext(),
    ):
        for trial in trials:
            yield _ask(trial, Path(scratch))


def _ask(trial: Trial, scratch: Path) -> Gate:
    start = time.monotonic()
    verdict = _evidence(trial, scratch).collect(quiet)
    return Gate(
        trial,
        _outcome(verdict),
        min((finding.ratio for finding in verdict.findings), default=1.0),
        statistics.median([finding.ratio for finding in verdict.findings] or [1.0]),
        time.monotonic() - start,
    )


def _evidence(trial: Trial, scratch: Path) -> Evidence:
    conditions = tuple(find_condition(name) for name in DEFAULT_CONDITIONS)
    if trial.evidence == Basis.REFERENCE:
        return Speedups(find_timed(), (), Scope(conditions))
    sides = _moved(trial, scratch) if trial.change else _slowed(trial, scratch)
    way = count_changed if trial.evidence == Basis.INSTRUCTIONS else time_changed
    scope = Scope(conditions, seed=trial.round)
    return Against((str(sides[0]), str(sides[1])), scope, (way,), even_unchanged=True)


def _outcome(verdict: Verdict) -> str:
    if verdict.failed:
        return str(Change.SLOWER)
    return str(Change.UNDECIDED if verdict.open else Change.UNCHANGED)


def _slowed(trial: Trial, scratch: Path) -> list[Path]:
    """Write ``multi_page``, prepared to look at words twice, and one that does so for a share."""
    extra = trial.extra_work
    sides = []
    for name, share in (("before", 0.0), ("after", extra)):

        def prepare(text: str) -> str:
            assert _CALL in text
            return text.replace(_CALL, _AGAIN % share) if extra else text  # noqa: B023

        sides.append(_copy(trial.variant, scratch / f"{name}-{extra}", prepare))
    return sides


def _moved(trial: Trial, scratch: Path) -> list[Path]:
    """Write a variant as it is, and with a harmless change."""
    change = HARMLESS[trial.change]
    folders = (scratch / f"{trial.variant}-{side}" for side in ("before", "after"))
    changes: tuple[Callable[[str], str], ...] = (str, change)
    before, after = (
        _copy(trial.variant, folder, how) for folder, how in zip(folders, changes, strict=True)
    )
    assert read_file(before) != read_file(after)
    return [before, after]


def _copy(variant: str, folder: Path, change: Callable[[str], str]) -> Path:
    """Copy a variant's files into ``folder``, the first of them changed."""
    main, *others = find_variant(variant, "count").sources
    made = folder / main.name
    if not made.exists():
        write_text(made, change(read_file(main).decode()))
        for path in (*others, *main.parent.glob(f"{variant}.*.h")):
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
