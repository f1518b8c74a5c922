"""What is linked beside the units of a variant, which is its code too where it is called.

Of a Cargo package that is the library of the package itself, and those of all that it depends on.
Of what a link takes besides that cannot be read (a library by its name alone, a shared object, a
word to the linker), nobody knows from its objects whether it is what it was.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from harness.native.variant import ARCHIVE, OBJECT

_RUST_LIBRARY = ".rlib"
_OF_RUST = re.compile(r".*/lib/rustlib/[^/]+/lib/.+")
"""What comes with rustc: another only where rustc is, which gives its functions other names."""
_NO_CODE = re.compile(
    # Where to look, for what, and the libraries of the system that Rust's own is linked to.
    r"-m\d+|-shared|-nodefaultlibs|-nostartfiles|-L.+|-fuse-ld=.+|-B.*/lib/rustlib/.*"
    r"|-l(gcc_s|gcc_eh|gcc|util|rt|pthread|m|dl|c)"
    r"|-Wl(,-z,[\w=-]+)+|-Wl,(--version-script=[^,]*|-O\d|-B(static|dynamic)|--gc-sections"
    r"|--strip-(debug|all)|--(no-)?as-needed|--no-undefined-version|--eh-frame-hdr"
    r"|--(start|end)-group|--fix-cortex-a53-843419)"
)
_COMPILES = re.compile(
    r"-[DIU].+|-O.*|-m.+|-f(?!use-ld).+|-W(?!l,).*|-std=.+|-g\w*|-i(system|quote|dirafter).+"
    r"|-pthread|-pipe|-pedantic(-errors)?|-ansi|-w"
)
"""Options of a C compiler that change what it makes of a unit, and bring nothing to link."""
_COMPILES_NEXT = (
    *("-D", "-I", "-U", "-include", "-imacros"),
    *("-isystem", "-iquote", "-idirafter"),
)
"""Such options that stand before what they are about."""


def beside_units(linked: Sequence[str], units: Collection[Path]) -> tuple[Path, ...] | None:
    """Return the objects and archives that rustc has linked to ``units``, but for its own.

    Args:
        linked: what it has given the linker, without the output.

    Returns:
        None if there is something among it that cannot be read.
    """
    found: list[Path] = []
    words = iter(linked)
    for word in words:
        if word == "-L":
            next(words, "")
        elif not word.startswith("-"):
            path = Path(word)
            if path.suffix not in (OBJECT, ARCHIVE, _RUST_LIBRARY):
                return None
            if path not in units and not _OF_RUST.fullmatch(word):
                found.append(path)
        elif not _NO_CODE.fullmatch(word):
            return None
    return tuple(found)


def only_compile(options: Iterable[str]) -> bool:
    """Say whether ``options`` of a C compiler bring nothing to what it links."""
    words = iter(options)
    for word in words:
        if word in _COMPILES_NEXT:
            next(words, "")
        elif not _COMPILES.fullmatch(word):
            return False
    return True
