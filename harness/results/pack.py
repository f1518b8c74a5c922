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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from harness import __version__
from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import read_file, replacing
from harness.base.text import shortened, shown
from harness.results.archive import NAME, PART, REMEDY, damaged, read_members
from harness.results.hosts import HOSTS, RECORD
from harness.results.members import (
    LARGEST_MEMBER,
    all_members_of,
    read_member,
    without_compression,
)
from harness.results.pack_size import MOST_MEMBERS, check_sizes, too_large
from harness.results.private import (
    find_private,
    find_word,
    own_words,
    scrub,
    scrub_name,
    scrub_path,
)

SCHEMA = 1
MANIFEST = "pack.json"
SUFFIX = ".zip"
# The largest of the committed results takes 3.0 MB, 0.6 MB of them packed.
LARGEST_PACK = 16 << 20
_DATE = (1980, 1, 1, 0, 0, 0)


class Member(msgspec.Struct, frozen=True):
    """What the manifest says of a member."""

    sha256: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    bytes: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_MEMBER)]


class Manifest(msgspec.Struct, frozen=True):
    """What ``pack.json`` holds."""

    schema: Annotated[int, msgspec.Meta(ge=1, le=2**31)]
    dirtyscan: str
    """The version that packed it."""
    name: Annotated[str, msgspec.Meta(pattern=rf"\A{PART}\Z")]
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


def write_pack(folder: Path, path: Path) -> Manifest:
    """Write the result in ``folder`` to ``path``, without what names this machine and its user.

    The result is called as the file is.

    Raises:
        BadInput: there is no result, a member cannot be read or packed, the file not be written, or
            it would be larger than a pack may be. What was at ``path`` before is there then.
    """
    words = own_words()
    name = scrub_name(path.name.removesuffix(SUFFIX), words)
    contents = {
        inside: _scrubbed(member, words) for inside, member in _named(folder, words).items()
    }
    if not contents:
        raise BadInput(f"there is no result in {folder}; name the folder of one.")
    if not re.fullmatch(PART, name, re.ASCII):
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
    check_sizes(folder, contents)
    with replacing(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for inside, data in {MANIFEST: about.encode(), **contents}.items():
                info = zipfile.ZipInfo(inside, _DATE)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                archive.writestr(info, data)
        if file.seek(0, io.SEEK_END) > LARGEST_PACK:
            raise too_large(folder, LARGEST_PACK, file.tell(), archive.infolist())
    return manifest


def _named(folder: Path, words: Sequence[str]) -> dict[str, Path]:
    """Return the members of a result by the names that they have in a pack.

    A cluster's folders are called after its hosts, and a word of this machine is taken out there as
    in what the members say of the same hosts.
    """
    named: dict[str, Path] = {}
    seen: dict[str, Path] = {}
    for member in all_members_of(folder):
        inside = scrub_path(without_compression(member).relative_to(folder).as_posix(), words)
        private = member.name not in (RECORD, HOSTS) and find_word(member.name, words)
        if private or not NAME.fullmatch(inside) or inside == MANIFEST:
            raise BadInput(
                f"{member} has a name that a pack does not take; rename it, or take it out."
            )
        other = seen.setdefault(inside.casefold(), member)
        if other != member:
            raise BadInput(
                f"{other} and {member} would both be {inside} in a pack; give one of their folders "
                "another name."
            )
        named[inside] = member
    return named


def _scrubbed(member: Path, words: Sequence[str]) -> bytes:
    """Return what a pack has of a member."""
    name = without_compression(member).name
    data = read_member(member)
    try:
        data = scrub(name, data, words)
        left = find_private(name, data, words)
    except (ValueError, RecursionError) as error:
        said = shortened(str(error))
        raise BadInput(f"{member} is damaged ({said}); measure anew.") from None
    if left:
        raise BadInput(f"{member} holds {shortened(left)!r}; rename it, or take it out.")
    return data


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
            contents = dict(read_members(path, archive))
    except BadInput:
        raise
    except Exception as error:  # whatever a flipped bit does to an archive
        raise damaged(path, f"is no archive: {shortened(str(error))}") from None
    return Pack(_check_manifest(path, contents), contents)


def _check_manifest(path: Path, contents: dict[str, bytes]) -> Manifest:
    """Return the manifest, which is taken out of ``contents``, once all the rest is as it says."""
    about = contents.pop(MANIFEST, None)
    if about is None:
        raise damaged(path, f"has no member {MANIFEST}")
    try:
        schema = decode_json(about, _Schema).schema
        if schema > SCHEMA:
            raise BadInput(
                f"pack {path} is of schema {schema}, and this dirtyscan reads up to {SCHEMA}; use "
                "a newer dirtyscan."
            )
        manifest = decode_json(about, Manifest)
    except ValueError as error:
        raise damaged(path, f"has a damaged member {MANIFEST} ({error})") from None
    for name, member in manifest.members.items():
        content = contents.get(name)
        if content is None:
            raise damaged(path, f"lacks the member {shortened(shown(name))!r}")
        if len(content) != member.bytes or hashlib.sha256(content).hexdigest() != member.sha256:
            raise damaged(path, f"has a member {name} that is not what {MANIFEST} says it was")
    for name in contents:
        if name not in manifest.members:
            raise damaged(path, f"has a member {name} of which {MANIFEST} does not know")
    return manifest
