"""The figures that documents give, each written anew from the committed table that it comes from.

A function a document yields its sentences and lines of tables with figures; where a table is
measured anew, the test says which sentence has to be in the document now. What is no figure of a
table, and why, is in ``NOT_MEASURED``.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.doctor.engine import Ratio
from harness.report.remaining import dependence, patch_calls
from harness.report.stored import Stored
from harness.results.environment import read_environment
from harness.results.limits import find_limits
from harness.results.result import SPEEDUPS, read_table
from harness.studies.size import reach

RESULTS = Path(__file__).parent.parent / "results"
ZEN5, ZEN4, ZEN3 = "amd-epyc-26-2", "amd-epyc-25-17", "amd-epyc-25-1"
INTEL = "intel-xeon-processor"
AGAIN, BETWEEN = f"{ZEN5}-again", f"{ZEN5}-between"
ZEN4_AGAIN = f"{ZEN4}-again"
CONDITIONS = ("cond1", "cond2", "cond3", "cond4")
NAMES = ("Cond1, contiguous writes", "Cond2, alternating pages", "Cond3, reading a file",
         "Cond4, reading and writing")  # fmt: skip
RANGES = ("8 to 16", "0.25 to 0.33", "8 to 16", "2 to 16")
METHODS = ("in turns", "sequential")
Sentences = Iterator[str]


@functools.cache
def speedups(result: str) -> pd.DataFrame:
    return read_table(RESULTS / result, SPEEDUPS)


@functools.cache
def study(name: str, of: str = ZEN5) -> pd.DataFrame:
    return pd.read_csv(RESULTS / f"{of}-{name}" / f"{name}.csv")


def pick(rows: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    assert len(rows), wanted
    return rows


def one(rows: pd.DataFrame, **wanted: object) -> Any:
    (record,) = pick(rows, **wanted).to_dict("records")
    return record


def patch(condition: str, origin: str, result: str = ZEN5) -> Any:
    return one(speedups(result), condition=condition, origin=origin, variant="multi_page")


def digits(value: float, count: int = 2) -> str:
    """Write ``value`` with so many digits that say something, and no exponent."""
    return np.format_float_positional(
        float(f"{value:.{count}g}"), trim="k", min_digits=None
    ).removesuffix(".")


def span(values: ArrayLike, form: str = ".2g") -> str:
    found = np.asarray(values, dtype=float)
    return f"{found.min():{form}} to {found.max():{form}}"


def half(row: Any) -> str:
    reach = (row["speedup_high"] - row["speedup_low"]) / 2 / row["speedup"]
    return f"±{100 * reach:#.2g} %"


def letter_row(name: str, claimed: str, row: Any) -> str:
    return (
        f"| {name} | {claimed} | {row['speedup']:.2f} {half(row)} | "
        f"{row['calls_low']:.2g} to {row['calls_high']:.2g} | {letter_line(row)} |"
    )


def as_words(values: Iterable[float]) -> str:
    """Write what the four conditions gave."""
    *others, last = (f"{value:.2f}" for value in values)
    return f"{', '.join(others)} and {last}"


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
        f"the rank correlation of a call's speedup with them is between {asked['correlation'].min():.1f} "
        f"and {asked['correlation'].max():+.2f} on each of the twelve traces"
    )
    first = one(asked, condition="cond1", origin="recorded")
    yield f"Cond1 gives {first['few']:.1f} with the fewest and {first['many']:.1f} with the most"
    times = pick(study("placement"), variant="page_by_page")["seconds"]
    yield f"the original of 2010 is {times.max() / times.min():.1f} times as fast at some offsets"
    one_, two, three, four = ((row["placement_low"], row["placement_high"]) for row in rows)
    yield (
        f"by placement Cond1 is {span(one_, '.1f')}, Cond2 {span(two, '.2f')}, "
        f"Cond3 {span(three, '.1f')} and Cond4 {span(four, '.1f')}"
    )
    yield f"the same two files give {one_[0]:.1f} or {one_[1]:.1f} for Cond1"
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


def runs(method: str, of: str = ZEN4, kept: str = "doctor") -> pd.DataFrame:
    """Return the runs of ``dirtyscan doctor``."""
    return pick(pd.read_csv(RESULTS / f"{of}-{kept}" / "runs.csv"), method=method)


def spread(method: str, of: str) -> float:
    """Return how far apart the runs of a method lie, in percent."""
    found = runs(method, of)["speedup"]
    return 100 * (float(found.max() / found.min()) - 1)


def against_itself() -> tuple[pd.DataFrame, int]:
    """Return the runs of the original against itself, and in how many the interval contains 1."""
    rows = runs("against itself")
    return rows, int(((rows["speedup_low"] <= 1) & (rows["speedup_high"] >= 1)).sum())


def of_gcc() -> pd.DataFrame:
    rows = speedups(f"{ZEN5}-variants")
    return rows[~rows["noise_floor"] & (rows["original_toolchain"] == "cc-era")]


def variants() -> Sentences:
    rows = speedups(f"{ZEN5}-variants")
    rows = rows[~rows["noise_floor"]]
    vague = rows[rows["stopped"] == "budget"]
    reach = (vague["speedup_high"] - vague["speedup_low"]) / 2 / vague["speedup"]
    yield (
        f"Of its {len(rows)} rows {len(vague)} stopped when the time was spent, at ±{100 * reach.max():.0f} % at "
        f"worst and ±{100 * reach.median():.1f} % in the middle"
    )
    every = of_gcc().groupby("variant")["speedup"].agg(["min", "max", "mean"])
    yield f"testing bit after bit takes {1 / every['mean']['bitmap_test_bit']:.1f} times the original's time"
    yield f"On these traces it gains {every['min']['two_level']:.0f} to {every['max']['two_level']:.0f} times"
    yield f"counting every line with AVX2 {every['mean']['bitmap_avx2']:.0f} times"
    limits = find_limits(of_gcc())
    sizes = study("size").groupby("variant")["share_of_limit"].min()
    for name in ("avx512_vnni", "bitmap_avx512"):
        yield (
            f"| `{name}` | {every['min'][name]:,.0f} | {limits.share(name, 'cc-era'):.2f} at 512 MiB; "
            f"{sizes[name]:.2f} or more from 512 MiB to 4 TiB |"
        )
    yield f"| `avx2` | {every['min']['avx2']:.0f} | {limits.share('avx2', 'cc-era'):.2f} at 512 MiB |"


def studies() -> Sentences:
    maps = study("density")
    maps = maps[maps["trace"].isna()]
    of = maps.groupby("variant")["speedup"].agg(["min", "max"])
    yield f"bounds the loss ({of['min']['word_test']:.2f})"
    yield f"{of['max']['bitmap_find_next']:.0f} times faster on a clean map"
    for column, share in (("a hundredth of each tick from", 0.01), ("a tenth from", 0.1)):
        yield f"{column} {of_size('page_by_page', share)}"
    yield f"all of it at {of_size('page_by_page', 1.0)}"
    at = [of_size("multi_page", share) for share in (0.01, 0.1, 1.0)]
    yield f"the patch at {at[0]}, {at[1]} and {at[2]}"
    yield f"reach a hundredth at {of_size('avx512_vnni', 0.01)}, a bitmap's at {of_size('bitmap_avx512', 0.01)}"
    compilers = pick(study("toolchains"), variant="multi_page")
    era = pick(compilers, toolchain="clang-era")
    gains = era[era["condition"] != "cond2"]["speedup"]
    gcc = pick(compilers, toolchain="gcc-era")
    yield (
        f"Clang's original is {era['original_against_first'].mean():.1f} times as fast at `era`, so "
        f"the patch gains {span(gains, '.1f')} times instead of "
        f"{span(gcc[gcc['condition'] != 'cond2']['speedup'], '.1f')}, and loses to the letter's extent "
        f"where pages alternate ({era['speedup'].min():.2f})"
    )
    native = pick(compilers, toolchain="clang-native")
    yield f"vectorizes the original itself, {native['original_against_first'].mean():.1f} times faster"
    counted = study("instructions")
    least = pick(counted, variant="multi_page")
    alternate = pick(least, condition="cond2").set_index("origin")
    yield (
        f"The patch takes {span(least[least['condition'] != 'cond2']['instructions_per_page'], '.1f')} "
        f"where runs are long, and where pages alternate {alternate['instructions_per_page']['captured']:.0f} "
        f"(captured) to {alternate['instructions_per_page']['synthetic']:.0f} (synthetic), with "
        f"{span(1000 * alternate['mispredicted_per_page'], '.0f')} mispredicted branches per 1000 pages"
    )
    tick = study("tick")
    of_traces = tick[tick["trace"].astype(str).str.startswith("cond")]
    byte = of_traces["variant"] == "byte_map"
    yield (
        f"every bitmap takes {span(1e6 * of_traces[~byte]['seconds'], '.0f')} µs on captured traces where the byte map takes "
        f"{span(1e6 * of_traces[byte]['seconds'], '.0f')}"
    )
    largest = pick(tick, guest_memory_bytes=2**40).set_index("variant")["seconds"] * 1e3
    yield (
        f"At 1 TiB the byte map's tick takes {largest['byte_map']:.0f} ms, as good as all there are; the "
        f"bitmap's {largest['bitmap']:.1f} ms, and with the counter {largest['counted_bitmap']:.1f} ms"
    )
    worst = study("operations").groupby(["operation", "map", "variant"])["share_of_best"].min()
    yield (
        f"| count, byte map | `avx512_vnni` | {worst['count', 'byte map', 'avx512_vnni']:.2f} | without "
        f"AVX-512: `avx2`, {worst['count', 'byte map', 'avx2']:.2f} at worst |"
    )
    yield (
        f"| count, bitmap | `bitmap_avx512` | {worst['count', 'bitmap', 'bitmap_avx512']:.2f} | without it: "
        f"`bitmap_avx2`, {worst['count', 'bitmap', 'bitmap_avx2']:.2f} |"
    )
    yield (
        f"| ranges | `edges_avx512` | {worst['ranges', 'bitmap', 'edges_avx512']:.2f} | without AVX-512: "
        f"`edges`, {worst['ranges', 'bitmap', 'edges']:.2f}; the first lies behind at 0.1 % of random pages, where "
        "`bit_positions_list` is the best, and in some runs of 64 |"
    )
    yield f"| drain | `skip_lines_vector` | {worst['drain', 'bitmap', 'skip_lines_vector']:.2f} |"
    yield f"| mark | `store_whole` | {worst['mark', 'bitmap', 'store_whole']:.2f} | |"
    yield (
        f"| merge | `avx512` | {worst['merge', 'bitmap', 'avx512']:.2f} | `per_word`, a population count a "
        f"word: {worst['merge', 'bitmap', 'per_word']:.2f} at 1 % dirty |"
    )
    yield (
        f"| next | `find_next_avx2` | {worst['next', 'bitmap', 'find_next_avx2']:.2f} | `find_next_bit`: as "
        f"fast from 1 % dirty on, faster at 0.1 % of random pages, half as fast at 0.1 % in runs, {worst['next', 'bitmap', 'find_next_bit']:.2f} on a "
        "clean map |"
    )


def of_size(variant: str, share: float) -> str:
    rows = pick(study("size"), variant=variant).sort_values("guest_memory_bytes")
    size = reach(rows["guest_memory_bytes"].tolist(), rows["share_of_tick"].tolist(), share).bytes
    unit, name = (2**40, "TiB") if size >= 2**40 else (2**30, "GiB")
    return f"{digits(size / unit)} {name}"


def gate() -> Sentences:
    asked = pd.read_csv(RESULTS / f"{ZEN5}-gate" / "calibration.csv", keep_default_na=False)
    kinds = {"revision": "--against", "instructions": "--instructions", "reference": "--baseline"}
    moved = asked["change"] != ""
    for (evidence, extra, is_moved), group in asked.groupby(["evidence", "extra_work", moved]):
        counts = group["outcome"].value_counts()
        idle, busy = (pick(group, busy=busy)["seconds"].median() for busy in (False, True))
        answers = ", ".join(f"{count} {what}" for what, count in counts.items())
        busy_alone = (group["busy"] | (group["outcome"] != "undecided")).all()
        answers += " (all of them busy)" if "undecided" in counts and busy_alone else ""
        work = f"{100 * float(str(extra)):.0f} % more work" if extra else "none"
        yield (
            f"| `{kinds[str(evidence)]}` | {'moved' if is_moved else work} | {len(group)} | {answers} "
            f"| {idle:.1f} s | {busy:.1f} s |"
        )
    slower, others = without_error(asked)
    yield f"no false alarm in {len(others)} gates, and no slower variant was missed in {len(slower)}"
    yield from gate_beside_neighbour()
    gains = [
        patch("cond1", "synthetic", result)["speedup"] for result in (AGAIN, ZEN4_AGAIN, INTEL)
    ]
    yield (
        f"gains {gains[0]:.2f} on synthetic Cond1 on an AMD EPYC of Zen 5, {gains[1]:.2f} on one of Zen 4 and "
        f"{gains[2]:.1f} on an Intel Xeon"
    )


def without_error(asked: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the gates about slower code, which all say so, and the others, none of which does."""
    slower, others = asked[asked["extra_work"] > 0], asked[asked["extra_work"] == 0]
    assert set(slower["outcome"]) == {"slower"}
    assert "slower" not in set(others["outcome"])
    return slower, others


