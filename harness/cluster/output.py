"""The folder that results go to, in which those of two runs are never side by side."""

import shutil
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.files import copy_file
from harness.cluster.record import UNFINISHED, read_record
from harness.measurement.run_folder import RunFolder
from harness.results.environment import ENVIRONMENT
from harness.results.hosts import HOSTS, RECORD
from harness.results.result import SPEEDUPS

_REMEDY = "name another folder with --output, or remove that one."


def require_no_run_of_hosts(folder: Path) -> None:
    """Refuse a folder that many hosts have measured into, for a run of one machine.

    Raises:
        BadInput: it is one.
    """
    if (folder / RECORD).exists():
        raise BadInput(
            f"{folder} has a run of many hosts ({RECORD}), and that of one machine would lie among "
            f"them; {_REMEDY}"
        )


def require_no_run_of_one(folder: RunFolder, table: str) -> None:
    """Refuse a folder that one machine has measured into, for a run of many hosts.

    Args:
        table: the main one of its results.

    Raises:
        BadInput: it is one.
    """
    names = (folder.unfinished.name, SPEEDUPS, ENVIRONMENT, *filter(None, [table]))
    if found := next((name for name in names if (folder.path / name).exists()), ""):
        raise BadInput(
            f"{folder.path} has a run of one machine ({found}), and those of many hosts would lie "
            f"around it; {_REMEDY}"
        )


def make_room(folder: RunFolder) -> Path | None:
    """Have what another run of many hosts has left out of the way, as a run of one machine does.

    Returns:
        Where an unfinished one is now, with all that it had, to be gone on with; None if there is
        none. What is finished is removed.

    Raises:
        BadInput: it cannot be removed or moved, or its record is damaged.
    """
    before = read_record(folder.path)
    if before is None:
        return None
    left = [folder.path / name for name in (HOSTS, *before.hosts)]
    record = folder.path / RECORD
    try:
        if UNFINISHED not in before.states():
            for path in (*left, record):
                _remove(path)
            return None
        aside = folder.free_aside()
        copy_file(record, aside / RECORD)  # so that each place has one until all is moved
        for path in left:
            if path.exists():
                path.rename(aside / path.name)
        record.unlink()
    except OSError as error:
        raise BadInput(
            f"the run before in {folder.path} cannot be moved away "
            f"({error.strerror or error}); {_REMEDY}"
        ) from None
    return aside


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
