"""Linking objects that were compiled once: as they come, and at every placement."""

import dataclasses
import os
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.base.errors import BadInput
from harness.native.beside import beside_units
from harness.native.compiler import run_compiler
from harness.native.elf import alignment, function_address
from harness.native.placement import (
    CLASSES,
    LINE,
    Placements,
    spacer,
    spacer_symbol,
)


@dataclasses.dataclass(frozen=True)
class Link:
    """How objects become a library, so that it can be done again with spacers between them."""

    command: tuple[str, ...]
    """A compiler with all that it is given but the output."""
    units: tuple[Path, ...]
    """The objects of the variant, or its archive, as ``command`` names them."""
    source: Path
    """What messages are about."""
    toolchain: str
    """The name of what has compiled them."""
    folder: Path | None = None
    """Where the linker is started; None for anywhere."""
    beside: tuple[Path, ...] | None = ()
    """What else it takes that has code, but for the toolchain's own; None if that is not known."""

    def make(self, output: Path, spacers: Sequence[Path] = ()) -> None:
        """Link to ``output``, with one of ``spacers`` before each unit, or also behind them all.

        Raises:
            BadInput: the linker refuses; the sentence has what it said.
        """
        command = list(self.command)
        for unit, extra in enumerate(spacers):
            behind = unit == len(self.units)
            place = command.index(str(self.units[-1 if behind else unit]))
            command.insert(place + behind, str(extra))
            command.append(f"-Wl,-u,{spacer_symbol(unit)}")  # zig's linker knows no other form
        if spacers:
            command.append("-Wl,-s")  # there are many, and nobody looks at the names in them
        command += ["-o", str(output)]
        run_compiler(command, output, self.source, self.toolchain, self.folder)

    def make_placed(self, folder: Path, placements: Placements) -> tuple[Path, ...]:
        """Link at each of ``placements``, to files in ``folder``, in their order.

        Raises:
            BadInput: the linker refuses, or does not move the code.
        """
        wanted = placements.of_units(len(self.units))

        def link(number: int) -> Path:
            name = f"{placements.name}-{number}"
            spacers = []
            for unit, shift in enumerate(wanted[number]):
                path = folder / f"{name}-{unit}.s"
                path.write_text(spacer(unit, shift), encoding="ascii")
                spacers.append(self._in_its_place(path))
            output = folder / f"{name}.so"
            try:
                self.make(output, spacers)
            except BadInput as error:
                raise BadInput(f"is not linked at other places ({error})") from None
            return output

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            placed = tuple(pool.map(link, range(len(wanted))))
        self._check_moved(placed)
        return placed

    def _in_its_place(self, spacer: Path) -> Path:
        """Return a spacer in the form that the linker puts where it is named.

        zig puts all that it compiles or assembles itself behind the objects that it is given.
        """
        if "zig" not in self.toolchain:
            return spacer
        made = spacer.with_suffix(".o")
        place = self.command.index("cc") + 1
        command = [*self.command[:place], "-c", str(spacer), "-o", str(made)]
        run_compiler(command, made, self.source, self.toolchain, self.folder)
        return made

    def _check_moved(self, placed: Sequence[Path]) -> None:
        """Check that the function lies at as many offsets in a line as its alignment allows."""
        addresses = [function_address(path) for path in placed]
        expected = min(CLASSES, LINE // min(LINE, alignment(self.units)))
        if None in addresses or len({a % LINE for a in addresses if a is not None}) < expected:
            raise BadInput(f"is not moved by the linker of {self.toolchain}")


class RustLinker:
    """A linker for rustc that notes down what it is given; see :class:`Link`."""

    def __init__(self, scratch: Path, objects: Path | None = None) -> None:
        """Put it into ``scratch``, where rustc is to save its objects too, or in ``objects``."""
        self._objects = objects or scratch
        self._arguments = scratch / "arguments"
        self.path = scratch / "recording-cc"
        """The program, which rustc takes for what its name ends with."""
        noted = f"printf '%s\\0' \"$@\" >{shlex.quote(str(self._arguments))}"
        script = f'#!/bin/sh\n{noted}\nexec cc "$@"\n'
        self.path.write_text(script, encoding="utf-8", errors="surrogateescape")
        self.path.chmod(0o700)

    def link(self, source: Path, toolchain: str) -> Link:
        """Return how rustc has linked."""
        given = self._given()
        output = given.index("-o")
        command = [*given[:output], *given[output + 2 :]]
        objects = (Path(one) for one in command if one.endswith(".o"))
        units = tuple(one for one in objects if one.parent == self._objects)
        beside = beside_units(command, units)
        return Link(("cc", *command), units, source, toolchain, beside=beside)

    def made(self) -> Path:
        """Return the file that rustc has last had linked."""
        given = self._given()
        return Path(given[given.index("-o") + 1])

    def _given(self) -> list[str]:
        return self._arguments.read_bytes().decode(errors="surrogateescape").split("\0")[:-1]
