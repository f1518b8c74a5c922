"""The figures of README.md: the letter's conditions, on which CPU and beside what."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from harness.report.remaining import dependence, patch_calls
from harness.report.stored import Stored
from harness.results.environment import read_environment
from harness.results.limits import find_limits
from tests.documented import (
    AGAIN,
    BETWEEN,
    CONDITIONS,
    INTEL,
    METHODS,
    NAMES,
    RANGES,
    RESULTS,
    ZEN3,
    ZEN4,
    ZEN4_AGAIN,
    ZEN5,
    Sentences,
    against_itself,
    as_words,
    digits,
    half,
    of_gcc,
    one,
    patch,
    pick,
    runs,
    span,
    speedups,
    spread,
    study,
)


def letter_row(name: str, claimed: str, row: Any) -> str:
    return (
        f"| {name} | {claimed} | {row['speedup']:.2f} {half(row)} | "
        f"{row['calls_low']:.2g} to {row['calls_high']:.2g} | {letter_line(row)} |"
    )


def again_at_once() -> Sentences:
    """Yield the rows of a run without other work between its calls."""
    for condition, name, claimed in zip(CONDITIONS, NAMES, RANGES, strict=True):
        yield letter_row(name, claimed, patch(condition, "recorded", AGAIN))


def gains(result: str) -> list[float]:
    """Return what the patch gains on the recorded guests, by condition."""
    return [patch(condition, "recorded", result)["speedup"] for condition in CONDITIONS]


def before_each_snapshot() -> Sentences:
    """Yield what the patch gains on recorded guests, by what came before each snapshot."""
    of_all = pick(of_gcc(), variant="multi_page", origin="recorded")
    for name, found in (
        ("other work (1.4 ms)", gains(ZEN5)),
        ("10 ms of an interpreter's (`--between 10`)", gains(BETWEEN)),
        ("nothing (`--no-other-work`)", gains(AGAIN)),
        (
            "other work, beside all variants",
            [one(of_all, condition=condition)["speedup"] for condition in CONDITIONS],
        ),
    ):
        yield f"| {name} | {' | '.join(f'{value:.2f}' for value in found)} |"
    other, of_interpreter, nothing = (
        as_words(gains(f"{ZEN4}{kind}")) for kind in ("", "-between", "-again")
    )
    yield f"{other} after other work, {of_interpreter} after an interpreter's"
    yield f"{nothing} after nothing"


def of_zen4() -> Sentences:
    """Yield what the patch gains on the recorded guests of another CPU, and by placement."""
    rows = [patch(condition, "recorded", ZEN4) for condition in CONDITIONS]
    (holds,) = (row["condition"] for row in rows if row["verdict"] == "reproduced")
    yield f"recorded guests gave {as_words(row['speedup'] for row in rows)}"
    yield f"of which {holds.capitalize()} holds"
    yield f"by placement {by_placement(rows)}"
    yield as_words(gains(ZEN4_AGAIN))


def by_placement(rows: Iterable[Any]) -> str:
    """Write what the four conditions gave at the least and the most favourable placement."""
    *others, last = (
        span((row["placement_low"], row["placement_high"]), form)
        for row, form in zip(rows, (".1f", ".2f", ".1f", ".1f"), strict=True)
    )
    return f"{', '.join(others)} and {last}"


def of_zen3() -> Sentences:
    """Yield what the patch gains on the recorded guests of a machine with a neighbour."""
    rows = [patch(condition, "recorded", ZEN3) for condition in CONDITIONS]
    shares = [100 * row["slowed"] for row in rows]
    yield f"slowed the original in {min(shares):.0f} to {max(shares):.0f} % of its rounds"
    yield f"in the other rounds alone {as_words(row['quiet_speedup'] for row in rows)}"
    yield f"and {as_words(row['speedup'] for row in rows)} in all"


def holding_on_zen3() -> Sentences:
    """Yield which of the letter's figures hold there, beside the neighbour and without."""
    rows = [patch(condition, "recorded", ZEN3) for condition in CONDITIONS]
    alone, every = (
        [row["condition"].capitalize() for row in rows if row[name] == "reproduced"]
        for name in ("quiet_verdict", "verdict")
    )
    (holds,), (first, second) = alone, every
    assert second == holds
    yield f"of which {holds} holds"
    yield f"of which {first} would hold too"


def beside_a_neighbour() -> Sentences:
    """Yield what a neighbour does to each condition, and to its verdict."""
    for condition, name in zip(CONDITIONS, NAMES, strict=True):
        row = patch(condition, "recorded", ZEN3)
        reach = (row["quiet_high"] / row["quiet_low"]) ** 0.5 - 1
        yield (
            f"| {name} | {row['speedup']:.2f} {half(row)} | {row['verdict']} | "
            f"{row['quiet_speedup']:.2f} ±{100 * reach:#.2g} % | {row['quiet_verdict']} |"
        )


def letter_line(row: Any) -> str:
    inside, above, below = (row[f"calls_{side}"] for side in ("within", "above", "below"))
    others = [f"{share:.0%} {side}".replace("%", " %") for share, side in
              ((below, "below"), (above, "above")) if share >= 0.005]  # fmt: skip
    said = ", ".join([f"{inside:.0%}".replace("%", " %"), *others])
    return f"{said}: {row['verdict']}"