def gate_beside_neighbour() -> Sentences:
    asked = pd.read_csv(RESULTS / f"{ZEN3}-doctor" / "calibration.csv", keep_default_na=False)
    slower, others = without_error(pick(asked, evidence="revision"))
    undecided = (others["outcome"] == "undecided").sum()
    yield (
        f"of {len(others)} gates about unchanged or moved code none said slower and {undecided} were undecided, "
        f"with every row at {others['lowest'].min():.3f} or above; all of {len(slower)} about 2 or 5 % more work "
        "said slower"
    )
    unchanged, moved = (
        others[(others["change"] != "") == is_so]["seconds"] for is_so in (False, True)
    )
    yield (
        f"Unchanged code took {unchanged.median():.1f} s, moved code {moved.median():.1f} s and slower code "
        f"{slower['seconds'].median():.1f} s"
    )


def fidelity() -> Sentences:
    tested = pick(of_gcc(), variant="word_test")
    gains = one(tested, condition="cond1", origin="recorded")["speedup"]
    yield f"it gains {gains:.1f} times on recorded Cond1"
    of_two = []
    for origin in ("recorded", "captured"):
        row = one(tested, condition="cond2", origin=origin)
        of_two.append((row["speedup"], span((row["placement_low"], row["placement_high"]), ".1f")))
    yield (
        f"reports a loss: {of_two[0][0]:.1f} times on the recorded trace ({of_two[0][1]} by [where its code "
        f"lies](statistics.md#where-code-lies)) and {of_two[1][0]:.1f} on the captured one ({of_two[1][1]})"
    )
    yield (
        f"whose kernel decides by itself, lie at {patch('cond3', 'recorded')['speedup']:.1f}, captured ones "
        f"at {patch('cond3', 'captured')['speedup']:.1f}"
    )
    yield worst_model("within")

    def line(name: str, values: Callable[[str, str], float]) -> str:
        cells = [
            ", ".join(f"{value:.{1 if condition != 'cond2' and value > 0.995 else 2}f}" for value in
                      (values(condition, origin) for origin in ("synthetic", "captured")))
            for condition in CONDITIONS
        ]  # fmt: skip
        return f"| {name} | {' | '.join(cells)} |"

    yield line("as assumed", lambda condition, origin: patch(condition, origin)["speedup"])
    table = pick(study("toolchains"), variant="multi_page")
    for name, toolchain in (
        ("as assumed, in the run of compilers", "gcc-era"),
        ("clang 14 with the same flags", "clang-era"),
        ("gcc 12, `-O3 -march=native`", "gcc-native"),
        ("clang 14, `-O3 -march=native`", "clang-native"),
    ):
        rows = pick(table, toolchain=toolchain)
        yield line(
            name,
            lambda condition, origin, rows=rows: one(rows, condition=condition, origin=origin)[
                "speedup"
            ],  # type: ignore[misc]
        )
    assumed = study("assumptions").set_index(["condition", "assumption"])["speedup"]
    usual = {condition: assumed[condition, "as assumed"] for condition in CONDITIONS}
    yield f"alternates over a region of 256 MiB: {usual['cond2']:.2f}"
    yield f"(`cond2-full`) gives {assumed['cond2', 'alternating over all of memory']:.2f}"
    clang = pick(table, toolchain="clang-era")["speedup"].min()
    yield f"with clang's original the first is in its range ({clang:.2f})"
    seldom, fast = (
        assumed["cond2", one]
        for one in ("written over a fourth as often", "a faster link: 128 MiB/s")
    )
    yield f"more of the migration has no alternating pages left, and it is {seldom:.2f} and {fast:.2f}"
    yield (
        f"With nothing written beside it Cond1 rises from {usual['cond1']:.1f} to "
        f"{assumed['cond1', 'nothing written beside the workload']:.1f}, into the letter's range; with four times as much it falls "
        f"to {assumed['cond1', 'four times as much written beside it']:.1f}"
    )
    yield (
        f"decides Cond3 and Cond4: {assumed['cond3', 'files in one piece of memory']:.1f} in one piece, "
        f"{assumed['cond3', 'half of the read-ahead windows scattered']:.1f} "
        f"where half of the read-ahead windows are scattered, and "
        f"{assumed['cond3', 'read-ahead of 16 KiB']:.1f} where read-ahead is 16 KiB instead of 128, "
        f"against {usual['cond3']:.1f} as assumed"
    )
    slower, faster = (
        [assumed[condition, f"a {link}"] for condition in ("cond3", "cond4")]
        for link in ("slower link: 16 MiB/s", "faster link: 128 MiB/s")
    )
    yield f"takes Cond3 and Cond4 to {' and '.join(f'{one:.1f}' for one in slower)} where it is half as fast"
    yield f"and {span(faster, '.1f')} where it is four times as fast"
    agree = [f"{patch(condition, 'synthetic')['speedup']:.2f} and {patch(condition, 'recorded')['speedup']:.2f}"
             for condition in CONDITIONS]  # fmt: skip
    yield f"Their speedups agree: {agree[0]} (Cond1), {', '.join(agree[1:])} (Cond4)"
    last = {origin: patch("cond4", origin) for origin in ("recorded", "synthetic")}
    model, real = (
        span((last[o]["calls_low"], last[o]["calls_high"]), ".1f")
        for o in ("synthetic", "recorded")
    )
    yield f"({real} where the model's nine tenths are {model})"


