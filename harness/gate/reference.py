"""References: stored results that a gate compares with, and whether they can be compared."""

import dataclasses
import json
import math
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.gate.instruction_evidence import Key
from harness.machine.cpu import cpu_model, cpu_slug
from harness.machine.environment import read_environment
from harness.native.toolchain import find_toolchain
from harness.statistics.results import PROCESSES, read_table
from workloads.errors import BadInput
from workloads.files import read_file

FORMAT = 1
GATE = "gate.json"
"""What a reference has beside the files of any result."""
RESULTS, SUFFIX = Path("results"), "-gate"
_REMAKE = "make it anew with 'dirtyscan gate --update'"


@dataclasses.dataclass(frozen=True)
class Reference:
    """A stored result with what a gate needs besides."""

    folder: Path
    environment: Mapping[str, Any]
    logs: Mapping[tuple[str, str, str], tuple[float, ...]]
    """Logarithms of the speedup by process, by (trace key, variant, toolchain)."""
    instructions: Mapping[Key, float]
    """Instructions a page."""
    requirements: tuple[str, ...]
    """Those that held when it was made."""
    replaced: tuple[Mapping[str, Any], ...]
    """The provenance of the references that it has replaced, the newest first."""

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of its variants."""
        return tuple(dict.fromkeys(variant for _, variant, _ in self.logs))

    @property
    def toolchains(self) -> tuple[str, ...]:
        """The names of its toolchains."""
        return tuple(dict.fromkeys(toolchain for _, _, toolchain in self.logs))

    def other_machine(self) -> str:
        """Say why its ratios are not this machine's; empty if they may be."""
        cpu = self.environment["cpu"]
        if cpu["architecture"] != platform.machine():
            return f"it was measured on {cpu['architecture']} and this is {platform.machine()}"
        if cpu["model"] != cpu_model():
            return f"it was measured on another CPU ({cpu['model']}) than this ({cpu_model()})"
        return ""

    def other_compiler(self, toolchain: str) -> str:
        """Say why what ``toolchain`` makes here may differ from then; empty if it should not.

        Raises:
            BadInput: the toolchain is not on this machine.
        """
        versions = {made["name"]: made["version"] for made in self.environment["toolchains"]}
        then, now = versions.get(toolchain, ""), find_toolchain(toolchain).version
        if _major(then) != _major(now):
            return f"{toolchain} was {then or 'another compiler'} then and is {now} now"
        return ""

    def content_hash(self, key: str) -> str:
        """Return the hash of the trace ``key`` that it was measured on."""
        return str(self.environment["layout"]["traces"].get(key, ""))


def _major(version: str) -> tuple[str, str]:
    """Return the compiler's name and the first number of its version."""
    found = re.search(r"(\d+)\.\d+", version)
    return version.split(" ")[0], found[1] if found else ""


def find_reference(folder: Path = RESULTS) -> Path:
    """Return the committed reference in ``folder`` that fits this machine best.

    One of this CPU, else one of this architecture.

    Raises:
        BadInput: there is none.
    """
    own = folder / f"{cpu_slug()}{SUFFIX}"
    if (own / GATE).exists():
        return own
    for path in sorted(folder.glob(f"*{SUFFIX}/{GATE}")):
        if read_environment(path.parent)["cpu"]["architecture"] == platform.machine():
            return path.parent
    raise BadInput(
        f"there is no reference for {platform.machine()} in {folder}; {_REMAKE}, or name one with "
        "--baseline."
    )


def read_reference(folder: Path) -> Reference:
    """Read the reference in ``folder``.

    Raises:
        BadInput: it is not there, from a newer dirtyscan, or damaged; or rows are missing.
    """
    document = _read_json(folder / GATE)
    if document.get("format", 0) > FORMAT:
        raise BadInput(
            f"reference {folder} is of format {document['format']}, and this dirtyscan reads up to "
            f"{FORMAT}; use a newer dirtyscan, or {_REMAKE}."
        )
    environment = read_environment(folder)
    processes = read_table(folder, PROCESSES)
    try:
        groups = processes.groupby(["trace", "variant", "toolchain"], sort=False)["speedup"]
        logs = {
            (str(trace), str(variant), str(toolchain)): tuple(math.log(value) for value in values)
            for (trace, variant, toolchain), values in groups
            if not str(variant).endswith(" again")
        }
        reference = Reference(
            folder,
            environment,
            logs,
            {Key(*key): float(value) for *key, value in document["instructions"]},
            tuple(document["requirements"]),
            tuple(document["replaced"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadInput(f"reference {folder} is damaged ({error!r}); {_REMAKE}.") from None
    _check_whole(reference)
    return reference


def _check_whole(reference: Reference) -> None:
    """Make sure that every variant has a row for every trace."""
    traces = dict.fromkeys(trace for trace, _, _ in reference.logs)
    pairs = dict.fromkeys(key[1:] for key in reference.logs)
    for trace in traces:
        for variant, toolchain in pairs:
            if (trace, variant, toolchain) not in reference.logs:
                raise BadInput(
                    f"reference {reference.folder} has no row for {variant} ({toolchain}) on "
                    f"{trace}; {_REMAKE}."
                )
    if not reference.logs:
        raise BadInput(f"reference {reference.folder} has no rows; {_REMAKE}.")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_file(path))
    except ValueError as error:
        raise BadInput(f"{path} is damaged ({error}); {_REMAKE}.") from None
    if not isinstance(document, dict):
        raise BadInput(f"{path} is damaged (it holds no table); {_REMAKE}.")
    return document
