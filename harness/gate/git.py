"""Git: which commit a revision is, and its files."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import BadInput

SHORT = 12
"""Digits of a commit that name it for people."""
TREE = "tree"
"""What the folder of a work tree is called."""
_REPOSITORY = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
)


class GitFailed(BadInput):
    """What git said when it failed."""


def say(folder: Path, *arguments: str) -> str:
    """Run git as :func:`git` does, and return the line that it prints."""
    return os.fsdecode(git(folder, *arguments)).strip()


def git(folder: Path, *arguments: str) -> bytes:
    """Run git in ``folder``, and return what it prints.

    Raises:
        BadInput: there is no git.
        GitFailed: git fails.
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
        raise GitFailed(said[0] if said else "git knows none")
    return done.stdout


def find_top(folder: Path, name: str) -> Path:
    """Return the repository of ``folder``, of which ``name`` is to be a revision.

    Raises:
        BadInput: it is in none.
    """
    try:
        return Path(say(folder, "rev-parse", "--show-toplevel"))
    except GitFailed as error:
        raise BadInput(
            f"{folder} is in no git repository ({error}), so {name} is no revision; go to one, or "
            "compare two files (dirtyscan gate --against old.c new.c)."
        ) from None


def find_commit(folder: Path, name: str, at_merge_base: bool) -> tuple[str, str]:
    """Return the commit of revision ``name`` in the repository of ``folder``, and its name.

    Args:
        at_merge_base: take the commit at which the working tree's history has left ``name``
            instead, so that what was done there since is not taken for undone here.

    Raises:
        BadInput: there is none.
    """
    commit = _commit(folder, name)
    if not at_merge_base:
        return commit, f"{name} ({commit[:SHORT]})"
    commit = _merge_base(folder, name, commit)
    return commit, f"the merge base with {name} ({commit[:SHORT]})"


def changed_files(folder: Path, *options: str) -> list[str]:
    """Return the files that ``git status`` with ``options`` lists in ``folder``."""
    status = git(folder, "status", "--porcelain", *options)
    return [line[3:] for line in os.fsdecode(status).splitlines()]


def _commit(folder: Path, name: str) -> str:
    try:
        return say(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except GitFailed as error:
        raise BadInput(
            f"revision {name!r} cannot be found ({error}); name a commit, branch or tag of the "
            "repository, and fetch it if the clone is shallow."
        ) from None


def _merge_base(folder: Path, name: str, commit: str) -> str:
    try:
        return say(folder, "merge-base", commit, "HEAD")
    except GitFailed:
        raise BadInput(
            f"{name} and the working tree have no commit in common here; if the clone is shallow, "
            "fetch the rest of its history ('git fetch --unshallow')."
        ) from None


@contextlib.contextmanager
def work_tree(folder: Path, commit: str, scratch: Path) -> Iterator[Path]:
    """Have the files of ``commit`` in a work tree of their own, below ``scratch``, for a while.

    Raises:
        BadInput: git cannot make one.
    """
    tree = scratch / TREE
    # Hooks are for somebody's own work tree: one that fails, or builds, has no business here.
    without_hooks = ("-c", "core.hooksPath=/dev/null")
    try:
        try:
            git(folder, *without_hooks, "worktree", "add", "--detach", "--quiet", str(tree), commit)
        except GitFailed as error:
            raise BadInput(
                f"a work tree of {commit[:SHORT]} cannot be made ({error}); try "
                "'git worktree prune'."
            ) from None
        yield tree
    finally:
        # Twice, as one that git has not finished is locked; and where there is none, all is well.
        with contextlib.suppress(GitFailed):
            git(folder, "worktree", "remove", "--force", "--force", str(tree))
