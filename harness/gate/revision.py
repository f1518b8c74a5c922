"""Revisions: the variants of another commit beside those of the working tree."""

import dataclasses
import io
import re
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from harness.native.build import build_variant
from harness.native.loaded_variant import describe_variant
from harness.native.operation import OPERATIONS
from harness.native.toolchain import default_toolchain
from harness.native.variant import CONTRACT, VARIANTS, Variant, built_in_variants, find_variant
from workloads.errors import BadInput
from workloads.files import read_file


@dataclasses.dataclass(frozen=True)
class Pair:
    """A variant before and after."""

    before: Variant
    after: Variant

    @property
    def name(self) -> str:
        """What it is called in reports: by its newer side."""
        return self.after.name


@dataclasses.dataclass(frozen=True)
class Revision:
    """The variants of a commit, paired with those of the working tree."""

    commit: str
    pairs: tuple[Pair, ...]
    remarks: tuple[str, ...]
    """What there is on one side only; changes that are not committed."""
    other_contract: str
    """Why the two cannot run in one process; empty if they can."""


def read_revision(name: str, scratch: Path) -> Revision:
    """Extract the variants of revision ``name`` into ``scratch`` and pair them with today's.

    Raises:
        BadInput: dirtyscan does not run from a git clone, or there is no such revision.
    """
    commit = _git(f"revision {name!r}", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    archive = _git(f"the variants of {name}", "archive", "--format=tar", commit.strip(), ".")
    with tarfile.open(fileobj=io.BytesIO(archive.encode("latin-1"))) as tar:
        tar.extractall(scratch, filter="data")
    pairs: list[Pair] = []
    remarks: list[str] = []
    for operation in OPERATIONS:
        before, after = built_in_variants(operation, scratch), built_in_variants(operation)
        both = [variant for variant in after if variant in before]
        pairs += [Pair(before[variant], after[variant]) for variant in both]
        remarks += _remark(f"new since {name}", operation, set(after) - set(before))
        remarks += _remark(f"gone since {name}", operation, set(before) - set(after))
    changed = _git("", "status", "--porcelain", "--untracked-files=all", ".").splitlines()
    if changed:
        files = ", ".join(sorted(line[3:].rpartition("variants/")[2] for line in changed))
        remarks.append(f"the working tree has variants that are not committed: {files}")
    mine, theirs = _abi(VARIANTS), _abi(scratch)
    other = "" if mine == theirs else (
        f"the variants of {name} are written for version {theirs} of {CONTRACT} and those of the "
        f"working tree for version {mine}; the two cannot be timed in one process"
    )  # fmt: skip
    return Revision(commit.strip()[:12], tuple(pairs), tuple(remarks), other)


def pair_files(before: str, after: str) -> Pair:
    """Pair two files of the user's, or variants by their names.

    Raises:
        BadInput: one does not exist or compile, or they are of two operations.
    """
    operations = [_operation(name) for name in (before, after)]
    if operations[0] != operations[1]:
        raise BadInput(
            f"{before} is a variant of {operations[0]} and {after} one of {operations[1]}; compare "
            "two of the same operation."
        )
    old, new = (find_variant(name, operations[0]) for name in (before, after))
    # Files of one name in two folders are told apart by the folder.
    if old.name == new.name:
        old = dataclasses.replace(old, name=before)
    return Pair(old, new)


def _operation(name: str) -> str:
    """Return the operation of the variant in a file, which it says of itself."""
    variant = find_variant(name, "count")
    return describe_variant(build_variant(variant, default_toolchain()).path).operation


def _remark(what: str, operation: str, names: set[str]) -> list[str]:
    if not names:
        return []
    return [f"{what}, so not compared: {', '.join(sorted(names))} ({operation})"]


def _abi(root: Path) -> str:
    path = root / CONTRACT
    text = read_file(path).decode(errors="replace") if path.exists() else ""
    found = re.search(r"#define\s+DIRTYSCAN_ABI\s+(\w+)", text)
    return found[1] if found else "0"


def _git(what: str, *arguments: str) -> str:
    """Run git in the folder of the variants, and return what it prints.

    Raises:
        BadInput: git fails.
    """
    command: Sequence[str] = ("git", *arguments)
    try:
        done = subprocess.run(command, cwd=VARIANTS, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(
            f"git cannot be run ({error}); install it ('apt-get install git')."
        ) from None
    if done.returncode == 0:
        return done.stdout.decode("latin-1")
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if said and "not a git repository" in said[0]:
        raise BadInput(
            "dirtyscan does not run from a git clone, so it has no other revisions; clone it, or "
            "compare two files ('--against old.c new.c')."
        )
    raise BadInput(
        f"{what} cannot be found ({said[0] if said else 'no such commit'}); name a commit, branch "
        "or tag of the repository that dirtyscan runs from, and fetch it if the clone is shallow."
    )
