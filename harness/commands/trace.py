"""``dirtyscan trace``: make traces, and look at them."""

import argparse
from typing import Any

from harness.commands.options import (
    add_folder,
    add_workload_options,
    condition_help,
    positive,
    run_by,
)

IMPORTED = {"page_size": "4KiB", "interval": 100, "bandwidth": "32MiB"}
"""What is taken where an import does not say it. The parser has no default for them: what is given
to a kind of import that does not take it is refused."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    whole = positive(int, "a whole number above 0", 0)

    make = actions.add_parser("synthesize", help="make the synthetic traces of conditions")
    make.add_argument("conditions", nargs="*", metavar="CONDITION", help=condition_help())
    add_folder(make, "--output", "traces")
    add_workload_options(make)
    make.set_defaults(run=run_by("trace_run", "run_synthesize"))

    take = actions.add_parser("capture", help="capture a trace from a real guest in QEMU")
    _add_guest(take, "migrate")
    take.set_defaults(run=run_by("trace_run", "run_capture"))

    keep = actions.add_parser(
        "record", help="record what a real guest writes in every tick, as QEMU of 2010 saw it"
    )
    _add_guest(keep, "record", nargs="?")
    keep.add_argument(
        "--command",
        metavar="COMMAND",
        help="record the guest of this instead: a hypervisor, linked dynamically, that maps "
        "--guest-memory as shared memory",
    )
    keep.add_argument(
        "--after",
        type=positive(int, "a whole number", -1),
        default=0,
        metavar="SECONDS",
        help="with --command: wait so long for the guest to boot; default: %(default)s",
    )
    keep.add_argument("--name", help="with --command: of the trace; default: the program's")
    keep.set_defaults(run=run_by("trace_run", "run_record"))

    bring = actions.add_parser("import", help="import a trace that was recorded elsewhere")
    bring.add_argument(
        "kind",
        choices=("stream", "kvm-log", "page-list", "mapped-ram", "diff-snapshot", "criu"),
        metavar="KIND",
        help="stream or mapped-ram of QEMU, kvm-log, diff-snapshot of Firecracker, criu (pagemap "
        "images), page-list",
    )
    bring.add_argument(
        "files", nargs="*", metavar="FILE", help="where numbers alone differ, in their order"
    )
    bring.add_argument("--name", help="default: that of the file")
    add_folder(bring, "--output", "traces")
    bring.add_argument(
        "--guest-memory",
        metavar="SIZE",
        help="of a page-list, which needs it, or a kvm-log; default: what one file is the log of",
    )
    bring.add_argument(
        "--page-size", metavar="SIZE", help=f"not of QEMU's; default: {IMPORTED['page_size']}"
    )
    bring.add_argument(
        "--slot",
        action="append",
        default=[],
        metavar="ADDRESS=FILE",
        help="of a kvm-log: the logs of a memory slot, instead of files; also ADDRESS+SIZE=FILE; "
        "FILE may be a pattern ('slot0-*.bin')",
    )
    bring.add_argument(
        "--interval", type=whole, metavar="MS",
        help=f"between ticks, not of a stream; default: {IMPORTED['interval']}",
    )  # fmt: skip
    bring.add_argument(
        "--bandwidth", metavar="SIZE", help=f"of a stream; default: {IMPORTED['bandwidth']}/s"
    )
    bring.add_argument(
        "--block",
        action="append",
        default=[],
        metavar="NAME",
        help="of a stream or mapped-ram: a RAM block of guest memory, each in the order of "
        "addresses; default: all but those of devices",
    )
    bring.set_defaults(run=run_by("trace_import"))

    info = actions.add_parser("info", help="say what a trace is, and check it")
    info.add_argument("trace", metavar="FILE")
    info.add_argument("--json", action="store_true", help="the whole header, as JSON")
    info.set_defaults(run=run_by("trace_run", "run_info"))

    plot = actions.add_parser("plot", help="draw guest memory over time")
    plot.add_argument("traces", nargs="+", metavar="FILE")
    add_folder(plot, "--plots", "plots")
    plot.set_defaults(run=run_by("trace_run", "run_plot"))

    compare = actions.add_parser(
        "compare", help="say how traces differ, and what speedup each of them gives"
    )
    compare.add_argument("traces", nargs="+", metavar="FILE")
    add_folder(compare, "--plots", "plots")
    compare.set_defaults(run=run_by("trace_run", "run_compare"))

    parameters = actions.add_parser("parameters", help="list what --set can set, and why")
    parameters.add_argument("condition", nargs="?", default="cond1", help=condition_help())
    parameters.set_defaults(run=run_by("trace_run", "run_parameters"))


def _add_guest(parser: argparse.ArgumentParser, verb: str, **options: Any) -> None:
    """Add what may be said of a real guest and its link; ``verb`` is what is done to it."""
    parser.add_argument(
        "workload",
        metavar="WORKLOAD",
        help="cond1 to cond4, or the path of a static program",
        **options,
    )
    add_folder(parser, "--output", "traces")
    parser.add_argument(
        "--guest-memory", default="512MiB", metavar="SIZE", help="default: %(default)s"
    )
    parser.add_argument("--kernel", metavar="FILE", help="default: the newest in /boot")
    parser.add_argument("--qemu", metavar="PROGRAM", help="default: qemu-system-x86_64")
    parser.add_argument(
        "--accelerator", choices=("auto", "kvm", "tcg"), default="auto", help="default: %(default)s"
    )
    parser.add_argument(
        "--bandwidth", default="32MiB", metavar="SIZE", help="default: %(default)s/s"
    )
    whole = positive(int, "a whole number above 0", 0)
    parser.add_argument(
        "--max-downtime", type=whole, default=30, metavar="MS", help="default: %(default)s"
    )
    parser.add_argument(
        "--seconds", type=whole, default=60, help=f"to {verb} at most; default: %(default)s"
    )
