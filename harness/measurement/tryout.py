"""The try-out of a run: every lane on every snapshot, before anything is timed."""

from pathlib import Path

from harness.measurement.astray import Astray
from harness.measurement.plan import Plan
from harness.measurement.rounds import load_snapshots
from harness.native.operation import find_operation
from harness.trial.trial import Trial, TrialBroken


def try_variants(plan: Plan, base: Path, astray: Astray) -> None:
    """Put every variant of ``plan``, which lies in ``base``, on trial; note those that go astray.

    Raises:
        BadInput: it is an original of others.
        TrialBroken: the trial itself has failed.
    """
    operation = find_operation(plan.operation)
    for planned in plan.traces:
        memory, snapshots = load_snapshots(planned, base, operation)
        trial = Trial(base / plan.stopwatch, base / plan.trial, operation, memory, snapshots)
        for number in astray.untried_lanes():
            lane = plan.lanes[number]
            if lane.peer or lane.noise_floor:
                continue
            try:
                found = trial.find_fault(base / lane.library, lane.map, lane.bound)
            except TrialBroken as error:
                raise TrialBroken(f"{error}; on trial was {lane.variant}") from None
            if found:
                astray.blame(number, planned.key, found.snapshot, found.what)
