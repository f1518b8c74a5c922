"""Pictures of the page: a figure as inline SVG whose points know their rows of a table."""

import io
import re

from matplotlib.figure import Figure

from harness.presentation.style import house_style

_NARROW = 470
"""Points of width up to which the letters of a picture can be read on a telephone."""


def inline_svg(figure: Figure, key: str, description: str) -> str:
    """Return ``figure`` as an SVG element, as wide as there is room.

    Args:
        key: unique in the page; the names in it begin with this.
        description: for readers who do not see it.
    """
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
    # What was drawn for a telephone is shown whole on one; the rest is looked at piece by piece.
    attributes += 'class="narrow" ' if width <= _NARROW else ""
    svg = svg.replace("<svg ", f'<svg {attributes}style="max-width:{width * 1.25:.0f}px" ', 1)
    return re.sub(r"\n\s*", "\n", svg)


def _width(svg: str) -> float:
    found = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', svg)
    assert found
    return float(found[1])
