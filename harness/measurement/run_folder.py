"""The folder of a run: locked while it goes on, and finished in one step at the end.

While a run goes on, all that it makes lies in ``unfinished/`` inside its folder, and the results
of the run before stay as they are. What is in ``unfinished/`` is enough to go on with the run.

Once the results are written, a file in ``unfinished/`` says so; what is left to do then, moving
what is kept and removing the rest, can be ended anywhere and done again.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.files import write_text
from harness.measurement.plan import Plan
from harness.measurement.samples_folder import SamplesFolder

_SAMPLES = "samples"
_KEPT = ("traces", _SAMPLES)
_PLAN, _WRITTEN = "plan.json", "results-are-written"
_FINISHED = ".finished"
"""What ``unfinished/`` is called while it is removed, which is not done at once."""


class RunFolder:
    """A results folder that this process alone measures into (a context manager)."""

    def __init__(self, path: Path, resumable: bool = True) -> None:
        """Prepare it; ``resumable`` says whether who measures can go on with an unfinished run."""
        self.path = path
        self.resumable = resumable
        self.unfinished = path / "unfinished"
        self.samples = SamplesFolder(self.unfinished / _SAMPLES)
        self.finished_samples = SamplesFolder(path / _SAMPLES)
        self.plan = self.unfinished / _PLAN
        self._lock: int | None = None

    def __enter__(self) -> "RunFolder":
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(
                f"another run is measuring into {self.path}; wait for it, or name another folder "
                "with --output."
            ) from None
        except OSError as error:
            raise BadInput(
                f"results cannot be written to {self.path} ({error.strerror}); name a folder that "
                "can be written with --output."
            ) from None
        if self.unfinished.exists() and not self.unfinished.is_dir():
            self.__exit__()
            raise BadInput(
                f"{self.unfinished} is no folder, and an unfinished run is kept in one of that "
                "name; move it away."
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def set_aside(self) -> Path | None:
        """Move an unfinished run out of the way and return where it is now; None if there is none.

        A run that has no samples yet is removed, since nothing is lost with it; and one whose
        results are written is finished.
        """
        if self.is_written():
            self.finish()
        if not self.unfinished.exists():
            return None
        if not self.samples.processes():
            shutil.rmtree(self.unfinished)
            return None
        aside = self.free_aside()
        self.unfinished.rename(aside)
        return aside

    def free_aside(self) -> Path:
        """Return where an unfinished run can be moved to, named by the time."""
        plain = aside = self.path / time.strftime("unfinished-%Y%m%d-%H%M%S")
        number = 2
        while aside.exists():
            aside, number = plain.with_name(f"{plain.name}-{number}"), number + 1
        return aside

    def discard(self) -> None:
        """Remove the unfinished run."""
        shutil.rmtree(self.unfinished, ignore_errors=True)

    def begin(self, plan: Plan) -> None:
        """Record ``plan``, from when on the run can be gone on with."""
        self.samples.path.mkdir(parents=True, exist_ok=True)
        write_text(self.plan, plan.to_json())

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield an empty folder beside the unfinished run, gone after the block."""
        with tempfile.TemporaryDirectory(prefix=".scratch-", dir=self.path) as name:
            yield Path(name)

    def unfinished_plan(self) -> Plan:
        """Return the plan of the unfinished run.

        Raises:
            BadInput: there is no unfinished run, or its plan cannot be read.
        """
        path = self.plan if self.plan.exists() else self.path / _FINISHED / _PLAN
        try:
            return Plan.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BadInput(
                f"there is no unfinished run in {self.path} to go on with; leave out --resume."
            ) from None
        except (OSError, ValueError) as error:
            raise BadInput(
                f"the plan of the unfinished run, {path}, cannot be read ({error}); start "
                "anew without --resume."
            ) from None

    def is_written(self) -> bool:
        """Return whether the results of the unfinished run are written already."""
        if self.unfinished.exists():
            return (self.unfinished / _WRITTEN).exists()
        return (self.path / _FINISHED).exists()

    def finish(self) -> None:
        """Move what is kept to its place and remove the rest; the results are written."""
        if self.unfinished.exists():
            (self.unfinished / _WRITTEN).touch()
            for name in _KEPT:
                kept, made = self.path / name, self.unfinished / name
                if made.exists():
                    shutil.rmtree(kept, ignore_errors=True)
                    made.rename(kept)
            shutil.rmtree(self.path / _FINISHED, ignore_errors=True)
            self.unfinished.rename(self.path / _FINISHED)
        # The plan goes last, by which it is known what run this was.
        for path in (self.path / _FINISHED).glob("*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _PLAN:
                path.unlink()
        shutil.rmtree(self.path / _FINISHED, ignore_errors=True)
