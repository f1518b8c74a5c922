"""Revisions: the variants of another commit beside those of the working tree."""

import dataclasses
import io
import re
import tarfile
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.gate.git import GitFailed, changed_files, find_commit, git, say
from harness.native.built_variant import declared_operation
from harness.native.contract import READABLE
from harness.native.finding import find_variant
from harness.native.operation import OPERATIONS
from harness.native.variant import CONTRACT, FILES, VARIANTS, Variant, built_in_variants


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


def read_revision(name: str, scratch: Path, at_merge_base: bool = False) -> Older:
    """Extract the variants of revision ``name`` into ``scratch`` and pair them with today's.

    Args:
        at_merge_base: see :func:`harness.gate.git.find_commit`.

    Raises:
        BadInput: there is no such revision.
    """
    commit, called = find_commit(VARIANTS, name, at_merge_base)
    _extract(name, commit, scratch)
    remarks = tuple(_not_committed())
    theirs = _abi(scratch)
    if theirs not in map(str, READABLE):
        other_contract = (
            f"the variants of {name} are written for version {theirs} of {CONTRACT}, and the "
            f"working tree reads {' and '.join(map(str, READABLE))}; they cannot be timed in one "
            "process"
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


def is_own_clone() -> bool:
    """Return whether the current folder lies in the git clone that dirtyscan runs from.

    What is installed in somebody's repository is not a part of it; and elsewhere a revision would
    be looked up in the wrong repository, where nothing has changed.

    Raises:
        BadInput: there is no git.
    """
    try:
        git(VARIANTS, "ls-files", "--error-unmatch", CONTRACT)
        clone = say(VARIANTS, "rev-parse", "--show-toplevel")
        return say(Path.cwd(), "rev-parse", "--show-toplevel") == clone
    except GitFailed:
        return False


def _extract(name: str, commit: str, scratch: Path) -> None:
    try:
        archive = git(VARIANTS, "archive", "--format=tar", commit, ".")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(scratch, filter="data")
    except (GitFailed, tarfile.TarError, OSError) as error:
        raise BadInput(
            f"the variants of {name} cannot be extracted ({error}); choose another revision."
        ) from None


def _not_committed() -> list[str]:
    changed = changed_files(VARIANTS, "--untracked-files=all", ".")
    if not changed:
        return []
    files = ", ".join(sorted(name.rpartition("variants/")[2] for name in changed))
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
