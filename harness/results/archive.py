"""The archive that a pack is: its members, each looked at before it is unpacked."""

import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.text import shortened, shown
from harness.results.members import LARGEST_MEMBER
from harness.results.pack_size import LARGEST_RESULT, MOST_MEMBERS

PART = r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}"
NAME = re.compile(rf"(?:{PART}/)?{PART}\.(?:csv|json)", re.ASCII)
REMEDY = "ask for it anew, made by 'dirtyscan results pack'"


def read_members(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every member, each looked at before it is unpacked.

    Raises:
        BadInput: one is nothing that a pack has; the sentence names it.
    """
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS + 1:
        raise damaged(path, f"has {len(infos)} members, and none more than {MOST_MEMBERS + 1}")
    seen: set[str] = set()
    left = LARGEST_RESULT
    for info in infos:
        name = info.orig_filename
        if why := _refused(info, seen):
            raise damaged(path, f"has a member {shortened(shown(name))!r} that {why}")
        seen.add(name.casefold())
        try:
            with archive.open(info) as file:
                content = file.read(min(LARGEST_MEMBER, left) + 1)
        except Exception as error:  # see read_pack
            said = shortened(str(error) or type(error).__name__)
            raise damaged(path, f"has a damaged member {name} ({said})") from None
        if len(content) > min(LARGEST_MEMBER, left):
            raise damaged(path, f"has a member {name} that is too large unpacked")
        left -= len(content)
        yield name, content


def _refused(info: zipfile.ZipInfo, seen: set[str]) -> str:
    """Say why a member is not unpacked; empty if it is one that a pack may have."""
    mode = info.external_attr >> 16
    if not NAME.fullmatch(info.orig_filename):
        return "is neither a table nor a document of a result"
    if info.orig_filename.casefold() in seen:
        return "is there twice"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is no file"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in a way that a pack is not"
    if info.file_size > LARGEST_MEMBER:
        return f"takes {info.file_size >> 20} MiB unpacked, and none may take more than " + str(
            LARGEST_MEMBER >> 20
        )
    return ""


def damaged(path: Path, what: str) -> BadInput:
    """Return that the pack at ``path`` is damaged, as ``what`` goes on."""
    return BadInput(f"pack {path} {what}; {REMEDY}.")
