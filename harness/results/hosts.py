"""The hosts that a cluster's result is of: each has a folder, which is called after it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.base.documents import decode_json
from harness.base.errors import BadInput
from harness.base.files import read_file
from harness.native.operation import OPERATIONS
from harness.results.private import SOMEBODY, find_word

RECORD, HOSTS = "cluster.json", "hosts.csv"
"""The files of a cluster's result that name its hosts."""


class _Cluster(msgspec.Struct, frozen=True):
    hosts: dict[str, Any]


def find_named_host(folder: Path, parts: Sequence[str], words: Sequence[str] = ()) -> str:
    """Return the first of ``parts``, folders of a result, that is called after somebody's machine.

    That it is shows where ``cluster.json`` has a host whose name was taken out, and the folder of
    that host has it still; on the machine itself it shows by ``words``.

    Args:
        words: what this machine and its user are called.

    Returns:
        The name of the folder; empty if there is none, as far as that can be known.
    """
    # A user called Mark has not given the folder of the operation its name.
    named = [part for part in parts if part not in OPERATIONS and find_word(part, words)]
    hosts = _hosts_of(folder)
    if SOMEBODY in hosts and SOMEBODY not in parts:
        named += [part for part in parts if part not in hosts]
    return named[0] if named else ""


def _hosts_of(folder: Path) -> Sequence[str]:
    """Return the hosts that ``cluster.json`` names; none where there is no such document."""
    try:
        return list(decode_json(read_file(folder / RECORD), _Cluster).hosts)
    except (BadInput, ValueError):  # what is no document is told where members are looked at
        return []
