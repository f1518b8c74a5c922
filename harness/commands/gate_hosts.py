"""The gate on several hosts: each is asked, and one answer is made of theirs."""

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.base.errors import BadInput
from harness.base.files import read_file, write_text
from harness.commands.cluster import Files, given_to_hosts, measure_on_hosts
from harness.gate.finding import Change, Verdict
from harness.gate.git import find_commit
from harness.gate.revision import is_own_clone
from harness.gate.several import settle_hosts, verdict_from_json, verdict_to_json
from harness.gate.snapshot import BEFORE, bundle_repository, clone_bundle
from harness.native.variant import VARIANTS
from harness.presentation import gate_words as words
from harness.presentation.console import console
from harness.presentation.gate_formats import FORMATS
from harness.results.environment import git_commit

_ANSWER = "answer.json"
_BAD = 2


def ask_hosts(options: argparse.Namespace) -> tuple[Verdict, int]:
    """Ask the gate on every host; return the one answer, and 2 where a host gave none.

    Raises:
        BadInput: no host could be asked, or none gave an answer.
    """
    if options.update:
        raise BadInput("a reference is made on one machine; leave out --cluster with --update.")
    files = Files()
    given, since = _for_host(options, files)
    with tempfile.TemporaryDirectory(prefix="dirtyscan-") as scratch:
        folder = Path(scratch)
        status, finished = measure_on_hosts(options, "gate_run", "", folder, given, files, False)
        verdicts = {
            host: verdict_from_json(read_file(folder / host / _ANSWER).decode(), since)
            for host in finished
        }
    if not verdicts:
        raise BadInput("no host has given an answer; see above why.")
    _show(verdicts)
    return settle_hosts(verdicts), _BAD if status == _BAD else 0


def answer(options: argparse.Namespace, verdict: Verdict) -> bool:
    """Write the verdict for who asked this host; return whether there is such a one."""
    if folder := getattr(options, "output", ""):
        write_text(Path(folder) / _ANSWER, verdict_to_json(verdict))
    return bool(folder)


def go_to_repository(options: argparse.Namespace) -> None:
    """Go where the command that asks this host was given, or to what stands for it here.

    Raises:
        BadInput: dirtyscan's own clone is asked about, and here it is another commit.
    """
    if commit := getattr(options, "own_clone", ""):
        if (here := git_commit()) != commit:
            raise BadInput(
                f"its clone of dirtyscan is at {here}, and what is asked about is {commit}; check "
                "that out there, and start its worker anew."
            )
        os.chdir(VARIANTS)
    elif bundle := getattr(options, "bundle", ""):
        folder = Path(tempfile.mkdtemp(prefix="repository-", dir=Path.cwd())) / "tree"
        clone_bundle(Path(bundle).resolve(), folder)
        os.chdir(folder / options.folder)


def _for_host(options: argparse.Namespace, files: Files) -> tuple[dict[str, Any], str]:
    """Return the options for a host, and what the revision is called here if not there."""
    given = given_to_hosts(options)
    for name in FORMATS:
        given[name.replace("-", "_")] = None
    given["arguments"] = list(options.arguments)
    if options.settings:
        given["settings"] = files.add([options.settings])
    since = ""
    if len(options.against) == 2:
        given["against"] = [files.add_variant(name) for name in options.against]
    elif not options.arguments and is_own_clone():
        of_clone, since = _own_clone(options)
        given |= of_clone
    elif options.against:
        bundle, since, folder = bundle_repository(
            Path.cwd(), options.against[0], options.merge_base
        )
        given["bundle"] = files.add_data("bundle", bundle)
        given |= {"folder": str(folder), "against": [BEFORE], "merge_base": False}
    return given, since


def _own_clone(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Return what hosts are told who ask about their own clones, and what the revision is called.

    Raises:
        BadInput: they cannot have what is here, or there is no such revision.
    """
    commit = git_commit()
    if commit.endswith("-dirty"):
        raise BadInput(
            "each host asks about its own clone of dirtyscan, where what is not committed here is "
            "not; commit it, and check it out there."
        )
    if not options.against:
        return {"own_clone": commit}, ""
    against, called = find_commit(VARIANTS, options.against[0], options.merge_base)
    return {"own_clone": commit, "against": [against], "merge_base": False}, called


def _show(verdicts: Mapping[str, Verdict]) -> None:
    """Show what each host says, and of rows that any calls slower, its ratio on each."""
    out = console()
    slower: dict[str, None] = {}
    for host, verdict in verdicts.items():
        out.print(f"{host}: {words.comparisons(verdict)} {words.headline(verdict)}", soft_wrap=True)
        slower.update(dict.fromkeys(row.name for row in verdict.having(Change.SLOWER)))
    told = {
        host: {row.name: f"{row.ratio:.3f} {row.change}" for row in verdict.findings}
        for host, verdict in verdicts.items()
    }
    for name in slower:
        each = (f"{host} {rows.get(name, 'not measured')}" for host, rows in told.items())
        out.print(f"{name}: {', '.join(each)}", soft_wrap=True)
