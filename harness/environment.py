"""The machine, the compilers and the packages that a result was measured with."""

import dataclasses
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import __version__
from harness.machine import Disturbance, inspect_machine, read_line
from harness.toolchain import FORM, Toolchain

_PACKAGES = ("numpy", "scipy", "pandas", "matplotlib", "pyperf", "psutil", "ziglang")
_CPU = Path("/sys/devices/system/cpu")


def cpu_model() -> str:
    """Return the name of the CPU as Linux gives it."""
    for line in read_line(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Hardware", "cpu model"):
            return value.strip()
    return platform.processor() or platform.machine()


def cpu_slug() -> str:
    """Return the name of the CPU in small letters, digits and hyphens, for a folder."""
    plain = re.sub(r"\((R|TM|C)\)", " ", cpu_model(), flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


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
        "git_commit": git_commit(),
        "cpu": {
            "model": cpu_model(),
            "architecture": platform.machine(),
            "count": os.cpu_count(),
            "usable": len(os.sched_getaffinity(0)),
            "flags": _cpu_flags(),
            "caches": _caches(),
            "hypervisor": "hypervisor" in _cpu_flags(),
        },
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "toolchains": [
            {
                "name": toolchain.name,
                "version": toolchain.version,
                "flags": [*FORM, *toolchain.flags],
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


def git_commit() -> str:
    """Return the commit that dirtyscan runs from, with ``-dirty`` if files differ from it."""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def _cpu_flags() -> list[str]:
    for line in read_line(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return value.split()
    return []


def _caches() -> dict[str, str]:
    caches = {}
    for index in sorted((_CPU / "cpu0/cache").glob("index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(read_line(index / "type"), "")
        caches[f"L{read_line(index / 'level')}{kind}"] = read_line(index / "size")
    return caches


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