def statistics() -> Sentences:
    yield from before_each_snapshot()
    yield from of_zen3()
    yield from beside_a_neighbour()
    yield f"[every run](../results/amd-epyc-25-17-doctor/runs.csv); {beside(ZEN4)} meanwhile"
    for name, method in zip(
        ("in turns (dirtyscan)", "one after the other (pyperf's own runner)"), METHODS, strict=True
    ):
        rows = runs(method)
        low, high = rows["speedup"].min(), rows["speedup"].max()
        yield f"| {name} | {rows['seconds'].iloc[0]:.1f} s | {low:.3f}, {high:.3f} | {high / low:.4f} |"
    busy = [f"{digits(spread(method, ZEN5))} %" for method in METHODS]
    yield f"{beside(ZEN5)} meanwhile, the first lay within {busy[0]}, the second within {busy[1]}"
    itself, covered = against_itself()
    close = int(((itself["speedup"] - 1).abs() <= 0.005).sum())
    yield (
        f"in {len(itself)} runs, it contained 1 in {covered}, and the value was within 0.5 % of 1 in {close} "
        f"({itself['speedup'].min():.4f} to {itself['speedup'].max():.4f})"
    )
    for name, result in (
        *(("AMD EPYC (Zen 5)", ZEN5), ("AMD EPYC (Zen 4)", ZEN4)),
        ("AMD EPYC (Zen 3)", ZEN3),
    ):
        times = pick(study("placement", result), condition="cond1").groupby("variant")["seconds"]
        ratio = times.max() / times.min()
        cells = [
            f"{ratio[v]:.2f}"
            for v in ("page_by_page", "multi_page", "word_test", "word_sum", "two_level")
        ]
        yield f"| {name} | {' | '.join(cells)} |"
    original = pick(study("placement"), variant="page_by_page", condition="cond1")
    slow, fast = (1e6 * original["seconds"].quantile(q) for q in (0.99, 0.5))
    offsets = original[original["seconds"] > 1.2 * original["seconds"].min()]["offset"]
    yield (
        f"takes {slow:.0f} µs at offsets of {offsets.min()} to {offsets.max()}, one of the four to which "
        f"compilers align, and {fast:.0f} µs at all others"
    )
    row = patch("cond1", "recorded")
    yield f"`multi_page` on Cond1 is anything from {row['placement_low']:.1f} to {row['placement_high']:.1f}"


