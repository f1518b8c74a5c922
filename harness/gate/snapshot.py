"""A repository on its way to another host: its files at a revision, and as they are here."""

import os
import tempfile
from pathlib import Path

from harness.base.errors import BadInput
from harness.gate.git import GitFailed, find_commit, find_top, git, say

BEFORE, AFTER = "before", "after"
"""The branches of the copy."""
_AS_NOBODY = ("-c", "user.name=dirtyscan", "-c", "user.email=dirtyscan@localhost")


def bundle_repository(here: Path, name: str, at_merge_base: bool) -> tuple[bytes, str, Path]:
    """Return revision ``name`` and the working tree of a repository, to be cloned elsewhere.

    Nothing is written to the repository, and nothing of its history is taken along.

    Returns:
        The bundle, of the branches BEFORE and AFTER; what the revision is called; and where
        ``here`` is in it.

    Raises:
        BadInput: there is no repository, or no such revision.
    """
    top = find_top(here, name)
    objects = Path(say(top, "rev-parse", "--path-format=absolute", "--git-path", "objects"))
    commit, called = find_commit(top, name, at_merge_base)
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        copy = Path(scratch) / "copy.git"
        git(top, "init", "--quiet", "--bare", str(copy))
        (copy / "objects/info/alternates").write_text(f"{objects}\n", encoding="utf-8")
        at = (f"--git-dir={copy}", f"--work-tree={top}")
        git(top, *at, "add", "--all")
        trees = {BEFORE: f"{commit}^{{tree}}", AFTER: say(top, *at, "write-tree")}
        for branch, tree in trees.items():
            made = say(top, *at, *_AS_NOBODY, "commit-tree", "-m", branch, tree)
            git(top, *at, "update-ref", f"refs/heads/{branch}", made)
        path = Path(scratch) / "bundle"
        git(top, *at, "bundle", "create", "--quiet", str(path), *trees)
        return path.read_bytes(), called, Path(os.path.relpath(here, top))


def clone_bundle(bundle: Path, folder: Path) -> None:
    """Make a repository of a bundle in ``folder``, with the branch AFTER checked out.

    Raises:
        BadInput: git cannot.
    """
    try:
        git(folder.parent, "clone", "--quiet", "--branch", AFTER, str(bundle), str(folder))
        git(folder, "branch", "--quiet", BEFORE, f"origin/{BEFORE}")
    except GitFailed as error:
        raise BadInput(f"the repository cannot be made in {folder} ({error}).") from None
