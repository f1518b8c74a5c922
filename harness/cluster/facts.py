"""The facts of a host: what must agree, or be known, before anything is measured there."""

import dataclasses
import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import __version__
from harness.base.errors import BadInput
from harness.cluster.identity import GIVEN, host_identity, host_name, lasting_identity
from harness.cluster.state import runs_folder
from harness.machine.cpu import cpu_generation, cpu_model
from harness.native.toolchain import COMPILERS, default_toolchain, find_toolchain
from harness.results.environment import git_commit, package_version

_ROOM = 256 * 1024 * 1024
"""Bytes that traces, libraries and samples of a full run take at most, and some more."""


@dataclasses.dataclass(frozen=True)
class HostFacts:
    """What a host says of itself."""

    name: str
    identity: str
    pretended: bool
    """Whether its identity was given to it, for a test."""
    architecture: str
    cpu: str
    cpus: int
    """That may be used."""
    versions: Mapping[str, str]
    """Of dirtyscan, Python, packages and compilers that are there, by name."""
    obstacle: str
    """Why nothing can be measured there, a sentence; empty if something can."""
    lasting: str = ""
    """Its identity after a restart too; empty if it does not say."""


def inspect_host() -> dict[str, Any]:
    """Return the facts of this host.

    As plain values, which any version of dirtyscan can read: that they differ is found out by them.
    """
    compilers = {}
    for name in ("cc", *COMPILERS[1:], "rustc"):
        try:
            found = find_toolchain("rustc-release" if name == "rustc" else f"{name}-era")
            compilers[name] = found.version
        except BadInput:
            pass
    facts = HostFacts(
        name=host_name(),
        identity=host_identity(),
        pretended=GIVEN in os.environ,
        architecture=platform.machine(),
        cpu=", ".join(filter(None, [cpu_model(), cpu_generation()])),
        cpus=len(os.sched_getaffinity(0)),
        versions={
            "dirtyscan": __version__,
            "commit": git_commit(),
            "Python": platform.python_version(),
            "numpy": package_version("numpy") or "none",
            "distributed": package_version("distributed") or "none",
            **compilers,
        },
        obstacle=_obstacle(),
        lasting=lasting_identity(),
    )
    return dataclasses.asdict(facts)


def _obstacle() -> str:
    try:
        default_toolchain()
        folder = runs_folder()
    except BadInput as error:
        return str(error)
    return _no_room(folder)


def _no_room(folder: Path) -> str:
    free = shutil.disk_usage(folder).free
    if free >= _ROOM:
        return ""
    return (
        f"{folder}, where a run is kept, has {free >> 20} MiB free and needs {_ROOM >> 20}; make "
        "room there, or set XDG_STATE_HOME to another folder before the worker is started."
    )
