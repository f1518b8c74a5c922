"""Pictures of the page: a figure as inline SVG whose points know their rows of a table."""

import dataclasses
import io
import re

import pandas as pd
from matplotlib.figure import Figure

from harness.presentation.style import house_style


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture, and the table that it shows."""

    key: str
    """Unique in the page."""
    of: str
    """The name of the result."""
    description: str
    """For readers who do not see it."""
    svg: str
    table: pd.DataFrame
    shown: tuple[str, ...]
    """The columns that hovering over a point shows."""

    @property
    def csv(self) -> str:
        """The table as CSV."""
        return str(self.table.to_csv(index=False, float_format="%.6g"))


def make_picture(
    key: str, of: str, description: str, figure: Figure, table: pd.DataFrame, shown: tuple[str, ...]
) -> Picture:
    """Return ``figure``, whose artists are marked with rows of ``table``, as a picture."""
    return Picture(key, of, description, _inline(figure, key, description), table, shown)


def _inline(figure: Figure, key: str, description: str) -> str:
    """Return ``figure`` as an SVG element with names that are its own, as wide as there is room."""
    text = io.StringIO()
    with house_style():
        figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches="tight")
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'id="rows-([\d-]+)(?:_\d+)?"', r'data-rows="\1"', svg)
    # Ids are the document's: those of two figures must not meet.
    svg = re.sub(r'\bid="', f'id="{key}-', svg)
    svg = re.sub(r"url\(#", f"url(#{key}-", svg)
    svg = re.sub(r'xlink:href="#', f'xlink:href="#{key}-', svg)
    width = _width(svg)
    label = re.sub(r'[<>&"]', " ", description)
    attributes = f'role="img" aria-label="{label}" data-width="{width:.0f}" '
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    svg = svg.replace("<svg ", f'<svg {attributes}style="max-width:{width * 1.25:.0f}px" ', 1)
    return re.sub(r"\n\s*", "\n", svg)


def _width(svg: str) -> float:
    found = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', svg)
    assert found
    return float(found[1])
