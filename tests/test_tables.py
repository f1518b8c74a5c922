"""One description of a table, and what a terminal and Markdown make of it."""

import dataclasses
import math

from rich.console import Console

from harness.presentation.table import (
    Column,
    Table,
    as_markdown,
    make_table,
    plain_columns,
    print_table,
    table_by_name,
)

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


def test_what_is_too_long_is_folded_only_if_wanted() -> None:
    table = table_by_name("", ("name", "count"), [("1", "x" * 30)])
    (line,) = printed(table, 20)[1:]
    assert line.endswith("…")
    folded = printed(dataclasses.replace(table, fold=True), 20)[1:]
    assert "".join(line.split(" ")[-1] for line in folded) == "x" * 30


def test_sentences_are_below() -> None:
    table = Table((Column("a"),), (("1",),), notes=("a sentence that is longer than the line",))
    assert printed(table, 12) == ["a", "1", "a sentence that is longer than the line"]
