"""What object files and libraries hold, from ELF: where a function lies, and which code it is."""

import hashlib
import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import Relocation, RelocationSection
from elftools.elf.sections import Section, SymbolTableSection

from harness.base.files import read_file
from harness.native.contract import VariantStruct

VARIANT = "dirtyscan_variant"
"""What a variant's description is called in its library."""
_RUN = VariantStruct.run.offset
_NUMBERS = slice(VariantStruct.bound.offset, _RUN)
"""How it is called and judged; behind ``bound``, older versions of the contract have zeros."""
_FUNCTIONS = {getattr(VariantStruct, name).offset: name for name in ("run", "prepare", "finish")}
_NAMES = tuple(
    getattr(VariantStruct, name).offset for name in ("operation", "map", "requires", "paid_in")
)
_PAGE = 4096


def function_address(library: Path) -> int | None:
    """Return where a linked variant's function lies in its file's mapping; None if it is unknown.

    ``dirtyscan_variant`` holds a pointer, which the dynamic linker fills in when it loads the
    library: the relocation that tells it how also says where the function is.
    """
    try:
        elf = _open(library)
        symbols = elf.get_section_by_name(".dynsym")
        assert isinstance(symbols, SymbolTableSection)
        named = symbols.get_symbol_by_name(VARIANT)
        assert named is not None
        where = named[0]["st_value"] + _RUN
        for section in elf.iter_sections():
            if not (isinstance(section, RelocationSection) and section.is_RELA()):
                continue
            for relocation in section.iter_relocations():
                if relocation["r_offset"] == where:
                    symbol = symbols.get_symbol(relocation["r_info_sym"])
                    return int(symbol["st_value"] + relocation["r_addend"])
    except (ELFError, ValueError, AssertionError):  # damaged, or for something else
        pass
    return None


def alignment(objects: Iterable[Path]) -> int:
    """Return the strictest alignment that code in object files asks for, in bytes.

    That of a page, which no code asks for, if one of them cannot be read.
    """
    try:
        asked = [
            int(section["sh_addralign"])
            for path in objects
            for section in _open(path).iter_sections()
            if _is_code(section)
        ]
    except ELFError:
        return _PAGE
    return max(asked, default=1)


def code_hash(objects: Iterable[Path]) -> str:
    """Return what stands for the code of a variant in object files, wherever it comes to lie.

    That is every section of instructions that ``dirtyscan_variant`` leads to, with its relocations,
    whatever they refer to, as jump tables and constants, and so on from there, from object to
    object; and what ``dirtyscan_variant`` says, but for the year and the summary. If there is none,
    it is all sections of instructions. Names of sections and of what the objects define do not
    count, nor what nothing refers to. Empty if an object's code cannot be read: it is in an
    archive, or is yet to be made by the linker.
    """
    digest = hashlib.sha256()
    try:
        code = _Code([_open(path) for path in objects])
        if code.is_made_by_the_linker():
            return ""
        for part in code.parts():
            digest.update(part)
    except ELFError:
        return ""
    return digest.hexdigest()


def _open(path: Path) -> ELFFile:
    return ELFFile(io.BytesIO(read_file(path)))


def _is_code(section: Section) -> bool:
    return bool(section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR and section["sh_size"])


_Place = tuple[int, int]
"""A section: the number of its object file, and its own number there."""


class _Code:
    """The sections of object files that the contract leads to, or else all instructions."""

    def __init__(self, objects: Sequence[ELFFile]) -> None:
        self._sections = {
            (number, place): section
            for number, elf in enumerate(objects)
            for place, section in enumerate(elf.iter_sections())
        }
        self._relocations = {
            (number, int(section["sh_info"])): section
            for (number, _), section in self._sections.items()
            if isinstance(section, RelocationSection)
        }
        self._defined: dict[str, tuple[_Place, int]] = {}
        """Where a name that other objects may use is defined: a section, and bytes into it."""
        self._size = 0
        """Of what the contract asks for, in bytes."""
        for number, elf in enumerate(objects):
            self._define(number, elf)
        self._reached: dict[_Place, int] = {}
        """How many sections had been reached before each."""

    def is_made_by_the_linker(self) -> bool:
        """Say whether some is what a compiler's plug-in makes code of when it is linked."""
        return any(section.name.startswith(".gnu.lto") for section in self._sections.values())

    def parts(self) -> Iterator[bytes]:
        """Yield all that stands for the code."""
        yield from self._contract()
        for place, section in self._sections.items():
            of_all = VARIANT not in self._defined and _is_code(section)
            if of_all or section["sh_type"] == "SHT_INIT_ARRAY":
                self._reach(place)
        for place in _growing(self._reached):
            section = self._sections[place]
            content = b"" if section["sh_type"] == "SHT_NOBITS" else section.data()
            yield f"\n{section['sh_size']} {section['sh_addralign']} ".encode() + content
            for relocation in self._relocations_of(place):
                where = f"\n{relocation['r_offset']} {relocation['r_info_type']} "
                yield (where + self._target(place, relocation)).encode()

    def _define(self, number: int, elf: ELFFile) -> None:
        table = elf.get_section_by_name(".symtab")
        for symbol in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
            section, binding = symbol["st_shndx"], symbol["st_info"]["bind"]
            if isinstance(section, int) and binding != "STB_LOCAL":
                self._defined.setdefault(symbol.name, ((number, section), symbol["st_value"]))
                if symbol.name == VARIANT:
                    self._size = symbol["st_size"]

    def _contract(self) -> Iterator[bytes]:
        if VARIANT not in self._defined:
            return
        place, start = self._defined[VARIANT]
        variant = self._sections[place].data()[start : start + self._size]
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
        section = symbol["st_shndx"]
        if isinstance(section, int):
            return (number, section), symbol["st_value"] + addend
        if symbol.name in self._defined:
            found, start = self._defined[symbol.name]
            return found, start + addend
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
