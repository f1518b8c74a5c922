"""Compilers that are on this machine: where they are, and what they say that they are."""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys

from harness.base.errors import BadInput


def command_of(compiler: str) -> tuple[str, ...] | None:
    """Return what starts a compiler of C, one of ``COMPILERS``; None if it is not here."""
    if compiler == "zig":
        if importlib.util.find_spec("ziglang"):
            return (sys.executable, "-P", "-m", "ziglang", "cc")
        return ("zig", "cc") if shutil.which("zig") else None
    path = shutil.which(compiler)
    return (path,) if path else None


@functools.cache
def is_gnu(command: tuple[str, ...]) -> bool:
    """Return whether a compiler knows GNU C with the builtins that variants are made of.

    It says so in a macro that gcc, and what follows it, has had at 4 or more since 2005; tcc says
    2, or nothing. One that cannot be asked is taken for one: it will say itself what it lacks.
    """
    asked = [*command, "-dM", "-E", "-x", "c", os.devnull]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return True
    found = re.search(r"#define __GNUC__ (\d+)", done.stdout)
    return done.returncode != 0 or (found is not None and int(found[1]) >= 4)


@functools.cache
def version_of(command: tuple[str, ...]) -> str:
    """Return the first line of what a compiler says of its version.

    Raises:
        BadInput: it does not run.
    """
    try:
        done = subprocess.run(
            [*command, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={**os.environ, "LC_ALL": "C"},  # the same compiler in whatever language
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BadInput(
            f"compiler {' '.join(command)} does not run ({error}); mend or remove it."
        ) from None
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"


def path_of_rust(program: str) -> str | None:
    """Return the path of rustc or cargo; None if it is not here."""
    # Where rustup puts it, which is not on everybody's path.
    home = os.path.expanduser("~/.cargo/bin")  # noqa: PTH111 (Path fails where there is no home)
    return shutil.which(program) or shutil.which(program, path=home)
