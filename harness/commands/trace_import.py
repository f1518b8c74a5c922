"""Importing a trace: which of the importers takes what somebody has recorded."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.text import join_names
from harness.base.units import parse_size
from harness.commands.trace import IMPORTED
from harness.commands.trace_run import tell
from harness.presentation.console import console
from harness.presentation.progress import ProgressDisplay
from workloads.guest import GuestMemory
from workloads.importers.criu import import_pagemaps
from workloads.importers.diff_snapshot import import_diff_snapshots
from workloads.importers.kvm_log import import_kvm_log, memory_of_logs
from workloads.importers.kvm_slots import import_kvm_slots, parse_slot
from workloads.importers.mapped_ram import import_mapped_ram
from workloads.importers.page_list import import_page_list
from workloads.importers.stream import import_stream
from workloads.inputs import trace_name
from workloads.synthesis import Report
from workloads.trace import Trace

_Import = Callable[[argparse.Namespace, list[Path], Path, str, Report], Trace]
_ONE_FILE = ("stream", "page-list")
_TAKEN = {
    "guest_memory": ("kvm-log", "page-list"),
    "page_size": ("kvm-log", "page-list", "diff-snapshot", "criu"),
    "slot": ("kvm-log",),
    "interval": ("kvm-log", "page-list", "mapped-ram", "diff-snapshot", "criu"),
    "bandwidth": ("stream",),
    "block": ("stream", "mapped-ram"),
}
"""By option: the kinds of import that take it. What others would take it for is in their files."""


def run(options: argparse.Namespace) -> int:
    """Import a trace."""
    _refuse_others(options)
    for name, value in IMPORTED.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    paths = [Path(name) for name in options.files]
    slots = [parse_slot(text) for text in options.slot]
    if slots and paths:
        raise BadInput("--slot gives the files of a kvm-log, so name none besides.")
    if slots and options.guest_memory is not None:
        raise BadInput(
            "--slot says where memory lies, and --guest-memory how much there is without it; leave "
            "one of them out."
        )
    if not slots and not paths:
        raise BadInput(f"a {options.kind} to import is missing; name its file.")
    if options.kind in _ONE_FILE and len(paths) > 1:
        raise BadInput(f"a {options.kind} is one file and not {len(paths)}; give one.")
    name = trace_name(options.name, paths[0] if paths else slots[0].paths[0])
    target = Path(options.output) / f"{name}.trace"
    with ProgressDisplay(console(stderr=True)) as steps:
        if slots:
            page_size = parse_size(options.page_size)
            trace = import_kvm_slots(slots, target, name, page_size, options.interval, steps)
        else:
            trace = _IMPORTS[options.kind](options, paths, target, name, steps)
    tell(trace)
    return 0


def _refuse_others(options: argparse.Namespace) -> None:
    """Refuse an option of other kinds of import, which would be taken for obeyed.

    Raises:
        BadInput: one is given.
    """
    for name, kinds in _TAKEN.items():
        if getattr(options, name) not in (None, []) and options.kind not in kinds:
            option = f"--{name.replace('_', '-')}"
            raise BadInput(
                f"{option} is of {join_names(kinds)}, and no {options.kind} takes it; leave it out."
            )


def _memory(options: argparse.Namespace) -> GuestMemory | None:
    """Return the guest memory that somebody named, if so."""
    if options.guest_memory is None:
        return None
    return GuestMemory(parse_size(options.guest_memory), parse_size(options.page_size))


def _stream(
    options: argparse.Namespace, paths: list[Path], target: Path, name: str, report: Report
) -> Trace:
    bandwidth = parse_size(options.bandwidth)
    return import_stream(paths[0], target, name, bandwidth, report, options.block)


def _kvm_log(
    options: argparse.Namespace, paths: list[Path], target: Path, name: str, report: Report
) -> Trace:
    memory = _memory(options) or memory_of_logs(paths, parse_size(options.page_size))
    return import_kvm_log(paths, target, name, memory, options.interval, report)


def _page_list(
    options: argparse.Namespace, paths: list[Path], target: Path, name: str, report: Report
) -> Trace:
    memory = _memory(options)
    if memory is None:
        raise BadInput(
            "a page-list does not say how much memory its guest has; give --guest-memory, for "
            "example 512MiB."
        )
    return import_page_list(paths[0], target, name, memory, options.interval, report)


def _mapped_ram(
    options: argparse.Namespace, paths: list[Path], target: Path, name: str, report: Report
) -> Trace:
    return import_mapped_ram(paths, target, name, options.interval, report, options.block)


def _diff_snapshot(
    options: argparse.Namespace, paths: list[Path], target: Path, name: str, report: Report
) -> Trace:
    page_size = parse_size(options.page_size)
    return import_diff_snapshots(paths, target, name, page_size, options.interval, report)


def _criu(
    options: argparse.Namespace, paths: list[Path], target: Path, name: str, report: Report
) -> Trace:
    page_size = parse_size(options.page_size)
    return import_pagemaps(paths, target, name, page_size, options.interval, report)


_IMPORTS: Mapping[str, _Import] = {
    "stream": _stream,
    "kvm-log": _kvm_log,
    "page-list": _page_list,
    "mapped-ram": _mapped_ram,
    "diff-snapshot": _diff_snapshot,
    "criu": _criu,
}
