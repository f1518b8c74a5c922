"""What object files and libraries hold, from ELF: where a function lies, and which code it is."""

import hashlib
import io
import struct
from collections.abc import Iterable, Iterator
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
    """Return what stands for the code in object files, wherever it comes to lie.

    That is every section of instructions with its relocations, whatever they refer to, as jump
    tables and constants, and so on from there; and what ``dirtyscan_variant`` says, but for the
    year and the summary. Names of sections and of what the file itself defines do not count, nor
    what nothing refers to. Empty if an object's code cannot be read: it is in an archive, or is yet
    to be made by the linker.
    """
    digest = hashlib.sha256()
    try:
        for path in objects:
            code = _Code(_open(path))
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


class _Code:
    """The sections of one object file that its instructions, and the contract, lead to."""

    def __init__(self, elf: ELFFile) -> None:
        self._elf = elf
        self._sections = list(elf.iter_sections())
        self._relocations = {
            int(section["sh_info"]): section
            for section in self._sections
            if isinstance(section, RelocationSection)
        }
        self._reached: dict[int, int] = {}
        """By the number of a section, how many had been reached before it."""

    def is_made_by_the_linker(self) -> bool:
        """Say whether it holds what a compiler's plug-in makes code of when it is linked."""
        return any(section.name.startswith(".gnu.lto") for section in self._sections)

    def parts(self) -> Iterator[bytes]:
        """Yield all that stands for the code."""
        for number, section in enumerate(self._sections):
            if _is_code(section) or section["sh_type"] == "SHT_INIT_ARRAY":
                self._reach(number)
        yield from self._contract()
        for number in _growing(self._reached):
            section = self._sections[number]
            content = b"" if section["sh_type"] == "SHT_NOBITS" else section.data()
            yield f"\n{section['sh_size']} {section['sh_addralign']} ".encode() + content
            for relocation in self._relocations_of(number):
                where = f"\n{relocation['r_offset']} {relocation['r_info_type']} "
                yield (where + self._target(number, relocation)).encode()

    def _contract(self) -> Iterator[bytes]:
        table = self._elf.get_section_by_name(".symtab")
        assert table is None or isinstance(table, SymbolTableSection)
        found = table.get_symbol_by_name(VARIANT) if table else None
        if not found or not isinstance(found[0]["st_shndx"], int):
            return
        number, start = found[0]["st_shndx"], found[0]["st_value"]
        variant = self._sections[number].data()[start : start + found[0]["st_size"]]
        yield variant[_NUMBERS]
        for relocation in self._relocations_of(number):
            field = relocation["r_offset"] - start
            if field in _FUNCTIONS and field < len(variant):
                target = self._target(number, relocation)
                yield f"\n{_FUNCTIONS[field]} {target}".encode()
            elif field in _NAMES:
                yield f"\n{field} ".encode() + self._text(number, relocation)

    def _relocations_of(self, number: int) -> Iterator[Relocation]:
        if found := self._relocations.get(number):
            yield from found.iter_relocations()

    def _resolve(self, number: int, relocation: Relocation) -> tuple[int | str, int]:
        """Return the section, or the symbol that is not in this file, and the bytes from there."""
        table = self._sections[self._relocations[number]["sh_link"]]
        assert isinstance(table, SymbolTableSection)
        symbol = table.get_symbol(relocation["r_info_sym"])
        if self._relocations[number].is_RELA():
            addend = int(relocation["r_addend"])
        else:
            data = self._sections[number].data()
            (addend,) = struct.unpack_from("<i", data, relocation["r_offset"])
        where = symbol["st_shndx"]
        return (where if isinstance(where, int) else symbol.name), symbol["st_value"] + addend

    def _target(self, number: int, relocation: Relocation) -> str:
        where, offset = self._resolve(number, relocation)
        return f"{self._reach(where) if isinstance(where, int) else where} {offset}"

    def _text(self, number: int, relocation: Relocation) -> bytes:
        where, offset = self._resolve(number, relocation)
        data = self._sections[where].data() if isinstance(where, int) else b""
        return bytes(data[offset:].split(b"\0")[0])

    def _reach(self, number: int) -> int:
        return self._reached.setdefault(number, len(self._reached))


def _growing(reached: dict[int, int]) -> Iterator[int]:
    """Yield the keys of what grows meanwhile."""
    done = 0
    while done < len(reached):
        yield list(reached)[done]
        done += 1
