"""Packs: a result as one file that can be given, and read without trust in who gives it.

A pack is a ZIP archive of the tables and JSON documents of a result, with the SHA-256 of each in
``pack.json``. Pictures are left out: they can be drawn again, and may hold programs. The same
result always gives the same bytes.
"""

import dataclasses
import hashlib
import io
import json
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from harness import __version__
from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import read_file, replacing
from harness.base.text import shortened, shown
from harness.results.private import find_private, own_words, scrub

SCHEMA = 1
MANIFEST = "pack.json"
SUFFIX = ".zip"
KINDS = (".csv", ".json")
"""Of the members."""
MOST_MEMBERS = 200
# The largest of the committed results takes 1.2 MB, 200 kB of them packed.
LARGEST_PACK, LARGEST_MEMBER, LARGEST_RESULT = 16 << 20, 64 << 20, 128 << 20
_OTHERS = re.compile(r"\..*|samples|traces|plots|unfinished.*")
"""Folders in that of a result which are no parts of it: what a run keeps, and what it had begun."""
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}"
_NAME = re.compile(rf"(?:{_PART}/)?{_PART}\.(?:csv|json)", re.ASCII)
_DATE = (1980, 1, 1, 0, 0, 0)
REMEDY = "ask for it anew, made by 'dirtyscan results pack'"


class Member(msgspec.Struct, frozen=True):
    """What the manifest says of a member."""

    sha256: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    bytes: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_MEMBER)]


class Manifest(msgspec.Struct, frozen=True):
    """What ``pack.json`` holds."""

    schema: Annotated[int, msgspec.Meta(ge=1, le=2**31)]
    dirtyscan: str
    """The version that packed it."""
    name: Annotated[str, msgspec.Meta(pattern=rf"\A{_PART}\Z")]
    """Of the result: that of the file that was made of it."""
    members: Annotated[dict[str, Member], msgspec.Meta(min_length=1, max_length=MOST_MEMBERS)]


class _Schema(msgspec.Struct, frozen=True):
    schema: Annotated[int, msgspec.Meta(ge=1, le=2**31)]


@dataclasses.dataclass(frozen=True)
class Pack:
    """A pack that was read: every member is what the manifest says."""

    manifest: Manifest
    members: Mapping[str, bytes]

    def write(self, folder: Path) -> None:
        """Write its members into ``folder``.

        Raises:
            BadInput: one cannot be written.
        """
        for name, data in self.members.items():
            with replacing(folder / name) as file:
                file.write(data)


def members_of(folder: Path) -> list[Path]:
    """Return the tables and documents of a result, in the order of their names.

    Those of its parts, such as the runs of a study, lie in folders below it.

    Raises:
        BadInput: there is no such folder, or it holds a link.
    """
    if not folder.is_dir():
        raise BadInput(f"there is no result in {folder}; name the folder of one.")
    found = []
    parts = [part for part in folder.glob("*/") if not _OTHERS.fullmatch(part.name)]
    for path in sorted([*folder.glob("*"), *(path for part in parts for path in part.glob("*"))]):
        if path.suffix in KINDS and not path.name.startswith("."):
            if path.is_symlink() or path.parent.is_symlink():
                raise BadInput(f"{path} is a link; copy what it leads to in its place.")
            if path.is_file():
                found.append(path)
    return found


def write_pack(folder: Path, path: Path) -> Manifest:
    """Write the result in ``folder`` to ``path``, without what names this machine and its user.

    The result is called as the file is.

    Raises:
        BadInput: there is no result, a member cannot be read or packed, or the file not written.
    """
    name = path.name.removesuffix(SUFFIX)
    contents = {}
    words = own_words()
    for member in members_of(folder):
        try:
            data = scrub(member.name, read_file(member), words)
            left = find_private(member.name, data, words)
        except (ValueError, RecursionError) as error:
            said = shortened(str(error))
            raise BadInput(f"{member} is damaged ({said}); measure anew.") from None
        inside = member.relative_to(folder).as_posix()
        if left or not _NAME.fullmatch(inside) or inside == MANIFEST:
            what = f"holds {shortened(left)!r}" if left else "has a name that a pack does not take"
            raise BadInput(f"{member} {what}; rename it, or take it out.")
        contents[inside] = data
    if not contents:
        raise BadInput(f"there is no result in {folder}; name the folder of one.")
    if not re.fullmatch(_PART, name, re.ASCII):
        raise BadInput(
            f"{shown(name)!r} cannot be the name of a result; give the file one of letters, "
            "digits, '.', '-' and '_' with --output."
        )
    members = {
        inside: Member(hashlib.sha256(data).hexdigest(), len(data))
        for inside, data in contents.items()
    }
    manifest = Manifest(SCHEMA, __version__, name, members)
    about = json.dumps(msgspec.to_builtins(manifest), indent=1) + "\n"
    _check_sizes(folder, contents)
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, data in {MANIFEST: about.encode(), **contents}.items():
            info = zipfile.ZipInfo(inside, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data)
    return manifest


