"""The design of a CPU: what tells it from others that a hypervisor calls by the same name."""

import dataclasses
import platform
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.machine.cpu import cpu_caches, cpu_flags, cpu_generation, cpu_model, cpu_stepping

_FEW = 4  # that a list of CPU flags names
# Instructions that a generation of CPUs has; most other flags are the kernel's or the hypervisor's.
_VECTORS = re.compile("avx|sse|amx|sve|asimd")


@dataclasses.dataclass(frozen=True)
class Design:
    """What is known of a CPU. What is empty is not known, and fits anything.

    Microcode is no part of it: an update changes it on the same CPU.
    """

    architecture: str
    model: str
    """The name that Linux gives it."""
    generation: str = ""
    """Family and model, in words."""
    stepping: str = ""
    caches: tuple[tuple[str, str], ...] = ()
    vectors: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What it is called beside others: its name, and its design as far as it is known."""
        stepping = f", stepping {self.stepping}" if self.stepping else ""
        return f"{self.model} ({self.generation}{stepping})" if self.generation else self.model

    @property
    def known(self) -> int:
        """How many things are known of it."""
        return sum(map(bool, dataclasses.astuple(self)))

    def differences(self, other: "Design") -> tuple[bool, ...]:
        """Return what is known to be another, the weightiest first: a lesser tuple is nearer."""
        return (
            self.architecture != other.architecture,
            self.model != other.model,
            _differ(self.generation, other.generation),
            _differ(self.vectors, other.vectors),
            _differ(self.caches, other.caches),
            _differ(self.stepping, other.stepping),
        )

    def fits(self, other: "Design") -> bool:
        """Return whether nothing is known that tells the two apart."""
        return not any(self.differences(other))

    def why_not(self, here: "Design") -> str:
        """Say why a result of this CPU is of another than ``here``; empty if it fits."""
        if self.architecture != here.architecture:
            return f"it was measured on {self.architecture} and this is {here.architecture}"
        if self.model != here.model:
            return f"it was measured on another CPU ({self.model}) than this ({here.model})"
        namesake = f"it was measured on another CPU than this, of the same name ({self.model})"
        if _differ(self.generation, here.generation):
            return f"{namesake}: it was {self.generation}, and this is {here.generation}"
        if _differ(self.stepping, here.stepping):
            return f"{namesake}: it was stepping {self.stepping}, and this is {here.stepping}"
        if _differ(self.caches, here.caches):
            sizes = f"were {_sizes(self.caches)} and are {_sizes(here.caches)} here"
            return f"{namesake}: its caches {sizes}"
        if _differ(self.vectors, here.vectors):
            return f"{namesake}: one of the two lacks {few(sorted(self.vectors ^ here.vectors))}"
        return ""


def design_of(cpu: Mapping[str, Any]) -> Design:
    """Return the design that ``environment.json`` has under ``cpu``."""
    return Design(
        cpu["architecture"],
        cpu["model"],
        cpu.get("generation", ""),
        cpu.get("stepping", ""),
        tuple(cpu["caches"].items()),
        _vectors(cpu["flags"]),
    )


def design_here() -> Design:
    """Return the design of this machine's CPU."""
    return Design(
        platform.machine(),
        cpu_model(),
        cpu_generation(),
        cpu_stepping(),
        tuple(cpu_caches().items()),
        _vectors(cpu_flags()),
    )


def few(names: Sequence[str]) -> str:
    """Return the first of ``names``, flags of a CPU, and how many more there are."""
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more flags" if more > 0 else "")


def _vectors(flags: Sequence[str]) -> frozenset[str]:
    return frozenset(filter(_VECTORS.match, flags))


def _differ(one: object, other: object) -> bool:
    """Return whether both are known, and are not the same."""
    return bool(one and other and one != other)


def _sizes(caches: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{level} {size}" for level, size in caches)
