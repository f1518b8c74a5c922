"""A repository of somebody's own: its variants at another revision beside those here."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from harness.base.errors import BadInput
from harness.gate.git import changed_files, find_commit, find_top, work_tree
from harness.gate.revision import Older, Pair
from harness.measurement.choice import told_apart
from harness.native.built_variant import declared_operation, rust_obstacle
from harness.native.cargo import build_ahead
from harness.native.finding import find_variant
from harness.native.manifest import Manifest, find_manifest, read_manifest
from harness.native.manifest_tables import MANIFEST
from harness.native.operation import DEFAULT_OPERATION
from harness.native.variant import Variant

_MOST = 10
"""Files that are named."""


@contextlib.contextmanager
def read_repository(
    name: str, scratch: Path, at_merge_base: bool, files: Sequence[str]
) -> Iterator[Older]:
    """Pair the variants of the current folder's repository with those of revision ``name``.

    They are there as long as the block goes on.

    Args:
        scratch: a folder for the work tree of the revision.
        at_merge_base: see :func:`harness.gate.git.find_commit`.
        files: of variants; all that the manifest names if there are none.

    Raises:
        BadInput: there is no repository, no such revision, or nothing to compare; or a variant
            here does not compile.
    """
    here = Path.cwd()
    manifest = None if files else find_manifest(here)
    if not files and not (manifest and manifest.entries):
        raise BadInput(
            f"there is nothing here to compare with {name}: no {MANIFEST} names variants, and no "
            f"file is given; write one ('dirtyscan init'), or say which files are variants "
            f"(dirtyscan gate --against {name} -- FILE...)."
        )
    top = find_top(here, name)
    commit, called = find_commit(top, name, at_merge_base)
    with work_tree(top, commit, scratch) as tree:
        if manifest:
            older = _pair_manifests(called, manifest, tree, top)
        else:
            older = _pair_files(called, files, tree, top)
        yield dataclasses.replace(older, remarks=tuple(_not_committed(top)))


def _pair_manifests(called: str, after: Manifest, tree: Path, top: Path) -> Older:
    folder = tree / after.folder.relative_to(top)
    # Dependencies are kept from one revision to the next. Its own files are all new, so that Cargo
    # takes nothing of another revision for theirs.
    try:
        before = read_manifest(folder, f"{after.kept}-revision") if folder.is_dir() else None
    except BadInput as error:
        return Older(called, (), undecided=(str(error).replace(str(tree), called),))
    if before is None or not before.entries:
        missing = f"{called} has no {after.path.name} that names variants"
        return Older(called, (), undecided=(missing,))
    with contextlib.suppress(BadInput):  # which is said where that variant's turn comes
        _build_ahead(before, after)
    pairs: list[Pair] = []
    undecided: list[str] = []
    one_side = [f"{name} is gone" for name in sorted(set(before.entries) - set(after.entries))]
    for name in after.entries:
        if name not in before.entries:
            one_side.append(f"{name} is new")
            continue
        newer = after.variant(name, DEFAULT_OPERATION)
        found = _pair(partial(before.variant, name, DEFAULT_OPERATION), newer)
        if isinstance(found, Pair):
            pairs.append(found)
        else:
            undecided.append(f"{name}: {found.replace(str(tree), called)}")
    return Older(called, tuple(pairs), tuple(one_side), undecided=tuple(undecided))


def _build_ahead(before: Manifest, after: Manifest) -> None:
    """Let Cargo build the packages of both sides at once, which takes longer than all else here.

    Raises:
        BadInput: a file is not there, or there is no Cargo.
    """
    both = set(before.entries) & set(after.entries)
    sides = [one.variant(name, DEFAULT_OPERATION) for name in both for one in (before, after)]
    build_ahead((one.package, one.rust_contract) for one in sides if one.package)


def _pair_files(called: str, files: Sequence[str], tree: Path, top: Path) -> Older:
    pairs: list[Pair] = []
    one_side: list[str] = []
    undecided: list[str] = []
    named: dict[str, Variant] = {}
    for name in files:
        newer = told_apart(find_variant(name, DEFAULT_OPERATION), name, named)
        if newer.name in named:  # the same once more
            continue
        named[newer.name] = newer
        path = newer.sources[0].resolve()
        if newer.built_in or not path.is_relative_to(top):
            raise BadInput(f"{name} is no file of the repository in {top}; give one that is.")
        older = tree / path.relative_to(top)
        if not older.is_file():
            one_side.append(f"{name} is new")
            continue
        found = _pair(partial(find_variant, str(older), DEFAULT_OPERATION), newer)
        if isinstance(found, Pair):
            pairs.append(found)
        else:
            undecided.append(f"{name}: {found.replace(str(tree), called)}")
    return Older(called, tuple(pairs), tuple(one_side), undecided=tuple(undecided))


def _pair(find_older: Callable[[], Variant], newer: Variant) -> Pair | str:
    """Return both sides, with the operation that each says it is of; or why there are not both.

    Raises:
        BadInput: the newer one does not compile, which is a mistake of now.
    """
    if newer.is_rust and (missing := rust_obstacle()):
        return f"it {missing}"
    operation = declared_operation(newer)
    try:
        older = find_older()
        before = declared_operation(older)
    except BadInput as error:
        return str(error)
    if before != operation:
        return f"it was a variant of {before} and is one of {operation} now"
    return Pair(*(dataclasses.replace(one, operation=operation) for one in (older, newer)))


def _not_committed(top: Path) -> list[str]:
    changed = changed_files(top, "--untracked-files=no")
    files = ", ".join(changed[:_MOST])
    more = f" and {len(changed) - _MOST} more" if len(changed) > _MOST else ""
    return (
        [f"the working tree has changes that are not committed: {files}{more}"] if changed else []
    )
