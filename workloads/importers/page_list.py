"""Lists of pages: a text with a line for each tick."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.base.errors import BadInput
from harness.base.text import shortened
from workloads.guest import GuestMemory
from workloads.importers.source import followed, imported, interval_value
from workloads.inputs import unreadable
from workloads.precopy import Snapshot
from workloads.synthesis import Report
from workloads.trace import Trace
from workloads.trace_writer import write_trace

_NUMBER = r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})"  # more digits than the page of any guest has
_PAGES = re.compile(f"{_NUMBER}(?:-{_NUMBER})?")


def import_page_list(
    path: Path,
    output: Path,
    name: str,
    memory: GuestMemory,
    interval: int,
    report: Report = lambda *_: None,
) -> Trace:
    """Import a text with one line for each tick: the numbers of the pages that are dirty.

    Numbers are decimal or begin with 0x and stand apart by spaces or commas; ``8-15`` is all from 8
    to 15. An empty line is a tick without a dirty page, and what follows ``#`` is a comment; a line
    that is only a comment is no tick.

    Raises:
        BadInput: the file cannot be read, or a line cannot.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not a text; give a list of page numbers.") from None
    except OSError as error:
        raise unreadable(path, error) from None
    source = imported(name, memory, "page list", [path], interval_value(interval))
    wanted = [(n, line) for n, line in enumerate(lines, 1) if not line.lstrip().startswith("#")]
    if not wanted:
        raise BadInput(f"{path} has no ticks; give one line of page numbers for each tick.")

    def ticks() -> Iterator[Snapshot]:
        for tick, (number, line) in enumerate(wanted, start=1):
            dirty = np.zeros(memory.pages, dtype=np.bool_)
            for word in line.partition("#")[0].replace(",", " ").split():
                first, last = _pages(word, path, number, memory)
                dirty[first : last + 1] = True
            yield Snapshot(tick * interval, dirty)

    return write_trace(output, source, followed(ticks(), len(wanted), report))


def _pages(word: str, path: Path, line: int, memory: GuestMemory) -> tuple[int, int]:
    match = _PAGES.fullmatch(word)
    where = f"{path}, line {line}: {shortened(word)!r}"
    if match is None:
        raise BadInput(f"{where} is not a page number nor a range of them; mend that line.")
    first, last = (_number(match.group(n) or match.group(1)) for n in (1, 2))
    if first > last:
        raise BadInput(f"{where} is a range from its end to its start; turn it round.")
    if last >= memory.pages:
        remedy = "give the right --guest-memory"
        if first % memory.page_size == 0 and {last % memory.page_size} <= {0, memory.page_size - 1}:
            remedy += f", or, if these are addresses, divide them by {memory.page_size}"
        raise BadInput(f"{where} is not in a guest of {memory.pages} pages; {remedy}.")
    return first, last


def _number(text: str) -> int:
    return int(text, 16) if text[:2] in ("0x", "0X") else int(text)
