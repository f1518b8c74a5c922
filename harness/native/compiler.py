"""Running a compiler: within a time limit, in plain English, and with all that it says."""

import contextlib
import errno
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.base.errors import BadInput

LIMIT = 120.0
"""Seconds that a compiler may take for one unit."""
_MOST_LINES = 20
_ERROR = r"\berror\b|undefined (reference|symbol)"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ENDED_BY_SIZE = "File size limit exceeded"  # what gcc says of a part of it that got a SIGXFSZ
HEEDED = (
    *("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "LIBRARY_PATH"),
    *("COMPILER_PATH", "GCC_EXEC_PREFIX", "CCC_OVERRIDE_OPTIONS", "SDKROOT", "SOURCE_DATE_EPOCH"),
    *("RUSTC_BOOTSTRAP", "RUST_TARGET_PATH", "RUSTUP_TOOLCHAIN"),
)
"""Environment variables that change what gcc, clang or rustc make of the same command."""


def run_compiler(
    command: Sequence[str],
    made: Path,
    source: Path,
    toolchain: str,
    folder: Path | None = None,
    **environment: str,
) -> None:
    """Run ``command``, which makes the file ``made`` of ``source``, in ``folder`` if that is given.

    Raises:
        BadInput: it refuses, takes too long, or makes nothing; the sentence has what it said.
        OSError: it had no room to write, of which the source is not to blame.
    """
    status, _, said = run_within(LIMIT, command, folder, **environment)
    if status and (full := _no_room(said)):
        raise OSError(full, os.strerror(full))
    if status is None:
        raise BadInput(
            f"{source} does not compile with {toolchain}: {command[0]} did not end within "
            f"{LIMIT:.0f} s; mend the compiler, or leave the variant out."
        )
    if status:
        raise BadInput(f"{source} does not compile with {toolchain}:{shorten(said, status)}")
    if not made.is_file():
        raise BadInput(
            f"{source} does not compile with {toolchain}: {command[0]} ended well and made "
            "nothing; mend or remove that compiler."
        )


def run_within(
    limit: float, command: Sequence[str], folder: Path | None = None, **environment: str
) -> tuple[int | None, str, str]:
    """Run ``command`` for at most so many seconds, in plain English and without a terminal.

    Returns:
        The exit status, None if it took too long, and what was written to standard output and to
        standard error.
    """
    try:
        with started(command, folder, **environment) as process:
            out, said = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return None, "", ""
    return process.returncode, out, said


@contextlib.contextmanager
def started(
    command: Sequence[str], folder: Path | None = None, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Start ``command`` as :func:`run_within` does; what is left by an error is ended."""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **environment, "LC_ALL": "C"},
        start_new_session=True,  # a compiler is several processes, which end together
    ) as process:
        try:
            yield process
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def shorten(said: str, status: int) -> str:
    """Return the compiler's own lines, indented behind the sentence where there are several."""
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    if len(lines) < 2:
        return f" {lines[0]}" if lines else f" exit status {status}"
    if len(lines) > _MOST_LINES:  # warnings may come first, and hide what it is about
        errors = (n for n, line in enumerate(lines) if re.search(_ERROR, line))
        lines = lines[next(errors, 0) :]
    shown = lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        shown.append(f"... and {len(lines) - _MOST_LINES} lines more")
    return "".join(f"\n    {line}" for line in shown)


def _no_room(said: str) -> int:
    """Return the error number of a full disk if a compiler says that it met one; 0 if not."""
    if _ENDED_BY_SIZE in said:
        return errno.EFBIG
    return next((number for number in _FULL if os.strerror(number) in said), 0)


def listed_dependencies(rule: str) -> list[Path]:
    """Return the files that a rule for make names behind its colon, as compilers write it.

    Such rules go on behind a backslash at the end of a line, and put one before a space in a name.
    rustc writes further rules and comments, of which the first rule is enough.
    """
    joined = rule.replace("\\\n", " ")
    first = next((line for line in joined.splitlines() if re.search(r":(\s|$)", line)), "")
    _, _, behind = first.partition(": ")
    words = re.findall(r"(?:\\.|[^\s\\])+", behind)
    return [Path(re.sub(r"\\(.)", r"\1", word).replace("$$", "$")) for word in words]
