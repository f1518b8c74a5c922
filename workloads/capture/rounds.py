"""From what was sent, and what QEMU said meanwhile, to the dirty map at each tick.

QEMU copies the guest's dirty log into its migration bitmap at a *sync*, then sends the pages of the
bitmap in address order, and syncs again when few enough are left. So the pages sent from one sync
to the next, a *round*, are the dirty map at its start, but for the few that were left over; those
follow soon after, since the search goes on where it was.
"""

import bisect
import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.base.errors import BadInput

_IN_FLIGHT = 1
"""A page that QEMU waits to write into the socket is neither left nor counted as sent. Where the
machine is so busy that every poll finds it waiting, all polls of a round lack that page."""

Sent = NDArray[np.int64]
"""Page numbers in the order in which they were sent."""


@dataclasses.dataclass(frozen=True)
class Poll:
    """What QEMU said of a migration at one time (``query-migrate``)."""

    time: float
    """Seconds from the start of the migration."""
    syncs: int
    """``ram.dirty-sync-count``."""
    plain: int
    """``ram.normal``, pages sent whole."""
    zero: int
    """``ram.duplicate``, pages sent as one byte."""
    remaining: int
    """``ram.remaining`` in pages."""

    @property
    def sent(self) -> int:
        """Pages sent so far."""
        return self.plain + self.zero


@dataclasses.dataclass(frozen=True)
class Round:
    """The time from one sync to the next."""

    syncs: int
    """How many syncs there had been when it began, this one counted."""
    start: int
    """How many pages had been sent before it."""
    end: int
    dirty: int
    """How many pages were dirty when it began, by QEMU's own count."""

    @property
    def left_over(self) -> int:
        """How many of them were not sent before the next sync."""
        return self.dirty - (self.end - self.start)


def find_rounds(
    sent: Sent, section_ends: Sequence[int], polls: Sequence[Poll], slack: int
) -> list[Round]:
    """Find where in ``sent`` each round begins.

    QEMU syncs only between two sections of the stream, and only when few pages are left. So a round
    ends at an end of a section, between the polls that saw the sync, at which not more than
    ``slack`` pages are left, and up to which addresses are in order (:func:`is_one_round`). Should
    there be several, it is the last: what was sent before it looks like a part of this round.

    Args:
        section_ends: after how many pages each section of RAM ended.
        polls: in time order, the last one after the end of the migration.
        slack: how many pages may be left at a sync: what QEMU sends within its downtime limit, with
            room for how it measures its bandwidth.

    Raises:
        BadInput: the stream and the polls do not agree.
    """
    rounds: list[Round] = []
    start = 0
    for group, following in _by_round(polls):
        # Constant within a round: what is sent is no longer left. But QEMU's counters are read
        # one after the other, and what it sends between them is counted as neither.
        total = max(poll.remaining + poll.sent for poll in group)
        if following is None:
            rounds.append(Round(group[0].syncs, start, len(sent), total - start))
            return rounds
        fitting = [
            end
            for end in section_ends
            if group[-1].sent <= end <= following.sent
            and total - slack <= end <= total + _IN_FLIGHT
        ]
        found = (
            Round(group[0].syncs, start, end, max(total, end) - start)
            for end in sorted(fitting, key=lambda end: (end > total, -end))
        )
        round_ = next((r for r in found if is_one_round(sent, r)), None)
        if round_ is None:
            raise _disagree(
                f"QEMU synced for the {following.syncs}th time between {group[-1].sent} and "
                f"{following.sent} pages, but no section ends there with at most {slack} of "
                f"{total - start} pages left and all before in the order of addresses"
            )
        rounds.append(round_)
        start = round_.end
    return rounds


def _by_round(polls: Sequence[Poll]) -> Iterator[tuple[list[Poll], Poll | None]]:
    """Yield the polls of each round, with the first poll of the next one."""
    group: list[Poll] = []
    for poll in polls:
        if group and poll.syncs != group[-1].syncs:
            yield group, poll
            group = []
        group.append(poll)
    if group:
        yield group, None


def is_one_round(sent: Sent, round_: Round) -> bool:
    """Return whether addresses agree: no page twice, and once round in their order."""
    pages = sent[round_.start : round_.end]
    return bool(len(np.unique(pages)) == len(pages) and np.count_nonzero(np.diff(pages) < 0) <= 1)


def left_over_pages(sent: Sent, round_: Round) -> Sent:
    """Return the pages that were dirty in ``round_`` and sent only after the next sync.

    They are the first to be sent after it that the round itself has not sent. A page among them may
    have been written newly instead; there are never more than the slack of a sync.
    """
    if round_.left_over <= 0:
        return sent[:0]
    later = sent[round_.end :]
    new = later[~np.isin(later, sent[round_.start : round_.end])]
    _, first_places = np.unique(new, return_index=True)
    return np.asarray(new[np.sort(first_places)[: round_.left_over]])


def check_counters(zero_sent: NDArray[np.bool_], polls: Sequence[Poll], final: Poll) -> int:
    """Check that as many plain and zero pages were decoded as QEMU says that it sent.

    QEMU's counters are read one after the other while it goes on sending. So of the polls on the
    way only those count that are the same as the next one, when it was waiting for its rate limit.

    Args:
        zero_sent: for each page in the order sent, whether it was sent as one byte.
        final: the counters after the migration.

    Returns:
        How many polls were compared.

    Raises:
        BadInput: they differ.
    """
    zeros = np.concatenate([[0], np.cumsum(zero_sent)])
    waiting = [
        poll
        for poll, following in itertools.pairwise(polls)
        if dataclasses.replace(following, time=poll.time) == poll
    ]
    for poll in [*waiting, final]:
        if poll.sent >= len(zeros) or zeros[poll.sent] != poll.zero:
            raise _disagree(
                f"after {poll.sent} pages QEMU says that {poll.zero} were zero pages; decoded are "
                f"{zeros[min(poll.sent, len(zeros) - 1)]} of {len(zeros) - 1}"
            )
    if final.sent != len(zero_sent):
        raise _disagree(f"QEMU says that it sent {final.sent} pages; decoded are {len(zero_sent)}")
    return len(waiting)


def snapshots(
    sent: Sent, rounds: Sequence[Round], positions: Sequence[int], pages: int
) -> Iterator[NDArray[np.bool_]]:
    """Yield the map of the pages that are still to be sent at each of ``positions``.

    Args:
        positions: how many pages had been sent at each tick, ascending.
        pages: of the guest's memory; numbers from there on belong to something else.
    """
    starts = [round_.start for round_ in rounds]
    late = [left_over_pages(sent, round_) for round_ in rounds]
    for position in positions:
        number = bisect.bisect_right(starts, position) - 1
        left = np.concatenate([sent[position : rounds[number].end], late[number]])
        dirty = np.zeros(pages, dtype=np.bool_)
        dirty[left[left < pages]] = True
        yield dirty


def _disagree(why: str) -> BadInput:
    return BadInput(
        f"the capture is refused because the stream and QEMU's counters do not agree: {why}; "
        "capture again."
    )
