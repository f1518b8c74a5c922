"""In which order variants take turns."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.measurement.rounds import draw_order


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 30), st.integers(0, 9))
def test_everyone_has_a_turn_beside_those_it_is_compared_with(
    originals: list[int], snapshots: int, seed: int
) -> None:
    order = draw_order(originals, snapshots, np.random.default_rng(seed))
    assert order.shape == (snapshots, len(originals))
    for row in order.tolist():
        assert sorted(row) == list(range(len(originals)))
        turns = [kind for kind, _ in itertools.groupby(originals[callee] for callee in row)]
        assert len(turns) == len(set(originals))


def test_every_order_is_as_likely() -> None:
    order = draw_order([0, 0, 3, 3], 8000, np.random.default_rng(1))
    seen = {tuple(row): 0 for row in order.tolist()}
    for row in order.tolist():
        seen[tuple(row)] += 1
    # Two toolchains in two orders, of two lanes each: a thousand of each of 8, within 5 sd.
    assert len(seen) == 8
    assert all(abs(times - 1000) < 5 * 1000**0.5 for times in seen.values())
