"""The machine, the compilers and the packages that a result was measured with."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from harness import __version__
from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.machine.cpu import (
    cpu_caches,
    cpu_flags,
    cpu_generation,
    cpu_microcode,
    cpu_model,
    cpu_stepping,
)
from harness.machine.state import Disturbance, inspect_machine
from harness.machine.virtualization import Virtualization, read_virtualization
from harness.measurement.plan import OTHER_WORK
from harness.native.toolchain import FORM, Toolchain

_ROOT = Path(__file__).parents[2]
ENVIRONMENT = "environment.json"
"""The file of a result that has it."""
AFTER_OTHER_WORK = "after other work"
"""How snapshots are called if nothing else is asked for."""
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
            "generation": cpu_generation(),
            "stepping": cpu_stepping(),
            "microcode": cpu_microcode(),
            "architecture": platform.machine(),
            "count": os.cpu_count(),
            "usable": len(os.sched_getaffinity(0)),
            "flags": list(cpu_flags()),
            "caches": cpu_caches(),
            "hypervisor": "hypervisor" in cpu_flags(),
        },
        "kernel": f"{platform.system()} {platform.release()}",
        "virtualization": read_virtualization(),
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := package_version(name))},
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


class _Cpu(TypedDict):
    model: str
    generation: NotRequired[str]
    stepping: NotRequired[str]
    microcode: NotRequired[str]
    architecture: str
    count: int | None
    usable: int
    flags: list[str]
    caches: dict[str, str]
    hypervisor: bool


class _Toolchain(TypedDict):
    name: str
    version: str
    flags: list[str]


class _Layout(TypedDict):
    processes: NotRequired[dict[str, int]]
    rounds: NotRequired[int]
    warmups: NotRequired[int]
    precision: NotRequired[float]
    between: NotRequired[float]
    other_work: NotRequired[bool | int]
    traces: NotRequired[dict[str, str]]
    left_out: NotRequired[list[str]]
    unvaried: NotRequired[list[str]]
    failures: NotRequired[list[str]]


class _Machine(TypedDict):
    state: dict[str, str]
    during: dict[str, float]
    disturbed: list[str]


class Environment(TypedDict):
    """What ``environment.json`` holds, of this version and of earlier ones."""

    dirtyscan: str
    date: NotRequired[str]
    git_commit: str
    cpu: _Cpu
    kernel: str
    virtualization: NotRequired[Virtualization]
    python: str
    packages: dict[str, str]
    toolchains: list[_Toolchain]
    layout: _Layout
    machine: _Machine


def read_environment(folder: Path) -> dict[str, Any]:
    """Read what :func:`describe_environment` has returned for the results in ``folder``.

    Raises:
        BadInput: it is not there or damaged.
    """
    path = folder / ENVIRONMENT
    data = read_file(path)
    try:
        decode_json(data, Environment)
    except ValueError as error:
        raise BadInput(
            f"{path} is damaged ({error}); measure anew, or name another folder."
        ) from None
    return dict(json.loads(data))


def before_each(environment: Mapping[str, Any]) -> str:
    """Say what came before each snapshot of a run; empty for what is no run of timed calls."""
    layout = environment.get("layout", {})
    if between := layout.get("between", 0.0):
        return f"after {between:g} ms of other work"
    if other_work := layout.get("other_work"):
        return AFTER_OTHER_WORK if other_work == OTHER_WORK else "after less other work"
    return "again at once" if layout.get("rounds") else ""


def git_commit() -> str:
    """Return the commit that dirtyscan runs from, with ``-dirty`` if its code differs from it.

    It is unknown where dirtyscan does not run from a clone of its own: a package that is installed
    in somebody's repository is of no commit there.
    """
    code = ["harness", "workloads"]
    try:
        if Path(_git("rev-parse", "--show-toplevel")).resolve() != _ROOT.resolve():
            return "unknown"
        _git("ls-files", "--error-unmatch", "harness/__init__.py")
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", *code)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    done = subprocess.run(
        # One that is killed while it holds the lock of the index would leave it behind.
        ["git", "--no-optional-locks", *arguments],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def package_version(package: str) -> str | None:
    """Return the version of a package that is installed here; None if it is not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
