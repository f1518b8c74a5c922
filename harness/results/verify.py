"""Whether a result holds: its documents, its tables, and what the ones say of the others."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from harness.base.errors import BadInput
from harness.base.text import shortened
from harness.results.environment import ENVIRONMENT, read_environment
from harness.results.found import Found, Kind, told
from harness.results.hosts import find_named_host
from harness.results.members import KINDS, all_members_of, read_member, without_compression
from harness.results.private import find_private
from harness.results.result import PROCESSES, SNAPSHOTS, SPEEDUPS, read_table
from harness.results.rows_check import check_rows
from harness.results.samples_check import check_samples
from harness.results.speedups import misses_one
from harness.results.tables import read_any

_ROWS = (SPEEDUPS, SNAPSHOTS, PROCESSES)
_MOST = 1e18
"""Beyond what any column measures; the end of an interval may be infinite."""
_INTERVAL = ("speedup", "speedup_low", "speedup_high")
_QUIET = ("quiet_speedup", "quiet_low", "quiet_high")
_SPEEDUPS = {*_INTERVAL, *_QUIET}


def verify_folder(
    folder: Path, private_is: Kind = Kind.REMARK, words: Sequence[str] = ()
) -> Iterator[Found]:
    """Look at a result, and at the parts of it in folders below, member by member.

    Members are called by their path from ``folder``.

    Args:
        private_is: what it means that a member names somebody's machine.
        words: what this machine and its user are called, which no folder of a part may be.

    Raises:
        BadInput: there is no result in it.
    """
    members = all_members_of(folder)
    if not members:
        raise BadInput(
            f"there is no table or document ({', '.join(KINDS)}) in {folder}; name the folder of "
            "a result."
        )
    parts = dict.fromkeys(member.parent for member in members)
    for part in parts:
        inside = "" if part == folder else f"{part.name}/"
        for found in _verify_part(part):
            yield found._replace(member=f"{inside}{found.member}")
    for member in members:
        yield from _private(member, str(member.relative_to(folder)), private_is)
    if host := find_named_host(folder, [part.name for part in parts if part != folder], words):
        what = "it is called after somebody's machine, or its user; 'dirtyscan results pack' calls "
        yield Found(private_is, f"{host}/", f"{what}it otherwise")


def _verify_part(folder: Path) -> Iterator[Found]:
    """Look at the members that lie in ``folder`` itself."""
    layout, disturbed, version = {}, False, ""
    if (folder / ENVIRONMENT).exists():
        try:
            environment = read_environment(folder)
        except BadInput as error:
            yield _fault(ENVIRONMENT, error)
            return
        layout, disturbed = environment["layout"], bool(environment["machine"]["disturbed"])
        version = environment["dirtyscan"]
        yield Found(Kind.CHECKED, ENVIRONMENT, f"of dirtyscan {version}")
        for sentence in (*layout.get("failures", ()), *environment["machine"]["disturbed"]):
            yield Found(Kind.REMARK, ENVIRONMENT, sentence)
    elif not any(folder.glob(f"*/{ENVIRONMENT}")):
        yield Found(Kind.REMARK, ENVIRONMENT, "is not there, so nobody knows which CPU this is of")
    for path in sorted(folder.glob("*.csv")):
        if path.name not in _ROWS:
            yield from _verify_table(path)
    if (folder / SPEEDUPS).exists():
        try:
            rows = read_table(folder, SPEEDUPS)
        except BadInput as error:
            yield _fault(SPEEDUPS, error)
            return
        yield from check_samples(folder, rows, layout, disturbed, version)
        yield from check_rows(folder, rows)
        yield from _noise_floors(rows)
    else:
        for name in (SNAPSHOTS, PROCESSES):
            if (folder / name).exists():
                yield Found(Kind.FAULT, name, f"there is no {SPEEDUPS} that it belongs to")


def _noise_floors(rows: pd.DataFrame) -> Iterator[Found]:
    """Say whether an original against itself is 1."""
    floors = rows[rows["noise_floor"]]
    if floors.empty:
        yield Found(Kind.REMARK, SPEEDUPS, "it has no noise floor")
        return
    missing = [row for row in floors.to_dict("records") if misses_one(row)]
    for row in missing:
        yield Found(
            Kind.REMARK, SPEEDUPS,
            f"the noise floor on {row['condition']} {row['origin']} ({row['toolchain']}) is "
            f"{row['speedup']:.4f} ({row['speedup_low']:.4f} to {row['speedup_high']:.4f}) and not "
            "1, so gains of that size there say nothing",
        )  # fmt: skip
    if not missing:
        yield Found(Kind.CHECKED, SPEEDUPS, f"{len(floors)} noise floors are 1")


def _verify_table(path: Path) -> Iterator[Found]:
    """Look at a table of a study, of claims or of the gate's calibration, whatever its columns."""
    try:
        table = read_any(path)
    except BadInput as error:
        yield _fault(path.name, error)
        return
    wrong = []
    for name in map(str, table):
        measured = name in _SPEEDUPS or name.endswith("seconds")
        if measured and not is_numeric_dtype(table[name]):
            wrong.append(f"a value of {shortened(name)} is no number")
    numbers = table.select_dtypes("number")
    for name in map(str, numbers):
        values = numbers[name].dropna()
        if not name.endswith("_high") and not values.abs().le(_MOST).all():
            wrong.append(f"a value of {shortened(name)} is no number that is measured")
        if (name.endswith("seconds") or name in _SPEEDUPS) and (values < 0).any():
            wrong.append(f"a value of {shortened(name)} is below 0")
    for names in (_INTERVAL, _QUIET):
        if set(numbers) >= set(names):
            value, low, high = (numbers[name] for name in names)
            outside = numbers.index[(value < low) | (value > high)]
            wrong += [f"row {row + 1}: its {names[0]} is not in its interval" for row in outside]
    yield from told(path.name, wrong, f"{len(table)} rows")
    if set(table) >= {"evidence", "extra_work", "outcome"}:
        yield from _calibration(path.name, table)


def _calibration(name: str, table: pd.DataFrame) -> Iterator[Found]:
    """Say how often the gate was right about changes that are known."""
    known = pd.to_numeric(table["extra_work"], errors="coerce")
    if known.isna().any():
        yield Found(Kind.FAULT, name, "it does not say by how much something was slower")
        return
    for work in sorted(set(known.tolist())):
        outcomes = table["outcome"][known == work]
        wrong = int(outcomes.eq("unchanged" if work else "slower").sum())
        what = f"missed what is {work:.0%} slower" if work else "called slower what is unchanged"
        kind = Kind.REMARK if wrong else Kind.CHECKED
        yield Found(kind, name, f"{wrong} of {len(outcomes)} gates {what}")


def _private(member: Path, name: str, kind: Kind) -> Iterator[Found]:
    try:
        private = find_private(without_compression(member).name, read_member(member))
    except BadInput as error:
        yield _fault(name, error)
        return
    except (ValueError, RecursionError) as error:
        said = shortened(" ".join(str(error).split()))
        yield Found(Kind.FAULT, name, f"it is damaged ({said}); measure anew")
        return
    if private:
        yield Found(
            kind, name,
            f"it has {shortened(private)!r}, which says something of a machine and nothing of a "
            "measurement; 'dirtyscan results pack' takes it out",
        )  # fmt: skip


def _fault(member: str, error: BadInput) -> Found:
    return Found(Kind.FAULT, member, str(error).rstrip("."))