def readme() -> Sentences:
    for condition, name, claimed in zip(CONDITIONS, NAMES, RANGES, strict=True):
        row = patch(condition, "recorded")
        others = [
            f"{patch(condition, origin)['speedup']:.2f}" for origin in ("synthetic", "captured")
        ]
        yield f"{letter_row(name, claimed, row)} {others[0]} | {others[1]} |"
    yield from again_at_once()
    writing, reading = (patch(name, "recorded")["calls_within"] for name in ("cond1", "cond3"))
    yield f"Cond1 with {100 * writing:.0f} % of them and Cond3 with {100 * reading:.0f} %"
    slower = 1 / patch("cond2", "recorded")["speedup"]
    yield f"where dirty and clean pages alternate the patch is {slower:.1f} times slower and not 3 to 4"
    rows = [patch(condition, "recorded") for condition in CONDITIONS]
    yield f"spans a factor of 8, these of {rows[3]['calls_high'] / rows[3]['calls_low']:.1f}"
    stored = patch_calls(Stored(RESULTS / ZEN5))
    assert stored is not None
    asked = dependence(stored)
    yield (
        f"the rank correlation of a call's speedup with their number is between {asked['correlation'].min():.1f} "
        f"and {asked['correlation'].max():+.2f} on each of the twelve traces"
    )
    yield f"that of the runs that they form {span(asked['with_runs'], '.2f')}"
    first = one(asked, condition="cond1", origin="recorded")
    yield f"Cond1 gives {first['few']:.1f} with the fewest and {first['many']:.1f} with the most"
    times = pick(study("placement"), variant="page_by_page")["seconds"]
    yield f"the original of 2010 is {times.max() / times.min():.1f} times as fast at some offsets"
    one_, two, three, four = ((row["placement_low"], row["placement_high"]) for row in rows)
    yield (
        f"by placement Cond1 is {span(one_, '.1f')}, Cond2 {span(two, '.2f')}, "
        f"Cond3 {span(three, '.1f')} and Cond4 {span(four, '.1f')}"
    )
    yield f"the same two files give {one_[0]:.1f} to {one_[1]:.1f} for Cond1"
    yield from of_zen4()
    yield from of_zen3()
    yield from holding_on_zen3()
    xeon = [patch(condition, "synthetic", INTEL)["speedup"] for condition in CONDITIONS]
    yield f"{xeon[0]:.1f}, {xeon[1]:.2f}, {xeon[2]:.1f} and {xeon[3]:.1f}"
    everywhere = one(study("assumptions"), assumption="alternating over all of memory")
    yield f"(`cond2-full`: {everywhere['speedup']:.2f})"
    compilers = study("toolchains")
    clang = pick(compilers, toolchain="clang-era", variant="multi_page")
    yield f"clang's original is {clang['original_against_first'].mean():.1f} times as fast as gcc's here"
    yield f"brings Cond2 into the letter's range ({clang['speedup'].min():.2f})"
    every = of_gcc()
    yield f"are {pick(every, variant='word_sum')['speedup'].mean():.1f} times faster than the original"
    vectors = every[every["variant"].isin(["avx2", "avx512", "avx512_vnni"])]["speedup"]
    yield f"vectors {vectors.min():.0f} to {vectors.max():.0f} times"
    bits = pick(every, variant="bitmap_avx512")["speedup"]
    yield f"a bitmap's vectors {round(bits.mean(), -2):,.0f} times"
    shares = [share for (name, _), share in find_limits(every).shares.items()
              if name in ("avx2", "avx512", "avx512_vnni", "bitmap_avx512")]  # fmt: skip
    yield f"at {min(shares):.2f} or more of what reading the map and nothing else takes"
    of_intel = speedups(f"{INTEL}-variants")
    of_xeon = (
        of_intel[of_intel["toolchain"] == "cc-era"]
        .groupby("variant")["speedup"]
        .agg(["min", "max", "mean"])
    )
    yield (
        f"eight pages a word are {of_xeon['mean']['word_sum']:.1f} times faster, AVX2 "
        f"{span(of_xeon.loc['avx2', ['min', 'max']], '.0f')} times and AVX-512 "
        f"{span(of_xeon.loc['avx512', ['min', 'max']], '.0f')}, at "
        f"{least_share(of_intel, 'avx2'):.2f} and {least_share(of_intel, 'avx512'):.2f} of what reading the map takes"
    )
    seconds = [f"{runs(method)['seconds'].iloc[0]:.0f} s" for method in METHODS]
    quiet, busy = ([f"{digits(spread(method, of))} %" for method in METHODS] for of in (ZEN4, ZEN5))
    yield (
        f"Ten runs of the same speedup, {seconds[0]} each, lay within {quiet[0]} of each other; ten of "
        f"pyperf's own sequential runner, on the same code in {seconds[1]} each, within {quiet[1]}"
    )
    yield f"while {beside(ZEN5)}, {busy[0]} and {busy[1]}"
    itself, covered = against_itself()
    yield (
        f"The original measured against itself {len(itself)} times gave an interval that contains 1 in "
        f"{covered} of the runs"
    )


def least_share(rows: pd.DataFrame, variant: str) -> float:
    return find_limits(rows[~rows["noise_floor"]]).share(variant, "cc-era")


def beside(of: str) -> str:
    """Say what else the machine did while ``doctor`` measured, which was enough to disturb."""
    return "; ".join(read_environment(RESULTS / f"{of}-doctor")["machine"]["disturbed"])
