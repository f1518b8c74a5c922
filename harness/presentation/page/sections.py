"""Sections of the page: each a picture and a table for every result that has its data."""

import dataclasses
from collections.abc import Sequence

from harness.presentation.page.contents import CONTENTS
from harness.presentation.page.picture import Picture, make_picture
from harness.presentation.page.stored import Stored
from harness.presentation.page.tables import Table


@dataclasses.dataclass(frozen=True)
class Section:
    """One part of the page."""

    key: str
    title: str
    said: str
    """What to see, in two sentences."""
    command: str
    pictures: tuple[Picture, ...]
    tables: tuple[tuple[str, Table], ...]
    """By the name of the result."""
    provenance: tuple[str, ...]
    """When each result was measured, and of which commit."""


def make_sections(results: Sequence[Stored]) -> list[Section]:
    """Return the sections for which any of ``results`` has data, the main one first."""
    sections = []
    for entry in CONTENTS:
        pictures, tables, provenance = [], [], []
        for number, result in enumerate(results):
            rows = entry.rows(result)
            if rows is None or rows.empty:
                continue
            rows = rows.reset_index(drop=True)
            key = f"{entry.key}-{number}"
            description = f"{entry.title}, {result.name}"
            figure = entry.draw(result, rows)
            pictures.append(make_picture(key, result.name, description, figure, rows, entry.shown))
            tables.append((result.name, entry.table(rows)))
            provenance.append(result.provenance.get(entry.key) or result.provenance[""])
        if pictures:
            sections.append(
                Section(
                    entry.key,
                    entry.title,
                    entry.said,
                    entry.command,
                    tuple(pictures),
                    tuple(tables),
                    tuple(dict.fromkeys(filter(None, provenance))),
                )
            )
    return sections
