"""Comparability: what of a reference may be compared with what is measured here and now.

Instructions need the same architecture and compiler, speedups the same CPU and the same work before
each snapshot besides. What differs in less than that may still be why something got slower, so it
is said.
"""

import dataclasses
import platform
import re
from collections.abc import Iterator, Sequence

from harness.base.errors import BadInput
from harness.gate.reference import REMAKE, Reference
from harness.machine.cpu import cpu_flags, cpu_microcode
from harness.machine.state import SLOWED_SHARE, shared_core
from harness.measurement.plan import OTHER_WORK
from harness.native.toolchain import AS_GIVEN, FORM, Toolchain, find_toolchain
from harness.results.design import design_here, design_of, few


@dataclasses.dataclass(frozen=True)
class Usable:
    """What of a reference can be compared."""

    toolchains: tuple[str, ...]
    """Those whose rows can."""
    reasons: tuple[str, ...]
    """Why the rest cannot."""
    remarks: tuple[str, ...] = ()
    """What is otherwise than it was, and may matter."""


def usable_timings(reference: Reference, asked: Sequence[str] = ()) -> Usable:
    """Return what can be compared here of the speedups of ``reference``.

    Args:
        asked: toolchains; empty for all that it has.
    """
    obstacle = _other_cpu(reference) or _other_before(reference) or _slowed_then(reference)
    there = dict.fromkeys(toolchain for _, _, toolchain in reference.logs)
    return _usable(reference, tuple(there), obstacle, asked)


def usable_counts(reference: Reference, asked: Sequence[str] = ()) -> Usable:
    """Return what can be compared here of the counts of instructions of ``reference``."""
    there = dict.fromkeys(key.toolchain for key in reference.instructions)
    return _usable(reference, tuple(there), _other_architecture(reference), asked)


def _usable(
    reference: Reference, there: Sequence[str], obstacle: str, asked: Sequence[str]
) -> Usable:
    if obstacle:
        return Usable((), (f"{reference.name}: {obstacle}{reference.beside}",))
    reasons = [f"{reference.name} has nothing of {name}" for name in asked if name not in there]
    made = {made["name"]: made for made in reference.environment["toolchains"]}
    same: list[str] = []
    remarks: list[str] = []
    for name in there:
        if name == AS_GIVEN.name or (asked and not _is_asked_for(name, asked)):
            continue
        try:
            now = find_toolchain(name)
        except BadInput as error:
            reasons.append(f"{reference.name}: its rows of {name} cannot be measured, {error}")
            continue
        then = made[name]["version"] if name in made else ""
        if other := _other_compiler(then, now):
            reasons.append(f"{reference.name}: {other}")
            continue
        same.append(name)
        other_build = _other_build(then, made[name]["flags"], now)
        remarks += [f"{reference.name}: {what}" for what in other_build]
    # A library is what it was, and is compared with an original that is compiled.
    same += [AS_GIVEN.name] if same and AS_GIVEN.name in there else []
    if same:
        remarks = [*_other_surroundings(reference), *remarks]
    return Usable(tuple(same), tuple(reasons), tuple(remarks))


def _is_asked_for(name: str, toolchains: Sequence[str]) -> bool:
    """Whether a toolchain is one of those asked for, or compiles what is in the other language."""
    of_rust = name.startswith("rustc-")
    return name in toolchains or of_rust or all(one.startswith("rustc-") for one in toolchains)


def _other_architecture(reference: Reference) -> str:
    then = reference.environment["cpu"]["architecture"]
    if then != platform.machine():
        return f"it was measured on {then} and this is {platform.machine()}"
    return ""


def _other_cpu(reference: Reference) -> str:
    """Say why its CPU is another than this; empty if it seems to be the same."""
    return design_of(reference.environment["cpu"]).why_not(design_here())


def _other_before(reference: Reference) -> str:
    """Say that what came before its snapshots is not what comes today; empty if it is."""
    then = reference.environment["layout"].get("other_work", 0)
    if then == OTHER_WORK:
        return ""
    what = "less" if then else "no"
    return f"{what} other work came before its snapshots than does now; {REMAKE}"


def _slowed_then(reference: Reference) -> str:
    """Say that it was measured beside a neighbour; empty if not."""
    share = reference.environment["machine"]["during"].get("slowed", 0.0)
    return f"{shared_core(share)}; {REMAKE}" if share > SLOWED_SHARE else ""


def _other_compiler(then: str, now: Toolchain) -> str:
    """Say why what ``now`` makes may differ from ``then``; empty if it should not."""
    if not then:
        return f"it does not say which version {now.name} was"
    if compiler_release(then) != compiler_release(now.version):
        return f"{now.name} was {then} then and is {now.version} now"
    return ""


def compiler_release(version: str) -> tuple[str, ...]:
    """Return which compiler says ``version`` of itself, and the number of its release.

    Between two releases code is generated otherwise. Those of gcc and clang have the first number,
    those of rustc the first two. The name that a compiler is called by says nothing: ``cc`` may be
    gcc or clang, and what a distribution writes in brackets is its own.
    """
    plain = re.sub(r"\([^)]*\)", "", version)
    numbers = re.search(r"(\d+)\.(\d+)\S*", plain) or re.search(r"(\d+)\.(\d+)\S*", version)
    found = numbers.groups() if numbers else ("", "")
    if version.startswith("rustc"):
        # One of before a release is of a day, which it says in brackets.
        return ("rustc", *found) if "-" not in plain else ("rustc", version)
    if "clang" in version:
        return "clang", found[0]
    # gcc says the name that it was called by, its builder in brackets, and its version.
    if re.match(r"\S*(cc|gcc(-[\d.]+)?) \(", version):
        return "gcc", found[0]
    return version.split(" ")[0], found[0]


def _other_build(then: str, flags: Sequence[str], now: Toolchain) -> Iterator[str]:
    """Say what is otherwise about a compiler of the same release."""
    if then != now.version:
        yield f"{now.name} was {then} then and is {now.version} now"
    flags_now = [*(() if now.is_rust else FORM), *now.flags]
    if flags and flags != flags_now:
        yield f"{now.name} was called with {' '.join(flags)} and is with {' '.join(flags_now)}"


def _other_surroundings(reference: Reference) -> list[str]:
    """Say what is otherwise about the machine."""
    said = []
    environment = reference.environment
    kernel = f"{platform.system()} {platform.release()}"
    if environment["kernel"] and environment["kernel"] != kernel:
        said.append(f"the kernel was {environment['kernel']} and is {kernel}")
    then, now = set(environment["cpu"]["flags"]), set(cpu_flags())
    if then and now:
        for names, what in ((then - now, "lacks"), (now - then, "has besides")):
            if names:
                said.append(f"this CPU {what} {few(sorted(names))}")
    microcode = environment["cpu"].get("microcode", "")
    if microcode and microcode != cpu_microcode():
        said.append(f"the microcode was {microcode} and is {cpu_microcode() or 'not known'}")
    return [f"{reference.name}: {'; '.join(said)}"] if said else []
