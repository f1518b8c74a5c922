"""How near variants come to the limit: reading the map and doing nothing else."""

import dataclasses
import math
from collections.abc import Mapping

import pandas as pd

from harness.native.peers import PEERS

MOST = 1.05
"""A share of the limit beyond which it was no limit; a little more is chance."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Shares of the limits in the rows of one ``speedups.csv``."""

    shares: Mapping[tuple[str, str], float]
    """By variant and toolchain of the original, the least over all traces; NaN where what should
    be the limit is none."""
    faults: tuple[str, ...]
    """A sentence for each limit that is none."""

    def share(self, variant: str, toolchain: str) -> float:
        """Return the share of a variant; NaN if it has none."""
        return self.shares.get((variant, toolchain), math.nan)


def find_limits(rows: pd.DataFrame) -> Limits:
    """Pair each row with the limit of its own map, trace and toolchain.

    1 is as fast as reading the map and doing nothing else. Speedups of two toolchains are over two
    originals, so one's limit says nothing of the other's variants; nor does any of what does not
    read the map.
    """
    reading = rows[~rows["variant"].isin([name for name, p in PEERS.items() if not p.reads_map])]
    shares: dict[tuple[str, str], float] = {}
    beaten: dict[tuple[str, str], tuple[float, str]] = {}
    kinds: dict[tuple[str, str], tuple[str, str]] = {}
    keys = ["map", "original_toolchain", "condition", "origin"]
    for (kind, toolchain, _, _), group in reading.groupby(keys, sort=False):
        bound = group[group["bound"]]
        if bound.empty:
            continue
        limit = float(bound["speedup"].iloc[0])
        for row in group[~group["bound"] & (group["paid_in"] == "")].to_dict("records"):
            key, share = (str(row["variant"]), str(toolchain)), row["speedup"] / limit
            kinds[key] = (str(kind), str(toolchain))
            shares[key] = min(share, shares.get(key, share))
            if share > max(MOST, beaten.get(kinds[key], (0.0, ""))[0]):
                beaten[kinds[key]] = (share, key[0])
    faults = tuple(
        f"what should be the limit of a {kind} with {toolchain} is none: {variant} is {share:.2f} "
        "times as fast"
        for (kind, toolchain), (share, variant) in beaten.items()
    )
    sound = {key: math.nan if kinds[key] in beaten else share for key, share in shares.items()}
    return Limits(sound, faults)
