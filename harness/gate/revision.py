"""Revisions: the variants of another commit beside those of the working tree."""

import dataclasses
import io
import os
import re
import subprocess
import tarfile
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.native.built_variant import declared_operation
from harness.native.operation import OPERATIONS
from harness.native.variant import (
    CONTRACT,
    FILES,
    VARIANTS,
    Variant,
    built_in_variants,
    find_variant,
)

_SHORT = 12  # digits of a commit
_REPOSITORY = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
)


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
class Older:
    """What the working tree is compared with, paired with it."""

    name: str
    """A revision with its commit; or a file."""
    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...] = ()
    """What there is on one side only."""
    remarks: tuple[str, ...] = ()
    """Changes that are not committed."""
    undecided: tuple[str, ...] = ()
    """Why the two cannot run in one process, if they cannot; there are no pairs then."""


def read_revision(name: str, scratch: Path, merge_base: bool = False) -> Older:
    """Extract the variants of revision ``name`` into ``scratch`` and pair them with today's.

    Args:
        merge_base: take the commit at which the working tree's history has left ``name`` instead,
            so that what was done there since is not taken for undone here.

    Raises:
        BadInput: the current folder is not in the git clone that dirtyscan runs from, or there is
            no such revision.
    """
    _check_own_clone(name)
    commit = _commit(name)
    called = f"{name} ({commit[:_SHORT]})"
    if merge_base:
        commit = _merge_base(name, commit)
        called = f"the merge base with {name} ({commit[:_SHORT]})"
    _extract(name, commit, scratch)
    remarks = tuple(_not_committed())
    mine, theirs = _abi(VARIANTS), _abi(scratch)
    if mine != theirs:
        other_contract = (
            f"the variants of {name} are written for version {theirs} of {CONTRACT} and those of "
            f"the working tree for version {mine}; the two cannot be timed in one process"
        )
        return Older(called, (), remarks=remarks, undecided=(other_contract,))
    pairs: list[Pair] = []
    one_side: list[str] = []
    for operation in OPERATIONS:
        before, after = built_in_variants(operation, scratch), built_in_variants(operation)
        both = [variant for variant in after if variant in before]
        pairs += [Pair(before[variant], after[variant]) for variant in both]
        for what, names in (("new", set(after) - set(before)), ("gone", set(before) - set(after))):
            one_side += [f"{variant} ({operation}) is {what}" for variant in sorted(names)]
    return Older(called, tuple(pairs), tuple(one_side), remarks)


def _check_own_clone(name: str) -> None:
    """Make sure that a revision, which is one of the current folder's, is one of dirtyscan's.

    Elsewhere it would be looked up in the wrong repository, where nothing has changed.

    Raises:
        BadInput: it is not, since dirtyscan is installed, or runs from another clone.
    """
    remedy = (
        f"get the older version of your file ('git show {name}:./FILE > old.c') and compare the "
        "two ('dirtyscan gate --against old.c FILE')"
    )
    try:
        # What is installed in somebody's repository is not a part of it.
        _git("ls-files", "--error-unmatch", CONTRACT)
        clone = _say("rev-parse", "--show-toplevel")
    except _GitFailed as error:
        raise BadInput(
            f"dirtyscan does not run from a git clone ({error}), so {name} is no revision of its "
            f"variants; {remedy}, or run dirtyscan from a clone of its own."
        ) from None
    try:
        here = _say("rev-parse", "--show-toplevel", folder=Path.cwd())
    except _GitFailed:
        here = ""
    if here != clone:
        raise BadInput(
            f"the current folder is not in the clone that dirtyscan runs from ({clone}), and "
            f"{name} could only be a revision of that; {remedy}, or go there to compare "
            "dirtyscan's own variants."
        )


def _commit(name: str) -> str:
    try:
        return _say("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except _GitFailed as error:
        raise BadInput(
            f"revision {name!r} cannot be found ({error}); name a commit, branch or tag of the "
            "repository that dirtyscan runs from, and fetch it if the clone is shallow."
        ) from None


def _merge_base(name: str, commit: str) -> str:
    try:
        return _say("merge-base", commit, "HEAD")
    except _GitFailed:
        raise BadInput(
            f"{name} and the working tree have no commit in common here; if the clone is shallow, "
            "fetch the rest of its history ('git fetch --unshallow')."
        ) from None


def _extract(name: str, commit: str, scratch: Path) -> None:
    try:
        archive = _git("archive", "--format=tar", commit, ".")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(scratch, filter="data")
    except (_GitFailed, tarfile.TarError, OSError) as error:
        raise BadInput(
            f"the variants of {name} cannot be extracted ({error}); choose another revision."
        ) from None


def _not_committed() -> list[str]:
    status = _git("status", "--porcelain", "--untracked-files=all", ".")
    changed = os.fsdecode(status).splitlines()
    if not changed:
        return []
    files = ", ".join(sorted(line[3:].rpartition("variants/")[2] for line in changed))
    return [f"the working tree has variants that are not committed: {files}"]


def pair_files(before: str, after: str) -> Older:
    """Pair two files of the user's, or variants by their names.

    Raises:
        BadInput: one does not exist or compile, or they are of two operations.
    """
    for name in (before, after):
        if Path(name).suffix not in FILES and name not in built_in_variants("count"):
            raise BadInput(
                f"--against takes one revision, or two files, and {name!r} is no file of a "
                f"variant ({', '.join(FILES)}); to compare a file with its older version, get "
                f"that first ('git show {name}:./FILE > old.c')."
            )
    operations = [declared_operation(find_variant(name, "count")) for name in (before, after)]
    if operations[0] != operations[1]:
        raise BadInput(
            f"{before} is a variant of {operations[0]} and {after} one of {operations[1]}; compare "
            "two of the same operation."
        )
    old, new = (find_variant(name, operations[0]) for name in (before, after))
    # Files of one name in two folders are told apart by the folder.
    if old.name == new.name:
        old = dataclasses.replace(old, name=before)
    return Older(before, (Pair(old, new),))


def _abi(root: Path) -> str:
    path = root / CONTRACT
    text = read_file(path).decode(errors="replace") if path.exists() else ""
    found = re.search(r"#define\s+DIRTYSCAN_ABI\s+(\w+)", text)
    return found[1] if found else "0"


class _GitFailed(BadInput):
    """What git said when it failed."""


def _say(*arguments: str, folder: Path = VARIANTS) -> str:
    """Run git as :func:`_git` does, and return the line that it prints."""
    return os.fsdecode(_git(*arguments, folder=folder)).strip()


def _git(*arguments: str, folder: Path = VARIANTS) -> bytes:
    """Run git in ``folder``, and return what it prints.

    Raises:
        BadInput: there is no git.
        _GitFailed: git fails.
    """
    # A hook of git's names its own repository in the environment, which would go before the folder.
    environment = {name: value for name, value in os.environ.items() if name not in _REPOSITORY}
    try:
        done = subprocess.run(
            ("git", *arguments), cwd=folder, capture_output=True, timeout=60, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(
            f"git cannot be run ({error}); install it ('apt-get install git')."
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _GitFailed(said[0] if said else "git knows none")
    return done.stdout
