"""Progress of long work: a bar with the time left on a terminal, plain lines elsewhere."""

import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_EVERY = 10.0  # seconds, where there is no terminal


class ProgressDisplay:
    """Shows how far work is (a context manager); call it as :class:`harness.measurement.tell.Tell`.

    On a terminal its bar is there from the first call on.
    """

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
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, what: str, done: float, of: float, unit: str = "steps") -> None:
        """Show that ``done`` of ``of`` (both in ``unit``) are done of ``what``."""
        if self._bar:
            self._bar.start()
            self._bar.update(self._task, description=what, completed=done, total=of)
        elif time.monotonic() - self._last_line >= _LINE_EVERY:
            self._last_line = time.monotonic()
            self._console.print(f"{what}: {done:.0f} of {of:.0f} {unit}", soft_wrap=True)