def worst_model(before: str) -> str:
    """Say how far the models are from what was recorded."""
    off = [
        abs(patch(c, "synthetic")["speedup"] / patch(c, "recorded")["speedup"] - 1)
        for c in CONDITIONS
    ]
    return f"{before} {np.ceil(100 * max(off)):.0f} %"


def many_hosts() -> Sentences:
    """Yield what an engine changes, as 'doctor --engine' has found."""
    for ratio in ratios(ZEN4):
        apart, name = ratio.apart, "the patch" if ratio.variant == "multi_page" else "the original"
        low, value, high = (f"{100 * (x - 1):+.2f}" for x in (apart.low, apart.value, apart.high))
        with_them = "one worker" if ratio.workers == 1 else "two at once"
        yield f"| {name} | {with_them} | {value} % | {low} to {high} % | {ratio.agreement.value} |"


def ratios(of: str) -> Iterator[Ratio]:
    """Yield what 'doctor --engine' has measured, from its runs."""
    without, engine = (runs(f"{kind} the engine", of, "engine") for kind in ("without", "with"))
    for workers, variant in dict.fromkeys(zip(without["workers"], without["variant"], strict=True)):
        alone, within = (
            pick(rows, workers=workers, variant=variant)["speedup"] for rows in (without, engine)
        )
        yield Ratio(variant, int(workers), tuple(alone), tuple(within))


