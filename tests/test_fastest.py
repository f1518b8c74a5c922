"""What is recommended is what is fastest on this CPU, and is asked once."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.measurement import fastest
from harness.measurement.choice import recommended_variants
from harness.native.built_variant import BuiltVariant
from harness.native.operation import OPERATIONS, Operation


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Fill with the names of each trial, in which the last of them is the fastest."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    seen: list[list[str]] = []

    def times(built: Sequence[BuiltVariant], _: Operation) -> list[float]:
        seen.append([one.variant.name for one in built])
        return [float(10 * (len(built) - place)) for place in range(len(built))]

    monkeypatch.setattr(fastest, "_total_times", times)
    return seen


def test_the_fastest_is_asked_for_once(asked: list[list[str]], tmp_path: Path) -> None:
    found = recommended_variants("count")
    assert asked
    assert found[0] == asked[0][-1]
    trials = len(asked)
    assert recommended_variants("count") == found
    assert len(asked) == trials
    for entry in (tmp_path / "dirtyscan/build").glob("fastest-*.json"):
        entry.write_text("damaged")
    assert recommended_variants("count") == found
    assert len(asked) == 2 * trials


def test_what_makes_no_difference_is_left_to_the_order(
    asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def times(built: Sequence[BuiltVariant], _: Operation) -> list[float]:
        asked.append([one.variant.name for one in built])
        return [100.0 - place / len(built) for place in range(len(built))]

    monkeypatch.setattr(fastest, "_total_times", times)
    assert recommended_variants("count")[0] == asked[0][0]


def test_what_is_recommended_is_not_slower_than_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial itself, between variants that are a multiple apart on any CPU."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(
        OPERATIONS,
        "count",
        dataclasses.replace(OPERATIONS["count"], recommended=(("page_by_page", "word_sum"),)),
    )
    assert recommended_variants("count") == ("word_sum",)
