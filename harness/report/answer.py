"""The answer to the letter's question, in words made from the data."""

import dataclasses
from collections.abc import Sequence

import pandas as pd

from harness.base.text import join_names, sentence
from harness.claims.verdict import IN_PART, REPRODUCED
from harness.presentation.quiet import is_slowed, share_slowed
from harness.presentation.table import format_short

ORIGINAL, PATCH = "page_by_page", "multi_page"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came out."""

    word: str
    """``Yes``, ``In part`` or ``No``; ``Undecided`` if none of it holds and some of it may."""
    sentence: str


def answer(rows: pd.DataFrame, before: str) -> Answer | None:
    """Say whether the letter's figures hold, from ``speedups.csv``; None if it has none of them.

    Recorded traces answer if there are any, as they are what the letter measured; the others are
    named where they say something else. Of several toolchains the first is meant.

    Args:
        before: what came before each snapshot, in words, or nothing.
    """
    every = rows[(rows["variant"] == PATCH) & (rows["original"] == ORIGINAL)]
    every = every[every["claim_low"].notna()]
    if every.empty:
        return None
    every = every[every["toolchain"] == every["toolchain"].iloc[0]]
    recorded = every[every["origin"] == "recorded"]
    chosen = every if recorded.empty else recorded
    groups = {str(name): group for name, group in chosen.groupby("condition", sort=False)}
    full = [name for name, group in groups.items() if (group["verdict"] == REPRODUCED).all()]
    partly = [
        name
        for name, group in groups.items()
        if name not in full and group["verdict"].isin([REPRODUCED, IN_PART]).any()
    ]
    if full or partly:
        word = "Yes" if len(full) == len(groups) else "In part"
    else:
        word = "Undecided" if (chosen["verdict"] == "undecided").any() else "No"
    parts = [f"of the letter's {_number(len(groups))} figures {_hold(full)}"]
    if partly:
        parts.append(f"{_names(partly)} {_verb(partly, 'does', 'do')} in part")
    for verdict in ("stronger", "weaker", "contradicted", "undecided"):
        names = [n for n, group in groups.items() if n not in full + partly
                 and group["verdict"].iloc[-1] == verdict]  # fmt: skip
        if names:
            parts.append(f"{_names(names)} {_verb(names, 'is', 'are')} {verdict}")
    if len(recorded):
        parts[0] += " on recorded traces"
    if before:
        parts[0] += f", each call {before}"
    said = f"{word}: {'; '.join(parts)}."
    sentences = [said, sentence(_gains(chosen)), _elsewhere(every, recorded), _quiet(chosen)]
    return Answer(word, " ".join(filter(None, sentences)))


def _elsewhere(every: pd.DataFrame, recorded: pd.DataFrame) -> str:
    """Name the other traces whose verdict is not that of the recorded one; empty if none is."""
    by_condition = dict(zip(recorded["condition"], recorded["verdict"], strict=True))
    others = every[every["origin"] != "recorded"]
    differing = [
        f"{row['condition'].capitalize()} {row['verdict']} on the {row['origin']} trace"
        for row in others.to_dict("records")
        if row["verdict"] != by_condition.get(row["condition"], row["verdict"])
    ]
    return f"Otherwise: {', '.join(differing)}." if differing else ""


def _quiet(rows: pd.DataFrame) -> str:
    """Say that something slowed many rounds, and what the others give; empty if nothing did."""
    if not is_slowed(rows):
        return ""
    said = share_slowed(rows)
    known = rows[rows["quiet_speedup"].notna()]
    if known.empty:
        return sentence(said)
    alone = _gains(known.assign(speedup=known["quiet_speedup"]))
    holding = known.groupby("condition", sort=False)["quiet_verdict"]
    full = [str(name) for name, found in holding if (found == REPRODUCED).all()]
    return sentence(f"{said}: in the others alone {alone}, and {_hold(full)}")


def _gains(rows: pd.DataFrame) -> str:
    faster, slower = rows[rows["speedup"] > 1]["speedup"], rows[rows["speedup"] < 1]["speedup"]
    sentences = []
    if len(faster):
        sentences.append(f"{_span(faster.min(), faster.max())} times faster where it gains")
    if len(slower):
        sentences.append(f"{_span(1 / slower.max(), 1 / slower.min())} times slower where it loses")
    return f"the patch is {' and '.join(sentences)}"


def _span(low: float, high: float) -> str:
    first, last = format_short(low), format_short(high)
    return first if first == last else f"{first} to {last}"


def _hold(names: Sequence[str]) -> str:
    if not names:
        return "none holds as a whole"
    return f"{_number(len(names))} {_verb(names, 'holds', 'hold')} ({_names(names)})"


def _names(names: Sequence[str]) -> str:
    return join_names([name.capitalize() for name in names])


def _verb(names: Sequence[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many


def _number(count: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six")
    return words[count] if count < len(words) else str(count)
