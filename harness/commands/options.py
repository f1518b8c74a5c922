"""Options that several commands share, and how their values are read."""

import argparse
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from harness.base.errors import BadInput
from harness.base.text import shortened
from harness.base.units import parse_share, parse_size
from harness.machine.cpu import cpu_slug
from workloads.conditions import CONDITIONS, DEFAULT_CONDITIONS, Condition, find_condition
from workloads.draws import DEFAULT_SEED
from workloads.guest import DEFAULT_PAGE_SIZE, GuestMemory
from workloads.parameters import Value, parse_assignment, read_config

T = TypeVar("T")


def add_names(parser: argparse.ArgumentParser, option: str, what: str | None = None) -> None:
    """Add an option that takes a name and may be given several times."""
    parser.add_argument(option, action="append", default=[], metavar="NAME", help=what)


def add_toolchains(parser: argparse.ArgumentParser) -> None:
    """Add what variants are compiled with."""
    what = "a compiler with flags, see 'dirtyscan variants --toolchains'; also several"
    add_names(parser, "--toolchain", what)


def add_conditions(parser: argparse.ArgumentParser) -> None:
    """Add which conditions are measured."""
    add_names(parser, "--condition", condition_help())


def add_folder(parser: argparse.ArgumentParser, option: str, default: str, more: str = "") -> None:
    """Add where something is written; ``more`` goes on its help."""
    what = f"default: %(default)s{more}"
    parser.add_argument(option, default=default, metavar="DIR", help=what)


def add_precision(parser: argparse.ArgumentParser, default: str, of: str = "") -> None:
    """Add the precision that ends a measurement.

    Args:
        default: in percent, such as ``1%``.
        of: goes on the sentence of the help.
    """
    parser.add_argument(
        "--precision",
        type=positive(parse_share, f"a share above 0 such as {default}", 0.0),
        default=parse_share(default),
        metavar="SHARE",
        help=f"half-width of an interval that is good enough{of}; default: {default}%",
    )


def add_budget(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the time in seconds that ends a measurement, None if nobody names it.

    Args:
        what: the help, which says the default.
    """
    parser.add_argument(
        "--budget",
        type=positive(_seconds, "a number of seconds above 0, at most a week", 0.0),
        metavar="SECONDS",
        help=what,
    )


def add_resume(parser: argparse.ArgumentParser, what: str) -> None:
    """Add whether a measurement is gone on with."""
    parser.add_argument("--resume", action="store_true", help=f"go on with {what}")


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add what everything random is drawn from."""
    parser.add_argument(
        "--seed",
        type=positive(int, "a whole number from 0 up", -1),
        default=DEFAULT_SEED,
        help="default: %(default)s",
    )


def add_workload_options(parser: argparse.ArgumentParser) -> None:
    """Add what decides how synthetic traces are made."""
    group = parser.add_argument_group("workload")
    group.add_argument(
        "--guest-memory", default="512MiB", metavar="SIZE", help="default: %(default)s"
    )
    group.add_argument(
        "--page-size", default=str(DEFAULT_PAGE_SIZE), metavar="SIZE", help="default: %(default)s"
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="a parameter of the guests or of the migration; see 'dirtyscan trace parameters'",
    )
    group.add_argument(
        "--config", metavar="FILE", help="a TOML file of parameters, with a table a condition"
    )
    group.add_argument("--seed", type=int, default=DEFAULT_SEED, help="default: %(default)s")


def workload_memory(options: argparse.Namespace) -> GuestMemory:
    """Return the guest memory asked for."""
    return GuestMemory(parse_size(options.guest_memory), parse_size(options.page_size))


def workload_settings(options: argparse.Namespace) -> dict[str, dict[str, Value]]:
    """Return the parameters set, those of the command line over those of the config."""
    settings = read_config(Path(options.config)) if options.config else {}
    common = settings.setdefault("", {})
    for text in options.settings:
        name, value = parse_assignment(text)
        common[name] = value
        for table in settings.values():
            if name in table:
                table[name] = value
    if options.seed < 0:
        raise BadInput(f"--seed {options.seed} cannot be used; give a whole number from 0 up.")
    return settings


def find_conditions(names: Sequence[str]) -> tuple[Condition, ...]:
    """Return the conditions called ``names``; the letter's four if there are none."""
    return tuple(find_condition(name) for name in names or DEFAULT_CONDITIONS)


def condition_help() -> str:
    """Return what the help says of conditions."""
    return "one of " + ", ".join(CONDITIONS)


def positive(convert: Callable[[str], T], what: str, zero: T) -> Callable[[str], T]:
    """Return a reader of option values that must be above ``zero``."""

    def read(text: str) -> T:
        try:
            value = convert(text)
        except ValueError:
            value = zero
        if not value > zero:  # type: ignore[operator]
            raise argparse.ArgumentTypeError(f"{shortened(text)!r} is not {what}")
        return value

    return read


_WEEK = 7 * 24 * 3600.0


def _seconds(text: str) -> float:
    """Read the time that something may take, up to a week."""
    return float(text) if float(text) <= _WEEK else 0.0


def run_by(module: str, function: str = "run") -> Callable[[argparse.Namespace], int]:
    """Return what runs a command: a function of ``harness.commands.MODULE``.

    The module is loaded when the command runs, since what it computes with takes a second to load
    and options are asked about without it.
    """

    def run(options: argparse.Namespace) -> int:
        loaded = importlib.import_module(f"harness.commands.{module}")
        return int(getattr(loaded, function)(options))

    return run


def results_folder(name: str) -> Path:
    """Return the folder called ``name``, in which {cpu} stands for the name of the CPU."""
    return Path(name.replace("{cpu}", cpu_slug()))
