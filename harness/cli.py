"""The command line: options to commands, errors to sentences and exit statuses."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from harness import __version__
from harness.commands import bench, claims, doctor, gate, history, report, study, trace, variants
from workloads.errors import BadInput

BAD_INPUT, BROKEN_PIPE = 2, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``dirtyscan`` and return its exit status; Ctrl-C is left to the caller."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BadInput as error:
        print(f"dirtyscan: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        # The reader has gone (dirtyscan ... | head); what is still buffered must not raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status


class _Parser(argparse.ArgumentParser):
    """Takes names before and after options, and says what is wrong with them in one sentence."""

    _is_simple = True

    def add_subparsers(self, **options: Any) -> Any:
        """Add commands, behind which the rest of the line is theirs."""
        self._is_simple = False
        return super().add_subparsers(**options)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse as argparse does, which by itself takes ``--budget 5 NAME`` for a mistake."""
        if not self._is_simple:
            return super().parse_known_args(args, namespace)
        self._is_simple = False  # it calls this method again
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_simple = True

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"dirtyscan: {message}; see '{self.prog} --help'.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="dirtyscan",
        description="Does it pay to check dirty pages several at a time? A benchmark of the "
        "operations on a hypervisor's dirty map.",
    )
    parser.add_argument("--version", action="version", version=f"dirtyscan {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (bench, claims, gate, study, report, history, trace, variants, doctor):
        command.add_parser(commands)
    return parser
