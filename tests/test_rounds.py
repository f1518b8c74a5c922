"""Rounds and ticks from a migration that is simulated with all that QEMU does, and known."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.errors import BadInput
from workloads.capture.rounds import Poll, check_counters, find_rounds, snapshots

PAGES, SLACK = 400, 12


@dataclasses.dataclass
class Seen:
    """What a capture sees, and what it should make of it."""

    sent: list[int]
    zero: list[bool]
    section_ends: list[int]
    polls: list[Poll]
    truth: list[set[int]]
    """The migration bitmap after each number of pages sent."""


def simulate(seed: int, rounds: int) -> Seen:
    """QEMU's loop: sync if few pages are left, send some in a section, poll now and then."""
    random = np.random.default_rng(seed)
    seen = Seen([], [], [], [], [])
    bitmap, position, syncs = set(range(PAGES)), 0, 1
    seen.truth.append(set(bitmap))

    def poll() -> None:
        zeros = sum(seen.zero)
        seen.polls.append(Poll(len(seen.polls), syncs, len(seen.sent) - zeros, zeros, len(bitmap)))

    poll()
    while syncs < rounds:
        if len(bitmap) <= int(random.integers(0, SLACK)):
            written = random.integers(0, PAGES, int(random.integers(40, PAGES)))
            bitmap |= set(written.tolist())
            syncs += 1
            seen.truth[-1] = set(bitmap)
        for _ in range(int(random.integers(1, 60))):
            if not bitmap:
                break
            page = min(bitmap, key=lambda p: (p - position) % PAGES)
            bitmap.discard(page)
            position = page
            seen.sent.append(page)
            seen.zero.append(bool(random.random() < 0.3))
            seen.truth.append(set(bitmap))
        seen.section_ends.append(len(seen.sent))
        if random.random() < 0.7:
            poll()
    # The guest is stopped; all that is left is sent.
    for page in sorted(bitmap, key=lambda p: (p - position) % PAGES):
        bitmap.discard(page)
        seen.sent.append(page)
        seen.zero.append(False)
        seen.truth.append(set(bitmap))
    seen.section_ends.append(len(seen.sent))
    poll()
    return seen


@given(st.integers(0, 2**32), st.integers(2, 7))
@settings(max_examples=150, deadline=None)
def test_the_maps_are_those_that_qemu_had(seed: int, count: int) -> None:
    """But for the few pages around a sync, where more than one place fits what was seen."""
    seen = simulate(seed, count)
    # A round that no poll saw cannot be found; such a capture is refused or has fewer rounds.
    if len({poll.syncs for poll in seen.polls}) < count:
        return
    try:
        rounds = find_rounds(np.array(seen.sent), seen.section_ends, seen.polls, SLACK)
    except BadInput:
        # Left-over pages that were written again can break the order of addresses.
        return
    assert [r.syncs for r in rounds] == list(range(1, count + 1))
    starts = [r.start for r in rounds[1:]]
    positions = [
        at for at in range(rounds[-1].start) if all(abs(at - start) > SLACK for start in starts)
    ]
    maps = snapshots(np.array(seen.sent), rounds, positions, PAGES)
    for at, dirty in zip(positions, maps, strict=True):
        found = set(np.flatnonzero(dirty).tolist())
        assert len(found) == len(seen.truth[at])
        assert len(found ^ seen.truth[at]) <= 2 * SLACK


def test_most_simulated_migrations_are_not_refused() -> None:
    """The test above must not pass because everything is refused."""
    good = 0
    for seed in range(60):
        seen = simulate(seed, 4)
        try:
            find_rounds(np.array(seen.sent), seen.section_ends, seen.polls, SLACK)
        except BadInput:
            continue
        good += 1
    assert good >= 45


def test_counters_that_differ_are_refused() -> None:
    seen = simulate(3, 3)
    zero = np.array(seen.zero)
    final = seen.polls[-1]
    check_counters(zero, seen.polls, final)
    wrong = zero.copy()
    wrong[np.flatnonzero(zero)[0]] = False
    with pytest.raises(BadInput, match="were zero pages; decoded are"):
        check_counters(wrong, seen.polls, final)
    with pytest.raises(BadInput, match="the capture is refused"):
        check_counters(zero[:-1], seen.polls, final)
    more = dataclasses.replace(final, plain=final.plain + 1)
    with pytest.raises(BadInput, match="the capture is refused"):
        check_counters(zero, seen.polls, more)


def test_a_round_that_is_not_in_order_is_refused() -> None:
    polls = [Poll(0, 1, 0, 0, 6), Poll(1, 1, 6, 0, 0), Poll(2, 2, 6, 0, 3), Poll(3, 3, 9, 0, 0)]
    sent = np.array([0, 1, 2, 3, 4, 5, 0, 1, 2])
    assert len(find_rounds(sent, [6, 9], polls, 0)) == 3
    refused = [
        ([0, 3, 1, 5, 2, 4, 0, 1, 2], [6, 9]),  # not in order
        ([0, 1, 2, 3, 4, 4, 0, 1, 2], [6, 9]),  # a page twice
        (sent, [5, 9]),  # no section ends there
    ]
    for pages, ends in refused:
        with pytest.raises(BadInput, match="QEMU synced for the 2th time between 6 and 6 pages"):
            find_rounds(np.array(pages), ends, polls, 0)


def test_a_page_that_qemu_waits_to_write_is_of_its_round() -> None:
    """On a busy machine every poll of a round may find one that is neither left nor sent."""
    polls = [Poll(0, 1, 0, 0, 5), Poll(1, 1, 3, 0, 2), Poll(2, 2, 6, 0, 3), Poll(3, 3, 9, 0, 0)]
    rounds = find_rounds(np.array([0, 1, 2, 3, 4, 5, 0, 1, 2]), [6, 9], polls, 0)
    assert [(r.start, r.end, r.left_over) for r in rounds] == [(0, 6, 0), (6, 9, 0), (9, 9, 0)]
    two_lack = [Poll(1, 1, 2, 0, 2), *polls[2:]]
    with pytest.raises(BadInput, match="QEMU synced for the 2th time"):
        find_rounds(np.array([0, 1, 2, 3, 4, 5, 0, 1, 2]), [6, 9], two_lack, 0)
