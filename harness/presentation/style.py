"""One style for every picture, and how a picture becomes files."""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.base.files import replacing

# Okabe and Ito's palette, which stays apart for colour-blind readers.
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#222222", "#8A8A8A"
# Beside it for many variants, colours of Tol's muted scheme and darker shades.
_VARIANTS = {
    "page_by_page": GREY,
    "multi_page": BLUE,
    "word_test": SKY,
    "word_sum": PURPLE,
    "avx2": VERMILLION,
    "avx512": GREEN,
    "avx512_vnni": "#882255",
    "neon": "#661100",
    "read_limit": BLACK,
    "bitmap_test_bit": "#BBBBBB",
    "bitmap_find_next": "#999933",
    "bitmap_popcount": "#332288",
    "bitmap_avx2": "#CC6677",
    "bitmap_avx512": "#117733",
    "bitmap_neon": "#AA4466",
    "bitmap_read_limit": "#555555",
    "two_level": "#7F4F24",
    "counter": "#44AA99",
    "numpy_count_nonzero": "#4477AA",
    "numpy_bitwise_count": "#66CCEE",
    "bitarray": "#CCBB44",
    "pyroaring": "#EE8866",
}
_OTHERS = ("#5E3C99", "#B2182B", "#01665E", "#8C510A")
CLAIM = ORANGE
ORIGIN_COLOURS = {
    "recorded": BLUE,
    "synthetic": GREEN,
    "captured": VERMILLION,
    "imported": PURPLE,
}
ORIGIN_MARKERS = {"synthetic": "o", "recorded": "^", "captured": "s", "imported": "D"}

_SETTINGS: dict[Any, Any] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "svg.fonttype": "none",
    # Names are anybody's, and a dollar sign in one begins no formula.
    "text.parse_math": False,
    # Ids in an SVG come from this and not from chance, so the same data make the same file.
    "svg.hashsalt": "dirtyscan",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style inside the block."""
    with mpl.rc_context(_SETTINGS):
        yield


def variant_colour(variant: str, variants: Sequence[str]) -> str:
    """Return the colour of ``variant``, the same in every picture that shows ``variants``."""
    if variant in _VARIANTS:
        return _VARIANTS[variant]
    others = [name for name in variants if name not in _VARIANTS]
    return _OTHERS[others.index(variant) % len(_OTHERS)]


def add_legend(figure: Figure, handles: Sequence[Artist], most: int, **options: Any) -> None:
    """Put a legend below ``figure``, in at most so many columns, fewer if its width asks for it."""
    for columns in range(min(most, len(handles)), 0, -1):
        legend = figure.legend(
            handles=list(handles), loc="outside lower center", ncols=columns, fontsize=9, **options
        )
        if columns == 1 or legend.get_window_extent().width <= 0.98 * figure.bbox.width:
            return
        legend.remove()


def key(label: str, **style: Any) -> Line2D:
    """Return a line of a legend."""
    return Line2D([], [], label=label, **style)


def letters_range() -> Patch:
    """Return the line of a legend that says what the bands of claims are."""
    return Patch(facecolor=CLAIM, alpha=0.28, label="the letter's range (2010)")


def mark(artist: Artist, rows: Iterable[int]) -> None:
    """Note that the points of ``artist`` show these rows of the table, for who hovers over them."""
    artist.set_gid("-".join(("rows", *(str(int(row)) for row in rows))))


def note(axes: Axes, text: str) -> None:
    """Put a line of small print above the axes, under the title."""
    axes.annotate(
        text, (0, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points",
        fontsize=8.5, color="#555555",
    )  # fmt: skip


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write ``figure`` as PNG and SVG and return the paths.

    Raises:
        BadInput: a file cannot be written.
    """
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    for path in paths:
        data = io.BytesIO()
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        with house_style():  # some settings take effect only now
            figure.savefig(data, format=path.suffix[1:], metadata=metadata, bbox_inches="tight")
        with replacing(path) as file:
            file.write(data.getvalue())
    return paths
