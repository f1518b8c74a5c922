"""The lanes of a run that went astray, and those that go on."""

from harness.measurement.plan import Plan
from harness.measurement.samples_folder import SamplesFolder
from harness.trial.failure import Failure, add_failures, read_failures


class Astray:
    """Keeps the failures of a run in its folder of samples."""

    def __init__(self, plan: Plan, folder: SamplesFolder) -> None:
        self._plan = plan
        self._path = folder.failures

    def failures(self) -> tuple[Failure, ...]:
        """Return every failure so far."""
        return read_failures(self._path)

    def sound_lanes(self) -> list[int]:
        """Return the lanes that have not failed, and have something to be compared with.

        Raises:
            BadInput: an original has, with which others are compared.
        """
        return self._plan.sound_lanes(self.failures())

    def untried_lanes(self) -> list[int]:
        """Return the lanes that have not failed themselves, whatever they are compared with."""
        failed = {failure.lane for failure in self.failures()}
        return [number for number in range(len(self._plan.lanes)) if number not in failed]

    def blame(self, number: int, trace: str, snapshot: int, what: str) -> None:
        """Add lane ``number``, which did ``what`` in a snapshot of ``trace``.

        Raises:
            BadInput: it is an original of others. Nothing is written down then, so that the run can
                be gone on with.
        """
        if self._plan.lanes[number].noise_floor:
            number = self._plan.lanes[number].original  # it is the same code
        lane = self._plan.lanes[number]
        failure = Failure(number, lane.variant, lane.toolchain, trace, snapshot, what)
        self._plan.sound_lanes([failure])
        add_failures(self._path, [failure])