def record() -> Sentences:
    yield worst_model("what the models say is what real guests do, within")
    for condition in CONDITIONS:
        row = patch(condition, "recorded")
        model, taken = (patch(condition, origin)["speedup"] for origin in ("synthetic", "captured"))
        yield (
            f"| {condition.capitalize()} | {model:.2f} | {row['speedup']:.2f} | {taken:.2f} | "
            f"{row['calls_low']:.2g} to {row['calls_high']:.2g} |"
        )


NOT_MEASURED: Mapping[str, tuple[str, ...]] = {
    "the letter's figures": (
        "8 to 16", "2 to 16", "3 to 4 times", "0.25 to 0.33", "2.66 GHz", "9.10", "2.6.26", "beyond 8 times",
    ),
    "what dirtyscan does or is asked for": (
        "100 ms", "95 %", "60 s", "150 s", "in 20 s", "every 20 ms", "within 10 s", "0.5 GB", "0.6 MiB",
        "±0.5 %", "a chance of 1 %", "chance of 1 % is", "more than 2 %", "more than 1 %", "more than 5 %",
        "more than 10 ms", "a round of 8 s", "| 1 % |", "| 5 % |", "2 % of its words", "26,214 pages", "within 0.5 % of 1", "whether they agree within 0.5 %",
        "of version 0.1 as well", "the same speedups within 5 %", "chance of 0.1 %", "changes of 1 % or more",
        "a step of 3 %", "at 0.1 %", "at 1 %", "1 % of random pages",
        "at 0.1 % of random pages",
    ),
    "said by 'dirtyscan results verify' of the committed results": ("2.5 % apart at most",),
    "published by others": ("260 ns a page",),
    "versions": (
        r"Python 3\.\d+", r"QEMU \d+\.\d+", r"Linux \d+\.\d+",
    ),
    "simulated by tests/test_statistics.py and tests/test_placement.py": (
        "bursts into 5 % of the calls", "up to 100 times as long", "in 92 to 98 %", "takes 1.8 times as long",
        "covers 92 to 98",
    ),
    "counted by machine code, the same everywhere": ("9 instructions a page",),
    "in words of what the table beside it has": (
        "is within 2 % of reading", "its original is 1.5 times as fast",
    ),
}  # fmt: skip
"""What looks like a measured figure and is none, as regular expressions, by the reason."""

SENTENCES: Mapping[str, Callable[[], Sentences]] = {
    "README.md": readme,
    "docs/variants.md": variants,
    "docs/studies.md": studies,
    "docs/fidelity.md": fidelity,
    "docs/gate.md": gate,
    "docs/statistics.md": statistics,
    "docs/record.md": record,
    "docs/many-hosts.md": many_hosts,
}
