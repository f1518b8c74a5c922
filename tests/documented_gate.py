"""The figures of docs/gate.md, from what the gate was asked of code that is no slower and that is."""

import pandas as pd

from tests.documented import AGAIN, INTEL, RESULTS, ZEN3, ZEN4_AGAIN, ZEN5, Sentences, patch, pick


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