def _check_sizes(folder: Path, contents: Mapping[str, bytes]) -> None:
    total = sum(map(len, contents.values()))
    largest = max(contents, key=lambda name: len(contents[name]))
    if len(contents[largest]) > LARGEST_MEMBER or total > LARGEST_RESULT:
        raise BadInput(
            f"{folder} takes {total >> 20} MiB, {largest} most of them, and a pack at most "
            f"{LARGEST_RESULT >> 20}, {LARGEST_MEMBER >> 20} a member; measure fewer variants."
        )
    if len(contents) > MOST_MEMBERS:
        raise BadInput(
            f"{folder} has {len(contents)} tables and documents, and a pack at most "
            f"{MOST_MEMBERS}; pack its folders one by one."
        )


def read_pack(path: Path) -> Pack:
    """Read a pack, of which nothing is believed before it was looked at.

    Raises:
        BadInput: it cannot be read; a member is not what the manifest says, or is nothing that a
            pack has. The sentence names the member.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check its path.") from None
    if size > LARGEST_PACK:
        raise BadInput(
            f"pack {path} has {size >> 20} MiB, and none has more than {LARGEST_PACK >> 20}; "
            f"{REMEDY}."
        )
    data = read_file(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            contents = dict(_read_members(path, archive))
    except BadInput:
        raise
    except Exception as error:  # whatever a flipped bit does to an archive
        raise _damaged(path, f"is no archive: {shortened(str(error))}") from None
    return Pack(_check_manifest(path, contents), contents)


def _read_members(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every member, each looked at before it is unpacked."""
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS + 1:
        raise _damaged(path, f"has {len(infos)} members, and none more than {MOST_MEMBERS + 1}")
    seen: set[str] = set()
    left = LARGEST_RESULT
    for info in infos:
        name = info.orig_filename
        if why := _refused(info, seen):
            raise _damaged(path, f"has a member {shortened(shown(name))!r} that {why}")
        seen.add(name.casefold())
        try:
            with archive.open(info) as file:
                content = file.read(min(LARGEST_MEMBER, left) + 1)
        except Exception as error:  # see read_pack
            said = shortened(str(error) or type(error).__name__)
            raise _damaged(path, f"has a damaged member {name} ({said})") from None
        if len(content) > min(LARGEST_MEMBER, left):
            raise _damaged(path, f"has a member {name} that is too large unpacked")
        left -= len(content)
        yield name, content


def _refused(info: zipfile.ZipInfo, seen: set[str]) -> str:
    """Say why a member is not unpacked; empty if it is one that a pack may have."""
    mode = info.external_attr >> 16
    if not _NAME.fullmatch(info.orig_filename):
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


def _check_manifest(path: Path, contents: dict[str, bytes]) -> Manifest:
    """Return the manifest, which is taken out of ``contents``, once all the rest is as it says."""
    about = contents.pop(MANIFEST, None)
    if about is None:
        raise _damaged(path, f"has no member {MANIFEST}")
    try:
        schema = decode_json(about, _Schema).schema
        if schema > SCHEMA:
            raise BadInput(
                f"pack {path} is of schema {schema}, and this dirtyscan reads up to {SCHEMA}; use "
                "a newer dirtyscan."
            )
        manifest = decode_json(about, Manifest)
    except ValueError as error:
        raise _damaged(path, f"has a damaged member {MANIFEST} ({error})") from None
    for name, member in manifest.members.items():
        content = contents.get(name)
        if content is None:
            raise _damaged(path, f"lacks the member {shortened(shown(name))!r}")
        if len(content) != member.bytes or hashlib.sha256(content).hexdigest() != member.sha256:
            raise _damaged(path, f"has a member {name} that is not what {MANIFEST} says it was")
    for name in contents:
        if name not in manifest.members:
            raise _damaged(path, f"has a member {name} of which {MANIFEST} does not know")
    return manifest


def _damaged(path: Path, what: str) -> BadInput:
    return BadInput(f"pack {path} {what}; {REMEDY}.")
