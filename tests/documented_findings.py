"""The figures of docs/findings.md, from the tables that README and the studies take theirs from."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from harness.claims.verdict import UNDECIDED
from harness.commands.claims_check import by_map
from harness.machine.state import SLOWED_SHARE
from harness.presentation.table import as_markdown
from harness.results.environment import read_environment
from harness.results.speedups import half_width
from tests.documented import (
    AGAIN,
    CONDITIONS,
    RANGES,
    RESULTS,
    ZEN3,
    ZEN4,
    ZEN4_AGAIN,
    ZEN5,
    as_words,
    digits,
    half,
    one,
    patch,
    pick,
    span,
    speedups,
    study,
)
from tests.documented_kernel import both, if_each_faults, shares
from tests.documented_letter import gains, letter_line, of_zen3, readme

_GUESTS = ("contiguous writes", "alternating pages", "reading a file", "reading and writing it")
_CLAIMS = (
    ("ch-7468-1", "Cloud Hypervisor 7468, an iterator over dirty pages; 1 % random", "yes"),
    (
        "ch-8859",
        "Cloud Hypervisor 8859, twice that iterator; 10 % random, with a list, which its benchmark does not make",
        "yes",
    ),
    ("ch-8899-10", "Cloud Hypervisor 8899, whole runs a word; 10 % random", "no"),
    (
        "ch-8899-sparse-1-list",
        "the same on sparse maps, where it is said to lose 10 %; 1 % random, with a reused list on both sides",
        "no",
    ),
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
        "the rank correlation of a call's speedup with their", "that of the runs", "the original of 2010 is",
        "clang's original is", "are 9", "vectors ", "a bitmap's vectors",
    )  # fmt: skip
    yield f"again at once, the patch gains {as_words(gains(AGAIN))}"
    for sentence in readme():
        if sentence.startswith(asked) and " or " not in sentence:
            yield sentence
    yield from (
        sentence for sentence in readme()
        if sentence.startswith(("10.", "recorded guests gave"))
    )  # fmt: skip  # of the Intel and of the Zen 4
    yield as_words(gains(ZEN4_AGAIN))
    there = [patch(condition, "recorded", ZEN3) for condition in CONDITIONS]
    yield as_words(row["quiet_speedup"] for row in there)
    yield next(of_zen3())
    yield (
        f"the first row was {there[0]['speedup']:.2f}, with an interval of {half(there[0])}, instead of "
        f"{there[0]['quiet_speedup']:.2f} or less"
    )
    row = patch("cond1", "recorded")
    yield from (sentence for sentence in on_another_cpu() if sentence.endswith("on the Zen 5"))
    of_64 = one(beside_zen5(ZEN4), claim="rust-vmm-130-64")
    yield f"130 gives {of_64['known_speedup']:.3g} for runs of 64 there, {of_64['said']} than"
    yield f"the least favourable pair gives {row['placement_low']:.1f}, the most favourable {row['placement_high']:.1f}"
    yield f"the count of 2010 is at most {both(shares('2010', True))} %"
    yield f"of the hypervisor's part at most {both(shares('2010', False))} %"
    yield f"if each of them faults, the count is {if_each_faults()[1]:.2f} %"
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
    yield from near_on_zen4()
    yield from on_another_cpu()
    first, third = (
        patch(*trace)["calls_within"] for trace in (("cond1", "recorded"), ("cond3", "synthetic"))
    )
    yield (
        f"recorded Cond1 and synthetic Cond3 have {100 * first:.0f} and {100 * third:.0f} % of their calls in the range"
    )


def on_another_cpu() -> Iterator[str]:
    """Yield which claims have another verdict there, by the rounds that nothing slowed."""
    both = beside_zen5(ZEN4)
    other = both[both["said"] != both["verdict_here"]].to_dict("records")
    slowed = both.loc[both["slowed"] > SLOWED_SHARE, "slowed"]
    yield (
        f"slowed the original in {100 * slowed.min():.0f} to {100 * slowed.max():.0f} % of the rounds of "
        f"{len(slowed)} of {len(both)} lines"
    )
    yield f"{len(both) - len(other)} of {len(both)} lines are as on the Zen 5"
    for row in other:
        if row["said"] == UNDECIDED:
            continue
        width = half_width(row, "known")
        yield (
            f"| {row['workload']} | `{row['claim']}` | {row['known_speedup']:.3g} ±{width:.1%} | "
            f"{row['said']} | {row['speedup_here']:.3g} | {row['verdict_here']} |"
        )
    merges = both[both["claim"] == "qemu-merge-2010"]
    vague = merges.loc[merges["said"] == UNDECIDED, "known_speedup"]
    yield f"undecided on {len(vague)} of {len(merges)} traces ({vague.min():.2f} to {vague.max():.2f})"
    rest = {row["claim"] for row in other if row["said"] == UNDECIDED} - {"qemu-merge-2010"}
    assert rest == {"ch-7468-0.1"}
    word = one(both, claim="rust-vmm-130-16")
    here = one(study("claims"), claim="rust-vmm-130-16")
    yield (
        f"takes {1e3 * word['original_seconds']:.2f} ms there and {1e3 * here['original_seconds']:.2f} on the Zen 5, one a word "
        f"{span([1e6 * row['variant_seconds'] for row in (here, word)], '.0f')} µs"
    )
    alone = beside_zen5(ZEN3).set_index("claim")
    alone = alone[alone["quiet_verdict"].notna()]
    same = int((alone["said"] == alone["verdict_here"]).sum())
    yield f"judge {len(alone)} lines alone, {same} of them as on the Zen 5"
    gains = alone.loc[[f"rust-vmm-130-{pages}" for pages in (16, 64, 256)], "known_speedup"]
    yield f"{gains.iloc[0]:.3g}, {gains.iloc[1]:.3g} and {gains.iloc[2]:.3g} times"


def beside_zen5(result: str) -> pd.DataFrame:
    """Return the claims that were measured on another CPU, with what is to be said of each.

    That is what the rounds that nothing slowed give alone, where many were.
    """
    there, here = study("claims", result), study("claims")
    if result == ZEN4:
        there, here = (_with_the_letter_of_bench(*one) for one in ((there, ZEN4), (here, ZEN5)))
    same = ["claim", "workload"]
    here = here[[*same, "speedup", "verdict"]]
    both = there.merge(here, on=same, suffixes=("", "_here"))
    quiet = both["quiet_verdict"].fillna("") != ""
    for kind in ("speedup", "low", "high"):
        of_all = both["speedup" if kind == "speedup" else f"speedup_{kind}"]
        both[f"known_{kind}"] = both[f"quiet_{kind}"].where(quiet, of_all)
    both["said"] = both["quiet_verdict"].where(quiet, both["verdict"])
    return both[both["known_speedup"].notna() & (quiet | ~(both["slowed"] > SLOWED_SHARE))]


def _with_the_letter_of_bench(claims: pd.DataFrame, result: str) -> pd.DataFrame:
    """Return claims with the letter's from a run of ``bench``, which has as many snapshots as claims have since."""
    bench = pick(speedups(result), variant="multi_page")
    bench = bench.set_index(bench["condition"] + " " + bench["origin"])
    letters = claims["claim"].str.startswith("letter") & claims["workload"].isin(bench.index)
    found = claims.copy()
    for column in ("speedup", "speedup_low", "speedup_high", "verdict", "slowed", "quiet_speedup", "quiet_low",
                   "quiet_high", "quiet_verdict"):  # fmt: skip
        if column in bench:
            found.loc[letters, column] = claims.loc[letters, "workload"].map(bench[column])
    return found


def near_on_zen4() -> Iterator[str]:
    """Yield how near variants are to their code on another CPU."""
    table = study("fidelity", ZEN4)
    noted = read_environment(RESULTS / f"{ZEN4}-fidelity")["machine"]["disturbed"]
    shares = [int(re.findall(r"in (\d+)% of its rounds", sentence)[0]) for sentence in noted]
    yield f"a neighbour slowed {min(shares)} to {max(shares)} % of the rounds"
    alike = table[
        table["variant"].str.fullmatch(r"bit_positions.*|find_next_(four|word)|per_page")
        & (table["map"] != "density 0")
    ]["ratio"]
    assert alike.between(0.9, 1.1).all()

    def of(pattern: str, column: str = "variant") -> str:
        return span(table.loc[table[column].str.fullmatch(pattern), "ratio"], ".2f")

    yield f"it takes {of('loop_bits.*')} times as long as what stands for it"
    yield f"The page path of QEMU's merge takes {of('exchange_page')} of its variant's time"
    yield (
        f"Linux' search takes {of('Linux.*find_bit.c', 'upstream')} with `__ffs()` as it has it on x86, in assembly, and "
        f"{of('Linux.*builtin.*', 'upstream')} with the compiler's own"
    )


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
