"""One answer of several hosts: what got slower is what a second one finds slower too.

The same two binaries were seen a quarter apart on one hosted runner, within narrow intervals, and
equal on the next (https://github.com/namecheap/fast_mail_parser/pull/207): what one machine finds
may be that machine's.
"""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from harness.base.documents import convert
from harness.base.errors import BadInput
from harness.gate.finding import Change, Compared, Finding, Verdict
from harness.gate.snapshot import BEFORE

ENOUGH = 2
"""Hosts that have to find a row slower, or faster, before it is said."""


def settle_hosts(verdicts: Mapping[str, Verdict]) -> Verdict:
    """Return what the ``verdicts`` of several hosts, by their names, add up to."""
    rows: dict[tuple[str, ...], dict[str, Finding]] = {}
    for host, verdict in verdicts.items():
        for finding in verdict.findings:
            rows.setdefault((finding.name, finding.against), {})[host] = finding
    told = list(verdicts.items())
    return Verdict(
        tuple(_settle(found) for found in rows.values()),
        _by_host(told, "broken"),
        _by_host(told, "undecided"),
        _by_host(told, "remarks"),
        _compared([verdict for _, verdict in told]),
        " ".join(f"{host}: {verdict.measured_on}" for host, verdict in told),
    )


def _settle(found: Mapping[str, Finding]) -> Finding:
    """Return what hosts have found of one row, in the figures of the middle one that says so."""
    by_change: dict[Change, dict[str, Finding]] = {}
    for host, finding in found.items():
        by_change.setdefault(finding.change, {})[host] = finding
    slower, faster = by_change.get(Change.SLOWER, {}), by_change.get(Change.FASTER, {})
    if len(slower) >= ENOUGH:
        return _middle(list(slower.values()))
    if slower:
        ((host, finding),) = slower.items()
        others = ", ".join(f"{name} {row.ratio:.3f}" for name, row in found.items() if name != host)
        against = f"not found on others: {others}" if others else "no second host measured it"
        reason = f"slower ({finding.ratio:.3f}) on {host} alone, {against}"
        return dataclasses.replace(finding, change=Change.UNDECIDED, reason=reason)
    if len(faster) >= ENOUGH:
        return _middle(list(faster.values()))
    if unchanged := by_change.get(Change.UNCHANGED):
        return _middle(list(unchanged.values()))
    if faster:
        return dataclasses.replace(_middle(list(faster.values())), change=Change.UNCHANGED)
    return _middle(list(found.values()))


def _middle(findings: Sequence[Finding]) -> Finding:
    """Return the one whose ratio is the median, the lower of two."""
    middle = statistics.median_low([finding.ratio for finding in findings])
    return next(finding for finding in findings if finding.ratio == middle)


def _by_host(told: Sequence[tuple[str, Verdict]], field: str) -> tuple[str, ...]:
    return tuple(f"{host}: {text}" for host, verdict in told for text in getattr(verdict, field))


def _compared(verdicts: Sequence[Verdict]) -> tuple[Compared, ...]:
    """Return what was asked for, each once: what the host that compared most has compared."""
    most: dict[tuple[str, str], Compared] = {}
    for verdict in verdicts:
        for one in verdict.compared:
            before = most.get((one.basis, one.against))
            if before is None or one.same_code < before.same_code:
                most[one.basis, one.against] = one
    return tuple(most.values())


def verdict_to_json(verdict: Verdict) -> str:
    """Return all of ``verdict``, for :func:`verdict_from_json`."""
    return json.dumps(dataclasses.asdict(verdict))


def verdict_from_json(text: str, since: str = "") -> Verdict:
    """Return what :func:`verdict_to_json` has written.

    Args:
        since: what a revision is called here, if that is not what the host calls it.

    Raises:
        BadInput: it is no such text.
    """
    try:
        document: Any = json.loads(text)
        if since:
            for one in (*document["compared"], *document["findings"]):
                if one["against"].startswith(f"{BEFORE} ("):
                    one["against"] = since
        return convert(document, Verdict)
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the answer of a host cannot be read ({error}); ask it again.") from None
