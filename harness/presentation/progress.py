"""Progress of long work: a bar with the time left on a terminal, plain lines elsewhere."""

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from harness.measurement.experiment import Progress as Measured

_LINE_EVERY = 10.0  # seconds, where there is no terminal


class _Display:
    """A bar or lines; what both kinds of progress share (a context manager)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_line = time.monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def _show(self, text: str, done: float, of: float, unit: str) -> None:
        if self._bar:
            self._bar.update(self._task, description=text, completed=done, total=of)
        elif time.monotonic() - self._last_line >= _LINE_EVERY:
            self._last_line = time.monotonic()
            self._console.print(f"{text}: {done:.0f} of {of:.0f} {unit}", soft_wrap=True)


class MeasurementProgress(_Display):
    """Shows how far a measurement is; call it with each progress."""

    def __call__(self, progress: "Measured") -> None:
        """Show ``progress``."""
        text = f"measuring, {progress.processes} processes"
        if progress.open_traces and math.isfinite(progress.worst):
            text += f", worst ±{progress.worst:.2%}"
        self._show(text, progress.elapsed, progress.expected, "s")


class StepProgress(_Display):
    """Shows work in steps of one kind; call it with the work's name, steps done, and all steps."""

    def __call__(self, name: str, done: int, of: int) -> None:
        """Show that ``done`` steps ``of`` so many are done."""
        self._show(name, done, of, "steps")
