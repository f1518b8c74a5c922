"""The figures of the kernel's part of a tick, and of the ways to ask it, from their tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tests.documented import RESULTS, ZEN5, digits, one, pick, span, study

LETTER = ("cond1", "cond2", "cond3", "cond4")
WRITTEN_BY_COND1 = round(65536 / 10)
"""Pages in a tick of 100 ms by the guest's code, which passes over 256 MiB a second."""
KINDS = ("2010", "patch", "today")


def tick() -> pd.DataFrame:
    table = study("kernel", ZEN5)
    return table.assign(kind=table["kind"].astype(str).str.removesuffix(".0"))


def part(rows: pd.DataFrame, name: str, kind: str = "") -> pd.Series:
    """Return the seconds of a part of a tick on each recorded guest."""
    found = pick(rows, part=name) if not kind else pick(rows, part=name, kind=kind)
    return found.set_index("map")["seconds"].reindex(list(LETTER))


def shares(kind: str, with_guest: bool) -> pd.Series:
    """Return how much of a tick its count is, in percent, on each recorded guest."""
    rows = tick()
    count = part(rows, "count", kind)
    rest = sum(part(rows, name) for name in ("sync", "merge", "next", "drain"))
    whole = count + rest + (part(rows, "guest") if with_guest else 0)
    return 100 * count / whole


def both(values: Any, count: int = 2) -> str:
    """Write a range with so many digits, or one figure where both ends are the same."""
    low, high = digits(float(np.min(values)), count), digits(float(np.max(values)), count)
    return low if low == high else f"{low} to {high}"


def of_readme() -> Iterator[str]:
    yield f"it is at most {both(shares('2010', True))} % on these guests"
    yield f"at most {both(shares('2010', False))} % of the hypervisor's part"


def count_of_cond1() -> float:
    return float(part(tick(), "count", "2010")["cond1"])


def others_of_cond1() -> float:
    return float(sum(part(tick(), name)["cond1"] for name in ("merge", "next", "drain")))


def sync_of_all() -> float:
    """Return what the sync of all pages that Cond1's guest writes takes, each as much as those that are seen."""
    a_page = one(tick(), map="cond1", part="sync")["nanoseconds_a_page"]
    return float(1e-9 * a_page * WRITTEN_BY_COND1)


def if_each_faults() -> tuple[float, float]:
    """Return the count's share of the hypervisor's part and of all, in percent, if each written page faults."""
    own = count_of_cond1() + others_of_cond1() + sync_of_all()
    faults = 1e-9 * one(tick(), map="cond1", part="guest")["nanoseconds_a_page"] * WRITTEN_BY_COND1
    return 100 * count_of_cond1() / own, 100 * count_of_cond1() / (own + faults)


def of_studies() -> Iterator[str]:
    rows = tick()
    guest, sync = (pick(rows, part=name) for name in ("guest", "sync"))
    guest, sync = (of[of["map"].isin(LETTER)] for of in (guest, sync))
    yield (
        f"That costs the guest {both(1e3 * guest['seconds'])} ms, {both(guest['nanoseconds_a_page'] / 1e3)} µs a "
        f"page, and the sync {both(1e6 * sync['seconds'])} µs, {sync_a_page(sync)} ns a page. The count of 2010 "
        f"takes {both(1e6 * part(rows, 'count', '2010'))} µs"
    )
    patch = 1e6 * part(rows, "count", "patch")
    yield (
        f"its patch {both(patch.drop('cond2'))} ({patch['cond2']:.0f} under Cond2), a bitmap counted by vectors "
        f"{1e6 * part(rows, 'count', 'today').mean():.2f}; merge, next and drain together "
        f"{1e6 * sum(part(rows, name) for name in ('merge', 'next', 'drain')).mean():.0f}"  # type: ignore[union-attr]
    )
    of = {kind: shares(kind, True) for kind in KINDS}
    yield (
        f"the count of 2010 is at most {both(of['2010'])} %**, its patch {both(of['patch'])} %, and the bitmap's "
        f"count {both(of['today'], 1)} %"
    )
    own = {kind: shares(kind, False) for kind in KINDS}
    yield (f"that is {both(own['2010'])} %, {both(own['patch'])} % and {both(own['today'])} %")
    large = pick(rows, map="1%, 32GiB").set_index(["part", "kind"])["seconds"] * 1e3
    by_part = pick(rows, map="1%, 32GiB").groupby("part")["seconds"].first() * 1e3
    yield (
        f"at 32 GiB and 1 % of random pages it takes {by_part['sync']:.0f} ms, the count of 2010 "
        f"{large['count', '2010']:.0f} ms, and the guest's faults {digits(by_part['guest'])} ms"
    )
    first = one(rows, map="cond1", part="guest")
    yield (
        f"A page's first write after the start takes {first['first_nanoseconds_a_page'] / 1e3:.1f} µs too, and its "
        f"first of all, for which memory has to be found, {first['touching_nanoseconds_a_page'] / 1e3:.1f}"
    )
    there, all_there = (260e-9 * pages for pages in (first["written_pages"], WRITTEN_BY_COND1))
    seen = part(rows, "sync")["cond1"] + others_of_cond1()
    of_seen, of_all = (
        count_of_cond1() / (count_of_cond1() + rest)
        for rest in (seen + there, sync_of_all() + others_of_cond1() + all_there)
    )
    yield (
        f"the {first['written_pages']:.0f} pages of Cond1 would cost {1e3 * there:.2f} ms there instead of "
        f"{1e3 * first['seconds']:.1f}, and the {WRITTEN_BY_COND1:,} that its guest writes {1e3 * all_there:.1f}: of all "
        f"that, the count of 2010 would be at most {100 * of_seen:.0f} and {100 * of_all:.1f} %"
    )
    without, whole = if_each_faults()
    yield f"the count of 2010 is {whole:.2f} % of what tracking takes and {without:.0f} % of the hypervisor's part"
    yield from of_ways(study("sync", ZEN5))


