"""The code of a variant, from the object files that it is linked of: what tells it from another."""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import Relocation, RelocationSection
from elftools.elf.sections import Section, SymbolTableSection

from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.native.archive import Archive, UnreadableArchive
from harness.native.contract import VariantStruct
from harness.native.elf import VARIANT, is_code, open_elf
from harness.native.variant import OBJECT

_NUMBERS = slice(VariantStruct.bound.offset, VariantStruct.run.offset)
"""How it is called and judged; behind ``bound``, older versions of the contract have zeros."""
_FUNCTIONS = {getattr(VariantStruct, name).offset: name for name in ("run", "prepare", "finish")}
_NAMES = tuple(
    getattr(VariantStruct, name).offset for name in ("operation", "map", "requires", "paid_in")
)


def code_hash(
    units: Sequence[Path], beside: Iterable[Path] | None = (), symbol: str = VARIANT
) -> str:
    """Return what stands for the code of a variant in object files, wherever it comes to lie.

    That is every section of instructions that ``dirtyscan_variant`` leads to, with its relocations,
    whatever they refer to, as jump tables and constants, and so on from there, from object to
    object; and what ``dirtyscan_variant`` says, but for the year and the summary. If there is none,
    it is all sections of instructions. Names of sections and of what the objects define do not
    count, nor what nothing refers to. What no object defines, as the functions of the system's
    libraries, counts by its name.

    Args:
        units: the objects of the variant itself.
        beside: objects and archives that are linked to it; None if some of that cannot be read.
        symbol: what is called ``dirtyscan_variant`` in the objects.

    Returns:
        It, or nothing if the code cannot be read: it is in an archive among the units, is in none
        of the files that are known, or is yet to be made by the linker.
    """
    if not units or beside is None:
        return ""
    digest = hashlib.sha256()
    try:
        beside = list(beside)
        objects = [*units, *(path for path in beside if path.suffix == OBJECT)]
        archives = [Archive(path) for path in beside if path.suffix != OBJECT]
        read = [open_elf(read_file(path)) for path in objects]
        for part in _Code(read, archives, symbol).parts():
            digest.update(part)
    except (ELFError, UnreadableArchive, BadInput):  # or a file is gone that was linked then
        return ""
    return digest.hexdigest()


_Place = tuple[int, int]
"""A section: the number of its object file, and its own number there."""


