"""What a host keeps of the runs that it takes part in, until their results have been fetched."""

import contextlib
import os
import shutil
import time
from pathlib import Path

import platformdirs

from harness.base.errors import BadInput
from harness.cluster.identity import hashed, lasting_identity

KEPT_DAYS = 30
"""After so many without a change, what was never fetched is removed."""


def runs_folder() -> Path:
    """Return where this host keeps its runs, made if it is not there.

    Hosts that share somebody's home each have their own, which they find again after a restart.

    Raises:
        BadInput: it cannot be made or written.
    """
    try:
        folder = platformdirs.user_state_path("dirtyscan") / "cluster" / hashed(lasting_identity())
        if not folder.is_absolute():  # what is left of "~" where nobody's home is known
            raise RuntimeError("no home folder is known")
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise RuntimeError(f"{folder} is not writable")
    except (RuntimeError, KeyError, OSError) as error:
        raise BadInput(
            f"runs cannot be kept ({error}); set XDG_STATE_HOME to a folder that can be written "
            "before the worker is started."
        ) from None
    return folder


def run_folder(run: str) -> Path:
    """Return where this host keeps the run called ``run``, made if it is not there.

    Raises:
        BadInput: it cannot be made.
    """
    folder = runs_folder() / run
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder} cannot be made ({error.strerror}); make room there.") from None
    return folder


def forget(run: str) -> None:
    """Remove what this host has of a run whose results have been fetched."""
    with contextlib.suppress(BadInput):
        shutil.rmtree(runs_folder() / run, ignore_errors=True)


def forget_old() -> None:
    """Remove what nobody has come back for.

    Also that of hosts which share this folder: one that is called otherwise now, or is no more,
    would never do so.
    """
    for folder in list(runs_folder().parent.glob("*/*")):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > KEPT_DAYS * 86400:
                shutil.rmtree(folder, ignore_errors=True)
