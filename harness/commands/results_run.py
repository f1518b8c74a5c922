"""Running ``dirtyscan results``: packing, verifying and unpacking."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.text import shown
from harness.gate.reference import GATE, RESULTS, read_reference
from harness.presentation.console import console
from harness.results.found import Found, Kind
from harness.results.pack import MANIFEST, SUFFIX, read_pack, write_pack
from harness.results.private import own_words, scrub_name
from harness.results.unpacked import of_pack, unpacked
from harness.results.verify import verify_folder

HOLDS, WRONG, DAMAGED = 0, 1, 2


def run_pack(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    folder = Path(options.result)
    name = scrub_name(folder.resolve().name, own_words())
    path = Path(options.output or f"{name}{SUFFIX}")
    wrong = [found for found in _verify(folder) if found.kind is Kind.FAULT]
    if wrong:
        raise BadInput(
            f"{folder} does not hold, and so is not packed: {wrong[0].member}: {wrong[0].what}; "
            f"'dirtyscan results verify {folder}' says everything."
        )
    manifest = write_pack(folder, path)
    if wrong := [found for found in _verify_pack(path) if found.kind is Kind.FAULT]:
        path.unlink()
        raise BadInput(
            f"without what names this machine and its user, {folder} does not hold any more: "
            f"{wrong[0].member}: {wrong[0].what}; give what is called like them another name."
        )
    out = console()
    out.print(f"{path}: {len(manifest.members)} members of {manifest.name}", soft_wrap=True)
    return HOLDS


def run_unpack(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for."""
    pack = read_pack(Path(options.pack))
    folder = Path(options.output) if options.output else RESULTS / pack.manifest.name
    if folder.exists():
        raise BadInput(f"{folder} is there already; name another folder with --output.")
    pack.write(folder)
    console().print(str(folder), soft_wrap=True)
    return HOLDS


def run_verify(options: argparse.Namespace) -> int:
    """Do what ``options`` ask for; one that is damaged does not keep the others from being read."""
    return max(map(_tell, map(Path, options.results)))


def _tell(path: Path) -> int:
    out = console()
    try:
        found = list(_verify_pack(path) if path.is_file() else _verify(path))
    except BadInput as error:
        print(f"dirtyscan: {shown(str(error))}", file=sys.stderr)
        return DAMAGED
    faults = sum(one.kind is Kind.FAULT for one in found)
    said = f"{faults} of what it says is wrong" if faults else "it holds"
    out.print(f"{shown(str(path))}: {said}", soft_wrap=True)
    for one in found:
        mark = {Kind.CHECKED: "  ", Kind.REMARK: "! ", Kind.FAULT: "✗ "}[one.kind]
        out.print(f"  {mark}{shown(f'{one.member}: {one.what}')}", soft_wrap=True)
    return WRONG if faults else HOLDS


def _verify_pack(path: Path) -> Iterator[Found]:
    """Look at a pack as at a folder, after its hashes; nothing private may be left in it."""
    pack = read_pack(path)
    what = f"{len(pack.members)} members with their hashes, of {pack.manifest.name}"
    yield Found(Kind.CHECKED, MANIFEST, what)
    with unpacked(pack, path) as folder:
        for found in _verify(folder, Kind.FAULT, own_words()):
            yield found._replace(what=of_pack(found.what, folder, path))


def _verify(
    folder: Path, private_is: Kind = Kind.REMARK, words: Sequence[str] = ()
) -> Iterator[Found]:
    yield from verify_folder(folder, private_is, words)
    if (folder / GATE).exists():
        try:
            reference = read_reference(folder)
        except BadInput as error:
            yield Found(Kind.FAULT, GATE, str(error).rstrip("."))
            return
        what = f"a reference with {len(reference.instructions)} counts of instructions"
        yield Found(Kind.CHECKED, GATE, what)
