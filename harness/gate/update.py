"""Updating a reference after a deliberate change: the old one's provenance is kept."""

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.base.errors import BadInput
from harness.base.files import write_text
from harness.gate.counts import Counted
from harness.gate.finding import Change
from harness.gate.reference import FORMAT, GATE, Reference, read_reference
from harness.gate.requirement import Requirement, check_requirements, parse_requirement
from harness.gate.row import rows_of
from harness.measurement.run import Run
from harness.native.finding import find_variant
from harness.native.variant import FILES
from harness.statistics.interval import confidence_interval


def read_replaced(folder: Path) -> Reference | None:
    """Return the reference in ``folder`` that is about to be replaced; None if there is none.

    Raises:
        BadInput: it is of a newer format; or damaged, when nobody knows what would be lost.
    """
    if not (folder / GATE).exists():
        return None
    try:
        return read_reference(folder)
    except BadInput as error:
        raise BadInput(
            f"the provenance of what is in {folder} cannot be kept, for {error} Move that folder "
            "away to start anew."
        ) from None


def check_not_lowered(
    old: Reference | None,
    requirements: Sequence[Requirement],
    lower: bool,
    own_traces: Collection[str] = (),
) -> None:
    """Refuse to forget or lower a requirement that held before, unless ``lower`` allows it.

    Raises:
        BadInput: one was lowered, or is gone.
    """
    if old is None or lower:
        return
    now = {requirement.rows: requirement.speedup for requirement in requirements}
    for text in old.gate.requirements:
        before = parse_requirement(text, own_traces)
        after = now.get(before.rows)
        if after is None or after < before.speedup:
            became = "is gone" if after is None else f"is lowered to {after:g}"
            raise BadInput(
                f"requirement '{text}' of {old.folder} {became}; give --lower-requirements if that "
                "is meant."
            )


def check_still_met(requirements: Sequence[Requirement], run: Run) -> None:
    """Refuse a reference that breaks a requirement, or of which that is not known.

    Raises:
        BadInput: it does, or a variant in it went astray.
    """
    for failure in run.failures:
        raise BadInput(f"{failure.sentence()}; no reference can be made of it.")
    verdict = check_requirements(requirements, rows_of(run))
    for sentence in verdict.undecided:
        raise BadInput(f"{sentence}; no reference can be made that does not hold it.")
    for finding in verdict.findings:
        if finding.change is Change.UNCHANGED:
            continue
        sure = finding.change is Change.SLOWER
        remedy = "mend it" if sure else f"{finding.reason}, so give more with --budget"
        raise BadInput(
            f"{finding.variant} ({finding.toolchain}) is {'' if sure else 'about '}"
            f"{finding.after:.3g} times as fast as the original on {finding.trace}, and the "
            f"project requires {finding.before:g}; {remedy}, or lower the requirement in "
            "the settings of the gate."
        )


def own_sources(variants: Sequence[str], operation: str) -> dict[str, str]:
    """Return the path of each of ``variants`` that does not come with dirtyscan, by its name."""
    files = (name for name in variants if Path(name).suffix in FILES)
    return {find_variant(name, operation).name: name for name in files}


def write_gate_file(
    folder: Path,
    operation: str,
    old: Reference | None,
    requirements: Sequence[Requirement],
    instructions: Mapping[Counted, float],
    sources: Mapping[str, str],
) -> None:
    """Write what makes a result a reference, with where the one before came from.

    Args:
        sources: the path of each variant that does not come with dirtyscan, by its name.

    Raises:
        BadInput: the file cannot be written.
    """
    document = {
        "format": FORMAT,
        "operation": operation,
        "requirements": [requirement.text for requirement in requirements],
        "replaced": [_provenance(old), *old.gate.replaced] if old else [],
        "sources": dict(sources),
        "instructions": [
            [*dataclasses.astuple(key), round(value, 6)] for key, value in instructions.items()
        ],
    }
    write_text(folder / GATE, json.dumps(document, indent=1) + "\n")


def _provenance(old: Reference) -> dict[str, Any]:
    environment = old.environment
    return {
        "date": environment.get("date", ""),
        "git_commit": environment["git_commit"],
        "dirtyscan": environment["dirtyscan"],
        "cpu": environment["cpu"]["model"],
        "toolchains": [f"{made['name']}: {made['version']}" for made in environment["toolchains"]],
        "requirements": list(old.gate.requirements),
        "speedups": {
            "/".join(key): round(confidence_interval(logs).value, 4)
            for key, logs in old.logs.items()
        },
    }
