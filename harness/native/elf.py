"""What object files and libraries hold, from ELF: their sections, and where a function lies."""

import io
from collections.abc import Iterable
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import Section, SymbolTableSection

from harness.base.files import read_file
from harness.native.contract import VariantStruct

VARIANT = "dirtyscan_variant"
"""What a variant's description is called in its library."""
_RUN = VariantStruct.run.offset
_PAGE = 4096


def function_address(library: Path) -> int | None:
    """Return where a linked variant's function lies in its file's mapping; None if it is unknown.

    ``dirtyscan_variant`` holds a pointer, which the dynamic linker fills in when it loads the
    library: the relocation that tells it how also says where the function is.
    """
    try:
        elf = open_elf(read_file(library))
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
            for section in open_elf(read_file(path)).iter_sections()
            if is_code(section)
        ]
    except ELFError:
        return _PAGE
    return max(asked, default=1)


def open_elf(content: bytes) -> ELFFile:
    """Return what an object file or a library with ``content`` holds.

    Raises:
        ELFError: it is none.
    """
    return ELFFile(io.BytesIO(content))


def is_code(section: Section) -> bool:
    """Say whether a section has instructions."""
    return bool(section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR and section["sh_size"])
