"""The page as HTML: sections in a template, with nothing that is not in the file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness import __version__
from harness.presentation.answer import answer
from harness.presentation.page.sections import make_sections
from harness.presentation.page.stored import Stored, read_stored
from harness.results.speedups import half_width
from workloads.files import read_file, write_text

_TEMPLATES = Path(__file__).parent.parent / "templates"
_QUESTION = "Does it pay to check dirty pages several at a time?"


def write_page(folders: Sequence[Path], path: Path) -> Path:
    """Write the page of the results in ``folders`` to ``path`` and return it.

    Raises:
        BadInput: a result cannot be read, or the file cannot be written.
    """
    write_text(path, render_page([read_stored(folder) for folder in folders]))
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
        answers=[(result, answer(result.speedups)) for result in results],
        several=len(results) > 1,
        sections=make_sections(results),
        aligned=aligned(results),
        machines=[(result, machine(result)) for result in results],
        noise=[(result.name, noise_floor(result)) for result in results],
        svg=Markup,
        version=__version__,
        **own,
    )


def aligned(results: Sequence[Stored]) -> list[list[str]]:
    """Return the speedups of several results beside each other, a row a trace and variant."""
    if len(results) < 2:
        return []
    table = [["trace", "variant", *(result.name for result in results)]]
    keys = ["condition", "origin", "variant", "toolchain"]
    cells: dict[tuple[str, ...], list[str]] = {}
    for place, result in enumerate(results):
        rows = result.speedups[~result.speedups["noise_floor"]]
        for row in rows.to_dict("records"):
            key = tuple(str(row[name]) for name in keys)
            line = cells.setdefault(key, [""] * len(results))
            line[place] = f"{row['speedup']:.3g} ± {half_width(row):.1%}"
    for (condition, origin, variant, toolchain), line in cells.items():
        table.append([f"{condition.capitalize()}, {origin}", f"{variant} ({toolchain})", *line])
    return table


def noise_floor(result: Stored) -> str:
    """Say what the original gave against itself; empty if it was not measured."""
    rows = result.speedups[result.speedups["noise_floor"]]
    if rows.empty:
        return ""
    low, high = rows["speedup"].min(), rows["speedup"].max()
    return f"{rows['original'].iloc[0]} against itself gave {low:.4f} to {high:.4f} on every trace"


def machine(result: Stored) -> list[tuple[str, str]]:
    """Return what is known of the machine that ``result`` was measured on."""
    environment: Mapping[str, Any] = result.environment
    if not environment:
        return [("measured", result.date)]
    cpu, state = environment["cpu"], environment.get("machine", {})
    facts = [
        ("measured", result.date),
        ("dirtyscan", f"{environment['dirtyscan']}, commit {environment['git_commit']}"),
        ("CPU", f"{cpu['model']}, {cpu['usable']} of {cpu['count']} CPUs, {cpu['architecture']}"),
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
    facts += [("left out", sentence) for sentence in environment["layout"].get("left_out", [])]
    return facts
