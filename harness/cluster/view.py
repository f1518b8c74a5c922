"""The view of all hosts: a line each on a terminal, and plain lines elsewhere."""

import re
import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

_LINE_EVERY = 10.0  # seconds, where there is no terminal
_PROGRESS = re.compile(r".*: \d+ of \d+ \w+")


class HostsView:
    """Shows how far every host is (a context manager)."""

    def __init__(self, console: Console, hosts: Sequence[str]) -> None:
        self._console = console
        self._hosts = dict.fromkeys(hosts, ("waiting", 0))
        self._last = time.monotonic()
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, transient=True, refresh_per_second=2)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
            self._show()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def lines(self, host: str, lines: Sequence[str], processes: int) -> None:
        """Show what ``host`` has said, and how many measuring processes it has finished."""
        state = self._hosts[host][0]
        for line in lines:
            if _PROGRESS.fullmatch(line):
                state = line
            else:
                self.say(host, line)
        state = "preparing" if state == "waiting" else state
        self._hosts[host] = state, processes
        self._show()

    def say(self, host: str, what: str) -> None:
        """Show a sentence about ``host``."""
        self._console.print(f"{host}: {what}", soft_wrap=True)

    def ended(self, host: str, state: str) -> None:
        """Show that nothing more comes of ``host``."""
        self._hosts[host] = state, self._hosts[host][1]
        self._show()

    def _show(self) -> None:
        if self._live:
            table = Table(box=None, pad_edge=False)
            for head in ("host", "processes", "state"):
                table.add_column(head, justify="right" if head == "processes" else "left")
            for host, (state, processes) in self._hosts.items():
                table.add_row(host, str(processes), state)
            self._live.update(table)
        elif time.monotonic() - self._last >= _LINE_EVERY:
            self._last = time.monotonic()
            for host, (state, processes) in self._hosts.items():
                self.say(host, f"{state}, {processes} finished processes")
