"""Placement: where code comes to lie within a page, which decides times that its bytes do not.

The same instructions, linked some bytes further on, can take 1.8 times as long: a loop of a few
instructions is faster while it fits into one line of the cache that instructions are fetched from
(64 bytes), and what a branch predictor takes for the same branch depends on addresses too. Which of
it a build gets is decided by whatever lies before it. So every variant is linked several times: in
each *class*, an offset of 0, 16, 32 or 48 bytes within a line, which explains nearly all of it, and
for each class at several places within a page, which are drawn. They leave half a page to the code,
as what reaches into a second page without need takes longer to be fetched when it is first called.
``docs/statistics.md`` has figures.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

LINE = 64
"""Bytes of a line of the instruction cache, on every CPU that dirtyscan has variants for."""
STEP = 16
"""What compilers align functions to, so that code comes to lie at multiples of it."""
CLASSES = LINE // STEP
DRAWS = 4
"""How often each class is linked, at different lines of a page."""
_PAGE = 4096
_ROOM = _PAGE // LINE // 2
"""Lines of a page that may lie before and between units, and the least that is left to these."""


Placement = tuple[int, ...]
"""By unit of a variant, the bytes from the beginning of some line to its code; for what is linked
behind its units, such as the compiler's own library, one more if that is to be moved too."""


@dataclasses.dataclass(frozen=True)
class Placements:
    """The placements that something is linked at, whatever it is."""

    name: str
    """In names of files."""
    of_units: Callable[[int], tuple[Placement, ...]]
    """Returns them for a number of units."""


def draw_placements(units: int) -> tuple[Placement, ...]:
    """Return all classes of the first draw, then those of the second and so on.

    They are the same for every variant of ``units`` units, so that two versions of one meet the
    same. Each unit is shifted by itself, to its own line but the same class: however long the code
    before it is, it lies the same in both.
    """
    random = np.random.default_rng(units)
    placements = []
    for number in range(DRAWS * CLASSES):
        lines = _draw_lines(random, units)
        placements.append(tuple(line * LINE + number % CLASSES * STEP for line in lines))
    return tuple(placements)


def cross_placements(units: int) -> tuple[Placement, ...]:
    """Return all combinations of the classes of any two units, or of one and what is linked behind.

    Where one unit calls another, both matter, and an edit of the one moves only what is in it:
    with the same class for both, as :func:`draw_placements` has it, code would meet other
    combinations after the edit than before. The classes are an orthogonal array of strength 2 over
    the field of four elements (R. C. Bose and K. A. Bush, "Orthogonal arrays of strength two and
    three", Annals of Mathematical Statistics 23, 1952), which has five columns; further units share
    them. Every placement is to be measured, then, as only all together have each combination once.
    """
    random = np.random.default_rng(units)
    placements = []
    for number in range(CLASSES**2):
        one, other = number % CLASSES, number // CLASSES
        classes = [one, *(other ^ _PRODUCTS[factor][one] for factor in range(CLASSES))]
        lines = _draw_lines(random, units + 1)
        placements.append(
            tuple(
                line * LINE + classes[unit % len(classes)] * STEP for unit, line in enumerate(lines)
            )
        )
    return tuple(placements)


# Of the field with the elements 0, 1, x and x + 1, whose sum is "exclusive or".
_PRODUCTS = ((0, 0, 0, 0), (0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2))


def _draw_lines(random: np.random.Generator, parts: int) -> list[int]:
    """Draw a number of lines for each part, which together with a class each fit into the room.

    They are 1 at least, as what has no length has no place either.
    """
    most = max(1, _ROOM // parts - 1)
    return [int(lines) for lines in random.integers(1, most + 1, size=parts)]


def every_offset(units: int) -> tuple[Placement, ...]:
    """Return the placements at each byte of a line, for ``units`` units that let it be so."""
    return tuple((LINE + byte,) * units for byte in range(LINE))


DRAWN = Placements("placed", draw_placements)
CROSSED = Placements("crossed", cross_placements)
EVERY_OFFSET = Placements("offset", every_offset)


def spacer_symbol(unit: int) -> str:
    """Return the symbol of the spacer before a unit."""
    return f"dirtyscan_spacer_{unit}"


def spacer(unit: int, shift: int) -> str:
    """Return assembly behind which code lies ``shift`` bytes from the beginning of a line.

    That is the first line of a page before the first unit. It is never executed. Its symbol lets a
    linker be asked to keep it, where unused code goes.
    """
    symbol = spacer_symbol(unit)
    return (
        f"\t.text\n\t.balign {LINE if unit else _PAGE}\n\t.globl {symbol}\n\t.hidden {symbol}\n"
        f'{symbol}:\n\t.skip {shift}\n\t.section .note.GNU-stack,"",%progbits\n'
    )
