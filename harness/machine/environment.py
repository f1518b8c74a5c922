"""The machine, the compilers and the packages that a result was measured with."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.machine.cpu import cpu_caches, cpu_flags, cpu_model
from harness.machine.state import Disturbance, inspect_machine
from harness.native.toolchain import FORM, Toolchain
from workloads.errors import BadInput
from workloads.files import read_file

ENVIRONMENT = "environment.json"
"""The file of a result that has it."""
_PACKAGES = (
    *("numpy", "scipy", "pandas", "matplotlib", "pyperf", "psutil"),
    *("ziglang", "bitarray", "pyroaring"),
)


def describe_environment(
    toolchains: Sequence[Toolchain], layout: dict[str, Any], disturbance: Disturbance
) -> dict[str, Any]:
    """Return all that a stranger needs to judge a result; JSON values only.

    Args:
        layout: how the measurement was laid out, recorded as it is.
        disturbance: what the machine did besides while it was measured.
    """
    return {
        "dirtyscan": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
        "cpu": {
            "model": cpu_model(),
            "architecture": platform.machine(),
            "count": os.cpu_count(),
            "usable": len(os.sched_getaffinity(0)),
            "flags": list(cpu_flags()),
            "caches": cpu_caches(),
            "hypervisor": "hypervisor" in cpu_flags(),
        },
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "toolchains": [
            {
                "name": toolchain.name,
                "version": toolchain.version,
                "flags": [*(() if toolchain.is_rust else FORM), *toolchain.flags],
            }
            for toolchain in toolchains
        ],
        "layout": layout,
        "machine": {
            "state": {fact.name: fact.state for fact in inspect_machine()},
            "during": dataclasses.asdict(disturbance),
            "disturbed": disturbance.evidence(),
        },
    }


def read_environment(folder: Path) -> dict[str, Any]:
    """Read what :func:`describe_environment` has returned for the results in ``folder``.

    Raises:
        BadInput: it is not there or damaged.
    """
    path = folder / ENVIRONMENT
    try:
        environment = json.loads(read_file(path))
        if {"cpu", "toolchains", "layout"} <= set(environment):
            return dict(environment)
        why = "fields are missing"
    except ValueError as error:
        why = str(error)
    raise BadInput(f"{path} is damaged ({why}); measure anew, or name another folder.")


def git_commit() -> str:
    """Return the commit that dirtyscan runs from, with ``-dirty`` if its code differs from it."""
    code = ["harness", "workloads"]
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", *code)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
