"""The command line: options to commands, errors to sentences and exit statuses."""

import argparse
import contextlib
import errno
import importlib
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from harness import __version__
from harness.base.errors import BadInput
from harness.base.text import did_you_mean, printable, shortened

COMMANDS: Mapping[str, str] = {
    "bench": "time variants on traces",
    "compare": "say how much faster one variant is than another",
    "claims": "list published figures, and measure whether they hold here",
    "init": "write a dirtyscan.toml and a first variant of your own",
    "gate": "did a variant get slower?",
    "study": "measure over a range of maps, sizes, compilers or guests",
    "report": "show the results of a run, or of several beside each other",
    "history": "plot speedups over many stored results, and find what changed",
    "results": "make one file of a result to give away, and check such files",
    "trace": "make traces, and look at them",
    "variants": "list the variants of an operation",
    "doctor": "say what disturbs measurements here, and what tools are there",
}
"""Every command, a module in ``harness.commands`` each, with what its help says."""
BAD_INPUT, BROKEN_PIPE = 2, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``dirtyscan`` and return its exit status; Ctrl-C is left to the caller."""

    def run() -> int:
        given, behind = _split(sys.argv[1:] if arguments is None else arguments)
        options = _parser().parse_args(given)
        if behind and not getattr(options, "takes_arguments", False):
            raise BadInput(
                f"this command takes nothing behind --, such as {behind[0]!r}; leave it out."
            )
        options.arguments = behind
        return int(options.run(options))

    return run_guarded(run)


def run_guarded(run: Callable[[], int]) -> int:
    """Run ``run`` and return its exit status, errors said in a sentence and as one."""
    _write_whatever_the_encoding()
    try:
        status = run()
        if sys.stdout:
            sys.stdout.flush()
    except BadInput as error:
        _complain(str(error))
        return BAD_INPUT
    except BrokenPipeError:
        # The reader has gone (dirtyscan ... | head).
        return BROKEN_PIPE
    except Exception as error:
        if _is_of_output(error):
            _complain(f"the output cannot be written ({error}); send it elsewhere.")
        else:
            _complain(_unforeseen(error))
        return BAD_INPUT
    finally:
        _let_go_of_output()
    return status


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return what stands before the first --, and what stands behind it."""
    given = list(arguments)
    place = given.index("--") if "--" in given else len(given)
    return given[:place], tuple(given[place + 1 :])


def _write_whatever_the_encoding() -> None:
    """Have characters that a terminal's encoding lacks replaced, where they would be refused."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _complain(sentence: str) -> None:
    with contextlib.suppress(OSError):  # where nobody listens, the exit status says it
        print(f"dirtyscan: {printable(sentence)}", file=sys.stderr)


def _is_of_output(error: Exception) -> bool:
    """Return whether ``error`` says that standard output takes nothing more.

    What is written by name has its own sentence, and an error that knows the name.
    """
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
    return isinstance(error, OSError) and error.filename is None and error.errno in full


def _let_go_of_output() -> None:
    """Have what could not be written forgotten: Python would complain of it when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _unforeseen(error: Exception) -> str:
    """Say that something happened which nobody has thought of, and keep what a mender needs."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
    text = "".join(traceback.format_exception(error))
    try:
        descriptor, name = tempfile.mkstemp(prefix="dirtyscan-report-", suffix=".txt", text=True)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(f"dirtyscan {__version__}, Python {sys.version}\n{sys.argv}\n{text}")
        kept = f"please report it with {name}"
    except OSError:
        kept = "please report it with the command that you gave"
    return f"something went wrong that was not foreseen ({what}); {kept}."


class _Parser(argparse.ArgumentParser):
    """Takes names before and after options, and says what is wrong with them in one sentence.

    That of a command loads the command's module only once it is chosen, as some take a second.
    """

    def __init__(self, *arguments: Any, command: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._command = command
        self._is_simple = True
        self._commands: Any = None

    def add_subparsers(self, **options: Any) -> Any:
        """Add commands, behind which the rest of the line is theirs."""
        self._is_simple = False
        self._commands = super().add_subparsers(**options)
        return self._commands

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse as argparse does, which by itself takes ``--budget 5 NAME`` for a mistake."""
        self._load()
        # To let names stand anywhere argparse takes away what help is made of.
        if not self._is_simple or any(map(_asks_for_help, args or ())):
            return super().parse_known_args(args, namespace)
        self._is_simple = False  # it calls this method again
        try:
            found, unknown = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_simple = True
        # Said here, as the parser above knows neither the options of this command nor its help.
        if options := [word for word in unknown if word.startswith("-")]:
            word = options[0].partition("=")[0]
            near = did_you_mean(word, self._option_string_actions)
            self.error(f"there is no option {shortened(word)}{near}")
        if unknown:
            self.error(f"{shortened(unknown[0])!r} is one name too many")
        return found, unknown

    def load(self) -> None:
        """Load every command, for what has to know all of their options."""
        self._load()
        for parser in self._commands.choices.values() if self._commands else ():
            parser.load()

    def parsers(self) -> Iterator["_Parser"]:
        """Yield this one and those of all commands below it."""
        yield self
        for parser in self._commands.choices.values() if self._commands else ():
            yield from parser.parsers()

    def _load(self) -> None:
        if self._command:
            module = importlib.import_module(f"harness.commands.{self._command}")
            self._command = ""
            module.add_options(self)

    def error(self, message: str) -> NoReturn:
        if wrong := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)$", message):
            near = did_you_mean(wrong[1], re.findall(r"[\w-]+", wrong[2]))
            message = f"{message}{near}"
        _complain(f"{message}; see '{self.prog} --help'.")
        self.exit(BAD_INPUT)


class _Completion(argparse.Action):
    """Prints what has a shell complete commands, options and files."""

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> NoReturn:
        """Print it for the shell that was named, and end."""
        import shtab  # takes a while to load, and is for this alone

        assert isinstance(parser, _Parser)
        parser.load()
        for one in parser.parsers():
            for action in one._actions:
                if action.metavar in ("FILE", "DIR"):
                    kind = shtab.FILE if action.metavar == "FILE" else shtab.DIRECTORY
                    vars(action)["complete"] = kind  # where shtab looks
        print(shtab.complete(parser, given[1]))
        parser.exit()


def _asks_for_help(word: str) -> bool:
    return word == "-h" or (len(word) > 2 and "--help".startswith(word))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="dirtyscan",
        description="Does it pay to check dirty pages several at a time? A benchmark of the "
        "operations on a hypervisor's dirty map.",
    )
    parser.add_argument(
        "--completion", action=_Completion, choices=("bash", "zsh", "fish"),
        help="print what has a shell complete commands and options",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"dirtyscan {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, what in COMMANDS.items():
        commands.add_parser(name, help=what, command=name)
    return parser
