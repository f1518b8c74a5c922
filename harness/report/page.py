"""The page as HTML: sections in a template, with nothing that is not in the file."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness import __version__
from harness.base.files import read_file, write_text
from harness.presentation.table import Table
from harness.report.answer import answer
from harness.report.by_cpu import tables_by_cpu
from harness.report.contents import all_sections
from harness.report.picture import inline_svg
from harness.report.run_table import noise_floor
from harness.report.section import Section
from harness.report.stored import Stored, commit_of
from harness.results.environment import before_each

_TEMPLATES = Path(__file__).parent / "templates"
_QUESTION = "Does it pay to check dirty pages several at a time?"


def write_page(folders: Sequence[Path], path: Path) -> Path:
    """Write the page of the results in ``folders`` to ``path`` and return it.

    Raises:
        BadInput: a result cannot be read, or the file cannot be written.
    """
    write_text(path, render_page([Stored(folder) for folder in folders]))
    return path


def render_page(results: Sequence[Stored]) -> str:
    """Return the page of ``results`` as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    # Their text comes from this package alone.
    own = {name: Markup(read_file(_TEMPLATES / f"page.{name}").decode()) for name in ("css", "js")}
    return environment.get_template("page.html.jinja").render(
        question=_QUESTION,
        answers=[
            (result, answer(result.speedups, before_each(result.environment))) for result in results
        ],
        several=len(results) > 1,
        sections=make_pieces(results),
        aligned=tables_by_cpu(results),
        machines=[(result, machine(result)) for result in results],
        noise=[(result.name, noise_floor(result.speedups)) for result in results],
        svg=Markup,
        version=__version__,
        **own,
    )


@dataclasses.dataclass(frozen=True)
class Piece:
    """What one result has of a section, or several that have the same."""

    key: str
    """Unique in the page."""
    of: str
    """The names of the results."""
    svg: str
    csv: str
    """What the picture shows."""
    figures: Table
    provenance: str
    """When it was measured, and of which commit."""


def make_pieces(results: Sequence[Stored]) -> list[tuple[Section, list[Piece]]]:
    """Return what ``results`` have of each section, without those of which they have nothing."""
    made = []
    for section in all_sections():
        alike: dict[object, list[Stored]] = {}
        for number, result in enumerate(results):
            shows = _contents(result) if section.of_traces else number
            alike.setdefault(shows, []).append(result)
        pieces = (_piece(section, group, number) for number, group in enumerate(alike.values()))
        if found := [piece for piece in pieces if piece]:
            made.append((section, found))
    return made


def _contents(result: Stored) -> tuple[tuple[str, str], ...]:
    """Return what tells the traces of a result from those of another."""
    return tuple((trace.source.origin, trace.content_hash) for trace in result.traces)


def _piece(section: Section, alike: Sequence[Stored], number: int) -> Piece | None:
    """Return what the first of ``alike`` has of a section, which the others have as well."""
    result = alike[0]
    rows = section.rows(result)
    if rows is None or rows.empty:
        return None
    rows = rows.reset_index(drop=True)
    key, of = f"{section.key}-{number}", ", ".join(one.name for one in alike)
    figure = section.draw(result, rows)
    measured = dict.fromkeys(one.provenance(section.key) for one in alike)
    return Piece(
        key,
        of,
        inline_svg(figure, key, f"{section.title}, {of}"),
        str(rows.to_csv(index=False, float_format="%.6g")),
        section.figures(rows),
        "; ".join(filter(None, measured)),
    )


def machine(result: Stored) -> list[tuple[str, str]]:
    """Return what is known of the machine that ``result`` was measured on."""
    environment: Mapping[str, Any] = result.environment
    if not environment:
        return [("measured", result.date)]
    cpu, state = environment["cpu"], environment.get("machine", {})
    generation = f" ({cpu['generation']})" if cpu.get("generation") else ""
    facts = [
        ("measured", result.date),
        ("dirtyscan", f"{environment['dirtyscan']}, {commit_of(environment)}"),
        (
            "CPU",
            f"{cpu['model']}{generation}, {cpu['architecture']}, {cpu['usable']} of its "
            f"{cpu['count']} processors",
        ),
        ("caches", ", ".join(f"{name} {size}" for name, size in cpu["caches"].items())),
        ("kernel", environment["kernel"]),
        ("Python", environment["python"]),
    ]
    facts += [
        (made["name"], f"{made['version']}: {' '.join(made['flags'])}")
        for made in environment["toolchains"]
    ]
    facts += list(state.get("state", {}).items())
    facts += [("disturbed by", evidence) for evidence in state.get("disturbed", [])]
    layout = environment["layout"]
    facts += [("left out", sentence) for sentence in layout.get("left_out", [])]
    facts += [("placement", sentence) for sentence in layout.get("unvaried", [])]
    return facts
