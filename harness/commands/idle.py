"""A trace in which nothing is dirty: it can be measured, and says nothing of a guest at work."""

from pathlib import Path

from rich.console import Console

from workloads.trace import open_trace


def call_out_idle(path: Path, log: Console) -> None:
    """Say on ``log`` if not one page is dirty in the trace at ``path``."""
    if open_trace(path).idle:
        log.print(
            f"dirtyscan: not one page is dirty in {path}, so that it says nothing of a guest at "
            "work; see whether its input is of the right memory and time.",
            soft_wrap=True,
        )
