"""Progress of long work: a bar with the time left on a terminal, plain lines elsewhere."""

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

_LINE_EVERY = 10.0  # seconds, where there is no terminal


class _TimeLeft(ProgressColumn):
    """The time left, as far as it can be known.

    rich's own forgets its pace whenever the whole changes, as an estimate of it does at each step.
    """

    def render(self, task: Task) -> Text:
        """Return it, by the pace since the beginning; nothing before the first step."""
        if not (task.completed and task.total and task.elapsed):
            return Text("")
        # Work is told of step by step: since the last one, time has gone on.
        since = time.monotonic() - task.fields["told"]
        pace = 1.0 if task.fields["unit"] == "s" else task.fields["elapsed"] / task.completed
        left = max(0.0, pace * (task.total - task.completed) - since)
        return Text(f"{left // 60:.0f}:{left % 60:02.0f} left", "progress.remaining")


class ProgressDisplay:
    """Shows how far work is (a context manager); call it as :class:`harness.measurement.tell.Tell`.

    On a terminal its bar is there from the first call on.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = self._last_line = time.monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=20),
                _TimeLeft(),
            )
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=None, told=0.0, elapsed=0.0, unit="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, what: str, done: float, of: float, unit: str = "steps") -> None:
        """Show that ``done`` of ``of`` (both in ``unit``) are done of ``what``."""
        if self._bar:
            self._bar.start()
            now = time.monotonic()
            if done == 0 or unit != self._bar.tasks[0].fields["unit"]:
                self._began = now  # of the next thing
            self._bar.update(
                self._task, description=what, completed=done, total=of, unit=unit,
                told=now, elapsed=now - self._began,
            )  # fmt: skip
        elif time.monotonic() - self._last_line >= _LINE_EVERY:
            self._last_line = time.monotonic()
            self._console.print(f"{what}: {done:.0f} of {of:.0f} {unit}", soft_wrap=True)
