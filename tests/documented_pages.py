"""The figures of the pages on variants, studies, fidelity, statistics, recording and many hosts."""

from collections.abc import Callable, Iterator

import numpy as np

from harness.doctor.engine import Ratio
from harness.report.remaining import patch_calls
from harness.report.stored import Stored
from harness.results.limits import find_limits
from harness.studies.size import reach
from tests.documented import (
    CONDITIONS,
    METHODS,
    RESULTS,
    ZEN3,
    ZEN4,
    ZEN5,
    Sentences,
    against_itself,
    digits,
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
from tests.documented_letter import before_each_snapshot, beside, beside_a_neighbour, of_zen3


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
    yield the_end()

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


def the_end() -> str:
    """Say what calls have fewer pages left than QEMU would have ended with, and what the medians are without them."""
    calls = patch_calls(Stored(RESULTS / ZEN5))
    assert calls is not None
    found = []
    for condition, origin in (("cond3", "synthetic"), ("cond4", "recorded")):
        of = pick(calls, condition=condition, origin=origin)
        before = of[of["remaining_pages"] >= 7300]
        assert len(of) == 100
        found.append((len(of) - len(before), before["speedup"].median(), of["speedup"].median()))
    few, many = found
    rest = calls[(calls["origin"] != "captured") & (calls["remaining_pages"] < 7300)]
    assert len(rest) == few[0] + many[0]
    return (
        f"{few[0]} of 100 under synthetic Cond3 and {many[0]} under recorded Cond4 have fewer than that, and without them "
        f"the medians are {few[1]:.2f} and {many[1]:.2f} instead of {few[2]:.2f} and {many[2]:.2f}"
    )


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
