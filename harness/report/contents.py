"""The contents of a report: its sections in order, and their pictures as files."""

from pathlib import Path

from harness.presentation.style import save
from harness.report import origins, remaining, runtime, speedups, traces, variants
from harness.report.section import Section, study_section
from harness.report.stored import Stored
from harness.studies import questions

_FIRST = (speedups.SECTION, remaining.SECTION, runtime.SECTION, traces.SECTION, variants.SECTION)


def all_sections() -> list[Section]:
    """Return every section of the page, the main one first."""
    studies = [section for name in questions() if (section := study_section(name))]
    return [*_FIRST, *studies, origins.SECTION]


def write_plots(folder: Path, plots: Path) -> list[Path]:
    """Draw the run in ``folder`` into ``plots`` and return the files.

    Raises:
        BadInput: there are no results, or a file cannot be written.
    """
    result = Stored(folder)
    written = []
    for section in (*_FIRST, origins.SECTION):
        figure = section.whole(result) if section.whole else None
        if figure:
            written += save(figure, plots, section.key)
    return written
