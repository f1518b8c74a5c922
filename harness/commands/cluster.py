"""The options by which a command measures on many hosts, and what it does with them."""

import argparse
import importlib.util
from collections.abc import Sequence
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
    from harness.commands.options import results_folder

    files = Files()
    given = _with_files(options, files)
    folder = results_folder(options.output)
    return measure_on_hosts(options, module, table, folder, given, files, bool(options.resume))[0]


def folder_of_one(name: str) -> Path:
    """Return the folder called ``name`` for results of this machine.

    Raises:
        BadInput: there are those of many hosts.
    """
    from harness.cluster.output import require_no_run_of_hosts
    from harness.commands.options import results_folder

    folder = results_folder(name)
    require_no_run_of_hosts(folder)
    return folder


def measure_on_hosts(
    options: argparse.Namespace,
    module: str,
    table: str,
    folder: Path,
    given: dict[str, Any],
    files: "Files",
    resume: bool,
) -> tuple[int, list[str]]:
    """Run the command of ``module`` with the options ``given`` on every host that is meant.

    Returns:
        The exit status, and the hosts whose results are in ``folder``.

    Raises:
        BadInput: the hosts are not to be had; or none could measure.
    """
    if options.cluster and options.hosts:
        raise BadInput("--cluster and --hosts are two ways to name hosts; give one of them.")
    for package in ("distributed", *(["asyncssh"] if options.hosts else [])):
        if importlib.util.find_spec(package) is None:
            raise BadInput(
                f"measuring on many hosts needs the package {package}, which is not here; install "
                "dirtyscan with its extra cluster ('pip install dirtyscan[cluster]')."
            )
    hosts = tuple(name.strip() for name in options.hosts.split(",") if name.strip())
    if options.hosts and len(hosts) < 2:
        raise BadInput(
            "--hosts needs the host of the scheduler and at least one that measures, such as "
            f"--hosts localhost,{hosts[0] if hosts else 'HOST'}."
        )
    from harness.cluster.connection import Where
    from harness.cluster.fleet import Fleet, Task
    from harness.presentation.console import console

    task = Task(module, given, files.content, table, given.get("resume") is not None)
    fleet = Fleet(task, folder, console(), console(stderr=True))
    return fleet.run(Where(options.cluster, hosts, options.host_python), resume)


class Files:
    """The user's own files, under the names that they have on a host."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self._folders = 0

    def add(self, paths: Sequence[Path]) -> str:
        """Add files that belong together, and return the name of the first of them."""
        folder = self._folder()
        names = [f"{folder}/{path.name}" for path in paths]
        self.content |= {f"{folder}/{path.name}": read_file(path) for path in paths}
        return names[0]

    def add_data(self, name: str, data: bytes) -> str:
        """Add what is in no file here, and return its name there."""
        path = f"{self._folder()}/{name}"
        self.content[path] = data
        return path

    def add_variant(self, name: str) -> str:
        """Return what the variant ``name`` is called on a host: its file there if it has one.

        Raises:
            BadInput: it cannot be read, or is one of a manifest.
        """
        from harness.native.finding import find_own, is_own
        from harness.native.manifest import find_manifest

        if not is_own(name):
            return name
        manifest = find_manifest()
        if manifest and name in manifest.entries:
            raise BadInput(
                f"variant {name} is one of {manifest.path}, which the hosts have not; give the "
                "path of its file."
            )
        return self.add(find_own(name).sources)

    def _folder(self) -> str:
        self._folders += 1
        return f"given-{self._folders}"


def given_to_hosts(options: argparse.Namespace) -> dict[str, Any]:
    """Return those of ``options`` that are a host's as well, as they are here."""
    return {name: value for name, value in vars(options).items() if name not in _OURS}


def _with_files(options: argparse.Namespace, files: Files) -> dict[str, Any]:
    """Return ``options`` as a host is given them: all files in them are among ``files``."""
    from harness.native.finding import is_own
    from harness.native.manifest import find_manifest

    if options.arguments:
        raise BadInput(
            f"what stands behind -- ({options.arguments[0]}) names files and folders of this "
            "machine; give hosts a shared object of the variant, or a source without it."
        )
    given = given_to_hosts(options)
    manifest = find_manifest()
    own = any(map(is_own, (*given.get("files", ()), *given.get("variant", ()))))
    for name in ("files", "variant"):
        if name in given:
            given[name] = [files.add_variant(variant) for variant in given[name]]
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
