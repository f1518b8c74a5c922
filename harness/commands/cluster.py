"""The options by which a command measures on many hosts, and what it does with them."""

import argparse
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.base.errors import BadInput
from harness.base.files import read_file

_OURS = ("cluster", "hosts", "host_python", "run", "parsers")
"""What a host is not given."""


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add which hosts are measured on, if not this one."""
    group = parser.add_argument_group("many hosts (see docs/many-hosts.md)")
    group.add_argument(
        "--cluster", default="", metavar="ADDRESS",
        help="measure on every host that has a worker of the Dask scheduler at ADDRESS",
    )  # fmt: skip
    group.add_argument(
        "--hosts", default="", metavar="A,B,...",
        help="measure on these hosts over SSH; the first runs the scheduler and measures nothing, "
        "and may be localhost",
    )  # fmt: skip
    group.add_argument(
        "--host-python", default="", metavar="PATH",
        help="Python with dirtyscan on the hosts of --hosts; default: the path of this one",
    )  # fmt: skip


def is_for_hosts(options: argparse.Namespace) -> bool:
    """Return whether many hosts are asked for; in another process they have been."""
    return bool(getattr(options, "cluster", "") or getattr(options, "hosts", ""))


def run_on_hosts(options: argparse.Namespace, module: str, table: str) -> int:
    """Run the command of ``module`` on every host, and return the exit status.

    Args:
        table: the main one of its results.

    Raises:
        BadInput: the hosts or their files are not to be had; or no host could measure.
    """
    if options.cluster and options.hosts:
        raise BadInput("--cluster and --hosts are two ways to name hosts; give one of them.")
    for package in ("distributed", *(["asyncssh"] if options.hosts else [])):
        if importlib.util.find_spec(package) is None:
            raise BadInput(
                f"measuring on many hosts needs the package {package}, which is not here; install "
                "dirtyscan with its extra cluster ('pip install dirtyscan[cluster]')."
            )
    from harness.cluster.connection import Where
    from harness.cluster.fleet import Fleet, Task
    from harness.commands.options import results_folder
    from harness.presentation.console import console

    hosts = tuple(name.strip() for name in options.hosts.split(",") if name.strip())
    if options.hosts and len(hosts) < 2:
        raise BadInput(
            "--hosts needs the host of the scheduler and at least one that measures, such as "
            f"--hosts localhost,{hosts[0] if hosts else 'HOST'}."
        )
    files = _Files()
    task = Task(module, _for_host(options, files), files.content, table)
    fleet = Fleet(task, results_folder(options.output), console(), console(stderr=True))
    where = Where(options.cluster, hosts, options.host_python)
    return fleet.run(where, bool(options.resume))


class _Files:
    """The user's own files, under the names that they have on a host."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self._folders = 0

    def add(self, paths: Iterable[Path]) -> str:
        """Add files that belong together, and return the name of the first of them."""
        folder, names = f"given-{self._folders}", []
        self._folders += 1
        for path in paths:
            names.append(f"{folder}/{path.name}")
            self.content[names[-1]] = read_file(path)
        return names[0]


def _for_host(options: argparse.Namespace, files: _Files) -> dict[str, Any]:
    """Return ``options`` as a host is given them: all files are its own, and its results too."""
    from harness.native.finding import find_own, is_own
    from harness.native.manifest import find_manifest

    if options.arguments:
        raise BadInput(
            f"what stands behind -- ({options.arguments[0]}) names files and folders of this "
            "machine; give hosts a shared object of the variant, or a source without it."
        )
    given = {name: value for name, value in vars(options).items() if name not in _OURS}
    manifest = find_manifest()
    own = False
    for name in ("files", "variant"):
        names = []
        for variant in given.get(name, ()):
            if is_own(variant):
                if manifest and variant in manifest.entries:
                    raise BadInput(
                        f"variant {variant} is one of {manifest.path}, which the hosts have not; "
                        "give the path of its file."
                    )
                own = True
                variant = files.add(find_own(variant).sources)
            names.append(variant)
        if name in given:
            given[name] = names
    traces = list(given.get("trace", ()))
    if own and manifest and not (traces or given.get("condition") or given.get("density")):
        traces = [str(path) for path in manifest.trace_files()]
    if "trace" in given:
        given["trace"] = [files.add([Path(path)]) for path in traces]
    for name in ("config", "claims"):
        if given.get(name):
            given[name] = files.add([Path(given[name])])
    if manifest and "claims" in given and not given["claims"] and manifest.claim_files():
        raise BadInput(
            f"the claims that {manifest.path} names are not sent to hosts; name a file of them "
            "with --claims."
        )
    given["arguments"] = []
    return given
