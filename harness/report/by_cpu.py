"""Results of several machines beside each other: a column a CPU."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import isnan, nan

import pandas as pd

from harness.claims.claim import range_in_words
from harness.machine.state import SLOWED_SHARE
from harness.presentation.quiet import quiet_speedup
from harness.presentation.table import Column, Row, Table, format_number, trace_name
from harness.report.run_table import with_toolchain
from harness.report.stored import Stored
from harness.results.environment import before_each
from harness.results.speedups import half_width, judged
from harness.studies import load_study, questions

Names = tuple[str, ...]
"""What a line is about: the cells before those of the CPUs."""


def tables_by_cpu(results: Sequence[Stored]) -> list[Table]:
    """Return what ``results`` have beside each other: runs, claims, all variants, and studies.

    What one of them alone has is left out.
    """
    heads = cpu_names(results)
    made = (
        _table("Speedups by CPU", ("trace", "variant"), heads, map(_run, results)),
        _table("Claims by CPU", ("claim", "about", "claimed"), heads, map(_claims, results)),
        _table("All variants by CPU", ("trace", "variant"), heads, map(_variants, results)),
    )
    return [table for table in (*made, *_studies(results, heads)) if table]


def _studies(results: Sequence[Stored], heads: Sequence[str]) -> Iterator[Table | None]:
    """Yield what each study has found on each CPU."""
    for name, question in questions().items():
        outcome = load_study(name).outcome
        if outcome is None:
            continue
        found = (result.study(name) for result in results)
        lines = (iter(()) if one is None else outcome.lines(one) for one in found)
        slowed = (result.study_slowed(name) > SLOWED_SHARE for result in results)
        named = [
            f"{head}, beside a neighbour" if beside else head
            for head, beside in zip(heads, slowed, strict=True)
        ]
        yield _table(question.text, outcome.keys, named, lines)


def cpu_names(results: Sequence[Stored]) -> list[str]:
    """Return what the CPU of each result is called, with what came before each of its snapshots.

    Those of which both are the same have the result's name besides.
    """
    cpus = [_cpu(result) for result in results]
    several = {name for name, count in Counter(cpus).items() if count > 1}
    return [
        f"{cpu}, {result.name}" if cpu in several else cpu or result.name
        for cpu, result in zip(cpus, results, strict=True)
    ]


def _cpu(result: Stored) -> str:
    cpu = result.environment.get("cpu", {})
    generation = f" ({cpu['generation']})" if cpu.get("generation") else ""
    named = f"{cpu['model']}{generation}" if cpu else ""
    return ", ".join(filter(None, (named, before_each(result.environment))))


def _run(result: Stored) -> Iterator[tuple[Names, str]]:
    if result.has_run:
        for row in judged(result.speedups).to_dict("records"):
            yield (trace_name(row), with_toolchain(row)), _measured(row)


def _variants(result: Stored) -> Iterator[tuple[Names, str]]:
    rows = result.variants
    for row in [] if rows is None else rows.to_dict("records"):
        yield (trace_name(row), with_toolchain(row)), format_number(row["speedup"])


def _claims(result: Stored) -> Iterator[tuple[Names, str]]:
    rows = result.study("claims")
    for row in [] if rows is None else rows.to_dict("records"):
        claimed = range_in_words(row["claimed_low"], row["claimed_high"])
        names = row["claim"], row["workload"], claimed
        said = "not measured" if pd.isna(row["speedup"]) else _measured(row)
        yield names, said


def _measured(row: Row) -> str:
    if not isnan(row.get("quiet_speedup", nan)):
        return _judged(f"not slowed: {quiet_speedup(row)}", row["quiet_verdict"])
    said = _judged(f"{format_number(row['speedup'])} ±{half_width(row):.1%}", row["verdict"])
    return f"beside a neighbour: {said}" if row.get("slowed", nan) > SLOWED_SHARE else said


def _judged(said: str, verdict: str | float) -> str:
    """Return what was measured with its verdict, which is missing where nothing is claimed."""
    return said if pd.isna(verdict) else f"{said} {verdict}".rstrip()


def _table(
    title: str,
    names: Names,
    heads: Sequence[str],
    results: Iterator[Iterator[tuple[Names, str]]],
) -> Table | None:
    """Return a table with a line for everything that two have; None if there is nothing."""
    cells: dict[Names, dict[int, str]] = {}
    for place, rows in enumerate(results):
        for about, said in rows:
            cells.setdefault(about, {})[place] = said
    shared = {about: line for about, line in cells.items() if len(line) > 1}
    there = sorted({place for line in shared.values() for place in line})
    columns = [*(Column(name) for name in names), *(Column(heads[place]) for place in there)]
    lines = [(*about, *(line.get(place, "") for place in there)) for about, line in shared.items()]
    return Table(tuple(columns), tuple(lines), title) if shared else None
