"""Named rows: those that a requirement, or a tolerance of its own, is about."""

import dataclasses
import functools
from collections.abc import Collection

from harness.base.errors import BadInput
from harness.measurement.choice import ALL, BEST, recommended_variants
from harness.measurement.plan import Lane
from harness.native.built_variant import operations_of
from harness.native.finding import find_variant
from harness.native.operation import DEFAULT_OPERATION
from harness.native.toolchain import toolchain_names
from workloads.conditions import DEFAULT_CONDITIONS, find_condition
from workloads.trace import ORIGINS

EVERY = "all"
FORM = "CONDITION VARIANT [ORIGIN] [TOOLCHAIN]"


@dataclasses.dataclass(frozen=True)
class NamedRows:
    """What a variant gives on traces of a condition."""

    condition: str
    """Or ``all`` of the letter's; or what a trace of the project's own is called."""
    variant: str
    """What its rows are called; or ``recommended``, of *count*."""
    source: str
    """What it is found by: the same, or the path of a user's own."""
    operation: str
    origin: str = ""
    """Or empty for all."""
    toolchain: str = ""
    """Or empty for all that are measured."""

    @property
    def sources(self) -> tuple[str, ...]:
        """What the variants that are meant are found by."""
        return self.variants if self.variant == BEST else (self.source,)

    @functools.cached_property
    def variants(self) -> tuple[str, ...]:
        """What the rows that are meant are called on this machine."""
        return recommended_variants(self.operation) if self.variant == BEST else (self.variant,)

    def conditions(self) -> tuple[str, ...]:
        """Return the names of the conditions, or of the trace, that are meant."""
        return DEFAULT_CONDITIONS if self.condition == EVERY else (self.condition,)

    def concerns(self, operation: str, variant: str, toolchain: str, trace: str) -> bool:
        """Whether what ``variant`` gives on ``trace`` (condition and origin) is meant."""
        condition, _, origin = trace.rpartition(" ")
        return (
            operation == self.operation
            and variant in self.variants
            and condition in self.conditions()
            and self.origin in ("", origin)
            and self.toolchain in ("", toolchain)
        )

    def concerns_lane(self, operation: str, lane: Lane, key: str) -> bool:
        """Whether what ``lane`` gives on the trace ``key`` is meant."""
        return self.concerns(operation, lane.variant, lane.toolchain, trace_of(key))


def trace_of(key: str) -> str:
    """Return condition and origin of a trace's key, as people read them."""
    return " ".join(key.rsplit("-", 1))


def parse_rows(text: str, own_traces: Collection[str] = ()) -> NamedRows:
    """Read which rows are meant, such as ``cond1 multi_page captured``.

    Args:
        own_traces: what traces are called that stand beside the conditions.

    Raises:
        BadInput: it has another form, or names something that does not exist.
    """
    condition, variant, *further = [*text.split(), "", ""][: max(2, len(text.split()))]
    if not variant or len(further) > 2:
        raise BadInput(f"{text!r} names no rows; the form is '{FORM}'.")
    if condition != EVERY and condition not in own_traces:
        find_condition(condition)
    operation, name = _variant(variant)
    origin = toolchain = ""
    for word in further:
        if word in ORIGINS:
            origin = word
        elif word in toolchain_names():
            toolchain = word
        else:
            raise BadInput(f"{word!r} is no origin and no toolchain.")
    return NamedRows(condition, name, variant, operation, origin, toolchain)


def _variant(source: str) -> tuple[str, str]:
    """Return the operation and the name of the variant that ``source`` stands for.

    Raises:
        BadInput: it stands for none, or for one of several operations.
    """
    operation = operation_meant(source)
    return operation, source if source == BEST else find_variant(source, operation).name


def operation_meant(source: str) -> str:
    """Return the operation of what a setting names: *count*, if there is one of that.

    Raises:
        BadInput: there is no such variant, or it is one of several operations.
    """
    if source in (ALL, BEST):
        return DEFAULT_OPERATION
    operations = operations_of(source)
    if DEFAULT_OPERATION in operations:
        return DEFAULT_OPERATION
    if len(operations) > 1:
        raise BadInput(
            f"variant {source} is one of {' and '.join(operations)}; which is meant cannot be said."
        )
    return operations[0]
