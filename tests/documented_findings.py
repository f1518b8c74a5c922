"""The figures of docs/findings.md, from the tables that README and the studies take theirs from."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from harness.commands.claims_check import by_map
from harness.presentation.table import as_markdown
from harness.results.speedups import half_width
from tests.documented import (
    AGAIN,
    CONDITIONS,
    RANGES,
    ZEN3,
    as_words,
    digits,
    gains,
    half,
    letter_line,
    of_zen3,
    one,
    patch,
    readme,
    span,
    study,
)
from tests.documented_kernel import both, of_readme, of_studies, shares

_GUESTS = ("contiguous writes", "alternating pages", "reading a file", "reading and writing it")
_CLAIMS = (
    ("ch-7468-1", "Cloud Hypervisor 7468, an iterator over dirty pages; 1 % random", "yes"),
    ("ch-8859", "Cloud Hypervisor 8859, twice that iterator; 10 % random", "yes"),
    ("ch-8899-10", "Cloud Hypervisor 8899, whole runs a word; 10 % random", "no"),
    ("ch-8899-sparse-1", "the same; 1 % random, where it is said to lose 10 %", "no"),
    ("ch-8899-sparse-1-list", "the same with a reused list on both sides", "no"),
    ("rust-vmm-158-2-sparse", "rust-vmm 158, clean lines are skipped; 0.1 % random", "no"),
    ("rust-vmm-130-64", "rust-vmm 130, an atomic operation a word; runs of 64", "no"),
    ("qemu-find-next", "QEMU 49f676a00a, find_next_bit() four words a turn; clean", "yes"),
    ("ch-8899-get-clear", "Cloud Hypervisor 8899, GET and CLEAR for a legacy GET", "yes"),
)
"""Claim, what it is about, and whether the variant was measured beside the code itself."""


def findings() -> Iterator[str]:
    """Yield what the page says."""
    for condition, guest, claimed in zip(CONDITIONS, _GUESTS, RANGES, strict=True):
        row = patch(condition, "recorded")
        yield f"| {guest} | {claimed} | {row['speedup']:.2f} {half(row)} | {letter_line(row).rpartition(':')[0]} |"
    asked = (
        "the rank correlation of a call's speedup with them", "the original of 2010 is",
        "clang's original is", "are 9", "vectors ", "a bitmap's vectors",
    )  # fmt: skip
    yield f"again at once, the patch gains {as_words(gains(AGAIN))}"
    for sentence in readme():
        if sentence.startswith(asked) and " or " not in sentence:
            yield sentence
    yield from (
        sentence for sentence in readme()
        if sentence.startswith("10.") or sentence.endswith(" on synthetic traces")
    )  # fmt: skip  # of the Intel and of the Zen 3
    there = [patch(condition, "recorded", ZEN3) for condition in CONDITIONS]
    yield as_words(row["quiet_speedup"] for row in there)
    yield next(of_zen3())
    yield (
        f"the first row was {there[0]['speedup']:.2f} instead of {there[0]['quiet_speedup']:.2f} "
        f"with an interval of {half(there[0])}"
    )
    row = patch("cond1", "recorded")
    yield from (sentence for sentence in on_another_cpu() if sentence.startswith("judge"))
    of_64 = one(study("claims", ZEN3), claim="rust-vmm-130-64")
    yield f"130 gives {of_64['quiet_speedup']:.3g} for runs of 64 there, {of_64['quiet_verdict']} than"
    yield f"the first row is {row['placement_low']:.1f} or {row['placement_high']:.1f}"
    yield f"the count of 2010 is {both(shares('2010', False))} %"
    yield from (sentence for sentence in of_readme() if sentence.startswith("would be"))
    yield from (
        f"would be {sentence.rpartition('count of 2010 would be ')[2]}".replace(" whole", "")
        for sentence in of_studies() if "count of 2010 would be" in sentence
    )  # fmt: skip
    claims = study("claims").set_index("claim")
    for name, about, beside in _CLAIMS:
        claim: Any = claims.loc[name]
        captured = (
            span([claim["captured_low"], claim["captured_high"]], ".3g")
            if claim["captured_low"] == claim["captured_low"] else ""
        )  # fmt: skip
        claimed = (
            f"above {claim['claimed_low']:g}" if np.isinf(claim["claimed_high"])
            else f"{digits(float(claim['claimed_low']), 3)} to {digits(float(claim['claimed_high']), 3)}"
        )  # fmt: skip
        yield (
            f"| {about} | {claimed} | {claim['speedup']:.2f}, {claim['verdict']} | {captured} | "
            f"{beside} |"
        )


def claims() -> Iterator[str]:
    yield from near()
    yield from on_another_cpu()


def on_another_cpu() -> Iterator[str]:
    here, there = study("claims"), study("claims", ZEN3)
    same = ["claim", "workload"]
    both = there.merge(here[[*same, "speedup", "verdict"]], on=same, suffixes=("", "_here"))
    alone = both[both["quiet_verdict"].notna()]
    other = alone[alone["quiet_verdict"] != alone["verdict_here"]].to_dict("records")
    slowed = there.loc[there["slowed"] > 0.1, "slowed"]
    yield f"in {100 * slowed.min():.0f} to {100 * slowed.max():.0f} % of the rounds"
    yield f"judge {len(alone)} of {len(both)} lines alone, {len(alone) - len(other)} of them as on the Zen 5"
    for row in other:
        width = half_width(row, "quiet")
        yield (
            f"| {row['workload']} | `{row['claim']}` | {row['quiet_speedup']:.3g} ±{width:.1%} | "
            f"{row['quiet_verdict']} | {row['speedup_here']:.3g} | {row['verdict_here']} |"
        )
    assert len(other) < 10  # so that all of them are in the document


def near() -> Iterator[str]:
    """Yield the lines of the table of docs/claims.md that says how near variants are."""
    table: pd.DataFrame = study("fidelity")
    short = table["map"].str.replace("density 0.001", "0.1 %").str.replace(" captured", "")
    names = {
        "density 0": "clean",
        "density 0.01": "1 %",
        "density 0.1": "10 %",
        "density 1": "dirty",
    }
    text = as_markdown(by_map(table.assign(map=short.replace(names))))
    yield from text.replace("\\_", "_").strip().splitlines()
