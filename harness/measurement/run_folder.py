"""The folder of a run: locked while it goes on, and finished in one step at the end.

While a run goes on, all that it makes lies in ``unfinished/`` inside its folder, and the results
of the run before stay as they are. What is in ``unfinished/`` is enough to go on with the run.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness.measurement.plan import Plan
from harness.measurement.samples import samples_path
from workloads.errors import BadInput
from workloads.files import write_text

_KEPT = ("traces", "samples")


class RunFolder:
    """A results folder that this process alone measures into (a context manager)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unfinished = path / "unfinished"
        self.samples = self.unfinished / "samples"
        self.plan = self.unfinished / "plan.json"
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
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def set_aside(self) -> Path | None:
        """Move an unfinished run out of the way and return where it is now; None if there is none.

        A run that has no samples yet is removed, since nothing is lost with it.
        """
        if not self.unfinished.exists():
            return None
        if not any(self.samples.glob("process-*.zip")):
            shutil.rmtree(self.unfinished)
            return None
        aside = self.path / time.strftime("unfinished-%Y%m%d-%H%M%S")
        self.unfinished.rename(aside)
        return aside

    def begin(self, plan: Plan) -> None:
        """Record ``plan``, from when on the run can be gone on with."""
        self.samples.mkdir(parents=True, exist_ok=True)
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
        try:
            return Plan.from_json(self.plan.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BadInput(
                f"there is no unfinished run in {self.path} to go on with; leave out --resume."
            ) from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BadInput(
                f"the plan of the unfinished run, {self.plan}, cannot be read ({error}); start "
                "anew without --resume."
            ) from None

    def finished_processes(self) -> list[int]:
        """Return the indices of the processes whose samples are there."""
        paths = sorted(self.samples.glob("process-*.zip"))
        return [int(path.stem.removeprefix("process-")) for path in paths]

    def sample_path(self, index: int) -> Path:
        """Return where process ``index`` puts its samples."""
        return samples_path(self.samples, index)

    def finish(self) -> None:
        """Move what is kept to its place and remove the rest."""
        for name in _KEPT:
            kept, made = self.path / name, self.unfinished / name
            if made.exists():
                shutil.rmtree(kept, ignore_errors=True)
                made.rename(kept)
        shutil.rmtree(self.unfinished)
