"""Samples: what one measuring process found, in one file that is whole or absent."""

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyperf
from numpy.typing import NDArray

from harness.base.documents import convert
from harness.base.errors import BadInput
from harness.base.files import replacing

_SUITE, _PLACES, _TRACES = "pyperf.json", "places.json", "traces.json"


@dataclasses.dataclass(frozen=True)
class Samples:
    """The samples of one process."""

    elapsed: Mapping[str, NDArray[np.float64]]
    """By trace key: seconds of one call, (rounds, lanes, classes, snapshots).

    Each part of a round has every lane at another class of placement.
    """
    suite: pyperf.BenchmarkSuite
    """The same as pyperf has it: one benchmark a trace and lane, one value a round."""
    places: tuple[tuple[int, ...], ...]
    """Where each lane lay in each part, (lanes, classes); nothing in the calibration."""


def write_samples(path: Path, samples: Samples) -> None:
    """Write ``samples`` to ``path``, whole or not at all.

    Raises:
        BadInput: the file cannot be written.
    """
    text = io.StringIO()
    samples.suite.dump(text)
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        # Which arrays there are: a flipped bit in an archive's list of members can hide its last.
        archive.writestr(_TRACES, json.dumps(list(samples.elapsed)))
        archive.writestr(_SUITE, text.getvalue())
        archive.writestr(_PLACES, json.dumps(samples.places))
        for key, elapsed in samples.elapsed.items():
            data = io.BytesIO()
            np.save(data, elapsed, allow_pickle=False)
            archive.writestr(f"{key}.npy", data.getvalue())


def read_samples(path: Path) -> Samples:
    """Read what :func:`write_samples` wrote.

    Raises:
        BadInput: the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            suite = pyperf.BenchmarkSuite.loads(archive.read(_SUITE).decode())
            elapsed = {
                _key(name): _seconds(archive.read(name))
                for name in archive.namelist()
                if name not in (_SUITE, _PLACES, _TRACES)
            }
            if list(elapsed) != convert(json.loads(archive.read(_TRACES)), list[str]):
                raise ValueError("an array is missing")
            places = convert(json.loads(archive.read(_PLACES)), tuple[tuple[int, ...], ...])
    except Exception as error:  # whatever a flipped bit does to an archive, to JSON or to pyperf
        raise BadInput(
            f"samples {path} are damaged ({type(error).__name__}: {error}); delete that file and "
            "go on with --resume."
        ) from None
    return Samples(elapsed, suite, places)


def _key(name: str) -> str:
    if not name.endswith(".npy"):
        raise ValueError(f"there is a member {name!r}")
    return name.removesuffix(".npy")


def _seconds(data: bytes) -> NDArray[np.float64]:
    """Read seconds of calls, (rounds, lanes, classes, snapshots); NaN for lanes that were left out.

    Raises:
        ValueError: it is something else.
    """
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.ndim != 4 or array.dtype != np.float64 or (array <= 0).any():
        raise ValueError("an array does not hold the seconds of calls")
    return np.asarray(array)
