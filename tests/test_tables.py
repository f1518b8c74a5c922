"""One description of a table, and what a terminal and Markdown make of it."""

import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.presentation.table import (
    Column,
    Table,
    as_markdown,
    format_number,
    format_short,
    make_table,
    plain_columns,
    print_table,
    table_by_name,
)
from harness.report.contents import all_sections
from harness.report.stored import Stored

RESULTS = Path(__file__).parent.parent / "results"

ROWS = [
    {"name": "a|b", "speedup": 1.234, "pages": 26214.4},
    {"name": "[b]*", "speedup": math.nan, "pages": 3},
]
COLUMNS = (
    Column("variant", "name", whole=True),
    Column("speedup", right=True),
    Column("pages, twice", lambda row: f"{2 * row['pages']:g}", right=True),
)


def printed(table: Table, width: int = 80) -> list[str]:
    console = Console(width=width, highlight=False, markup=False)
    with console.capture() as capture:
        print_table(table, console)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_cells_are_made_once_for_all() -> None:
    table = make_table(COLUMNS, ROWS, "a title")
    assert table.lines == (("a|b", "1.23", "52428.8"), ("[b]*", "", "6"))
    assert printed(table) == [
        "a title",
        "variant speedup pages, twice",
        "a|b        1.23      52428.8",
        "[b]*                       6",
    ]
    assert as_markdown(table) == (
        "| variant | speedup | pages, twice |\n"
        "|---|--:|--:|\n"
        "| a\\|b | 1.23 | 52428.8 |\n"
        "| [b]\\* |  | 6 |\n"
    )


def test_values_are_shown_as_they_are() -> None:
    table = make_table(plain_columns("name", ("dirty pages", "pages")), ROWS)
    assert [column.head for column in table.columns] == ["name", "dirty pages"]
    assert [line[1] for line in table.lines] == ["26,214", "3"]


def test_what_is_too_long_is_folded_or_set_out_and_never_cut_off() -> None:
    table = table_by_name("", ("name", "count"), [("1", "x" * 30)])
    assert "".join(printed(table, 20)).replace(" ", "") == "1;count" + "x" * 30
    folded = printed(dataclasses.replace(table, fold=True), 20)[1:]
    assert "".join(line.split(" ")[-1] for line in folded) == "x" * 30


def test_sentences_are_below() -> None:
    table = Table((Column("a"),), (("1",),), notes=("a sentence that is longer than the line",))
    assert printed(table, 12) == ["a", "1", "a sentence that is longer than the line"]


@pytest.mark.parametrize("write", [format_short, format_number])
@given(value=st.floats(1e-9, 1e9))
def test_what_is_not_zero_is_never_written_as_zero(
    write: Callable[[float], str], value: float
) -> None:
    """The page had 0.00 of a tick in each row of a table, and 0.00 of the limit in others."""
    assert float(write(value)) > 0
    assert float(write(value)) == pytest.approx(value, rel=0.06 if value >= 0.01 else 0.5)


@pytest.mark.parametrize("result", ["amd-epyc-26-2", "amd-epyc-25-1", "intel-xeon-processor"])
def test_no_figure_of_a_page_is_rounded_to_nothing(result: str) -> None:
    stored = Stored(RESULTS / result)
    seen = 0
    for section in all_sections():
        rows = section.rows(stored)
        if rows is not None and not rows.empty:
            for line in section.figures(rows.reset_index(drop=True)).lines:
                assert not [cell for cell in line if re.fullmatch(r"0\.0+", cell)], section.key
                seen += len(line)
    assert seen > 50