class _Code:
    """The sections of object files that the contract leads to, or else all instructions."""

    def __init__(
        self, objects: Sequence[ELFFile], archives: Sequence[Archive], symbol: str
    ) -> None:
        self._archives = archives
        self._symbol = symbol
        self._taken: set[tuple[int, int]] = set()
        """The members that were taken out of archives: which of these, and where it begins."""
        self._count = 0
        """Of object files."""
        self._sections: dict[_Place, Section] = {}
        self._relocations: dict[_Place, RelocationSection] = {}
        """Those of each section that has any."""
        self._defined: dict[str, tuple[_Place, int, int]] = {}
        """Where a name that other objects may use is defined: a section, bytes into it, size."""
        self._reached: dict[_Place, int] = {}
        """How many sections had been reached before each."""
        for elf in objects:
            self._add(elf)

    def parts(self) -> Iterator[bytes]:
        """Yield all that stands for the code.

        Raises:
            ELFError: some of it cannot be read.
            UnreadableArchive: the same.
        """
        if self._find(self._symbol):
            yield from self._contract()
        else:
            self._reach_all()
        for place in _growing(self._reached):
            section = self._sections[place]
            content = b"" if section["sh_type"] == "SHT_NOBITS" else section.data()
            yield f"\n{section['sh_size']} {section['sh_addralign']} ".encode() + content
            for relocation in self._relocations_of(place):
                where = f"\n{relocation['r_offset']} {relocation['r_info_type']} "
                yield (where + self._target(place, relocation)).encode()

    def _add(self, elf: ELFFile) -> None:
        """Take an object file in, with what runs when it is loaded.

        Raises:
            ELFError: it is of a kind that a compiler's plug-in makes code of when it is linked, or
                has so many sections that they are numbered in another way.
        """
        number = self._count
        self._count += 1
        for index, section in enumerate(elf.iter_sections()):
            self._sections[number, index] = section
            if section.name.startswith(".gnu.lto"):
                raise ELFError("its code is yet to be made")
            if isinstance(section, RelocationSection):
                self._relocations[number, int(section["sh_info"])] = section
            if section["sh_type"] == "SHT_INIT_ARRAY":
                self._reach((number, index))
        table = elf.get_section_by_name(".symtab")
        for symbol in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
            index = symbol["st_shndx"]
            if index == "SHN_XINDEX":
                raise ELFError("it has more sections than fit into a number")
            if isinstance(index, int) and symbol["st_info"]["bind"] != "STB_LOCAL":
                place = (number, index), symbol["st_value"], symbol["st_size"]
                self._defined.setdefault(symbol.name, place)

    def _reach_all(self) -> None:
        for place, section in self._sections.items():
            if is_code(section):
                self._reach(place)

    def _find(self, name: str) -> tuple[_Place, int, int] | None:
        """Return where a name is defined, as the linker finds it: archives are asked in turn."""
        if name in self._defined:
            return self._defined[name]
        for number, archive in enumerate(self._archives):
            start = archive.place_of(name)
            if start is not None and (number, start) not in self._taken:
                self._taken.add((number, start))
                self._add(open_elf(archive.member(start)))
                break
        return self._defined.get(name)

    def _contract(self) -> Iterator[bytes]:
        place, start, size = self._defined[self._symbol]
        variant = self._sections[place].data()[start : start + size]
        yield variant[_NUMBERS]
        for relocation in self._relocations_of(place):
            field = relocation["r_offset"] - start
            if field in _FUNCTIONS and field < len(variant):
                target = self._target(place, relocation)
                yield f"\n{_FUNCTIONS[field]} {target}".encode()
            elif field in _NAMES:
                yield f"\n{field} ".encode() + self._text(place, relocation)

    def _relocations_of(self, place: _Place) -> Iterator[Relocation]:
        if found := self._relocations.get(place):
            yield from found.iter_relocations()

    def _resolve(self, place: _Place, relocation: Relocation) -> tuple[_Place | str, int]:
        """Return the section, or the symbol that is in no object, and the bytes from there."""
        number, _ = place
        table = self._sections[number, self._relocations[place]["sh_link"]]
        assert isinstance(table, SymbolTableSection)
        symbol = table.get_symbol(relocation["r_info_sym"])
        if self._relocations[place].is_RELA():
            addend = int(relocation["r_addend"])
        else:
            data = self._sections[place].data()
            (addend,) = struct.unpack_from("<i", data, relocation["r_offset"])
        index = symbol["st_shndx"]
        if isinstance(index, int):
            return (number, index), symbol["st_value"] + addend
        if found := self._find(symbol.name):
            return found[0], found[1] + addend
        return symbol.name, symbol["st_value"] + addend

    def _target(self, place: _Place, relocation: Relocation) -> str:
        where, offset = self._resolve(place, relocation)
        return f"{where if isinstance(where, str) else self._reach(where)} {offset}"

    def _text(self, place: _Place, relocation: Relocation) -> bytes:
        where, offset = self._resolve(place, relocation)
        data = b"" if isinstance(where, str) else self._sections[where].data()
        return bytes(data[offset:].split(b"\0")[0])

    def _reach(self, place: _Place) -> int:
        return self._reached.setdefault(place, len(self._reached))


def _growing(reached: dict[_Place, int]) -> Iterator[_Place]:
    """Yield the keys of what grows meanwhile."""
    done = 0
    while done < len(reached):
        yield list(reached)[done]
        done += 1