def sync_a_page(rows: pd.DataFrame) -> str:
    low, high = (
        5 * round(value / 5)
        for value in (rows["nanoseconds_a_page"].min(), rows["nanoseconds_a_page"].max())
    )
    return f"{low} to {high}" if low < high else str(low)


def of_ways(ways: pd.DataFrame) -> Iterator[str]:
    """Yield what is said of the ways to ask the kernel."""
    time = ways.set_index(["variant", "map"])["seconds"]
    yield (
        f"Asking takes {1e6 * time['get', '0.1% random']:.0f} µs at 0.1 % of the pages, "
        f"{1e3 * time['get', '1% random']:.2f} ms at 1 % and {1e3 * time['get', '10% random']:.2f} ms at 10 %"
    )
    speed = {name: group.set_index("map")["speedup"] for name, group in ways.groupby("variant")}
    yield f"(`clear`: {span(speed['clear'], '.2f')} of the speed of `get`)"
    yield f"with eight calls in the place of one it is {span(speed['clear_chunks'], '.2f')} of it"
    random = [f"{share} random" for share in ("0.1%", "1%", "10%")]
    yield f"{span(speed['initially_set'][random], '.2f')} of the speed on random pages"
    ring = speed["ring"]
    yield (
        f"as fast as the bitmap at 0.1 % of the pages ({ring[random[0]]:.2f}), {ring[random[1]]:.2f} of its speed at "
        f"1 %, and {ring[random[2]]:.2f} at 10 %"
    )
    large = pd.read_csv(RESULTS / f"{ZEN5}-sync-32GiB" / "sync.csv")
    takes = large.set_index(["variant", "map"])["seconds"]
    few, some, many = large["map"].unique()
    yield (
        f"about a hundred pages it takes {1e6 * takes['ring', few]:.0f} µs and the bitmap "
        f"{1e6 * takes['get', few]:.0f}, at 0.1 % both take {1e3 * takes['ring', some]:.1f} ms, and at 1 %, "
        f"more than its 65,536 entries, it takes {1e3 * takes['ring', many]:.0f} ms and the bitmap "
        f"{1e3 * takes['get', many]:.1f}"
    )
    assert f"{1e3 * takes['get', some]:.1f}" == f"{1e3 * takes['ring', some]:.1f}"
    start = 1e3 * ways.groupby("variant")["start_seconds_a_gib"].mean()
    others = start.drop(["initially_set", "scan"])
    yield (f"({start['initially_set']:.1f} ms a GiB where the others take {both(others)})")
    pays = ways.groupby("variant")["guest_nanoseconds_a_page"].median() / 1e3
    yield (
        f"the process pays {pays['scan']:.1f} µs a page where a guest on this host pays {pays['get']:.1f}"
    )
    yield f"A scan of a process takes {1e3 * time['scan', '0.1% random']:.2f} ms with hardly a page written"
