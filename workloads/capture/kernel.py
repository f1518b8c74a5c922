"""The kernel of a captured guest, and the modules that it needs, as a distribution ships them."""

import gzip
import lzma
import re
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.files import read_file

BOOT = Path("/boot")


def newest_kernel() -> Path | None:
    """Return the newest kernel in /boot that can be read, if there is one."""
    kernels = []
    for path in BOOT.glob("vmlinuz-*"):
        try:
            with path.open("rb"):
                kernels.append(path)
        except OSError:
            continue
    return max(kernels, key=_numbers, default=None)


def _numbers(kernel: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", kernel.name)]


def modules_in_order(folder: Path, wanted: Sequence[str]) -> list[Path]:
    """Return the files of the modules ``wanted`` and of all they need, each after what it needs.

    Args:
        folder: the kernel's folder below /lib/modules; its ``modules.dep`` says what needs what.
    """
    needs: dict[str, tuple[Path, list[str]]] = {}
    for line in read_file(folder / "modules.dep").decode().splitlines():
        path, _, needed = line.partition(":")
        needs[_module_name(path)] = (folder / path, [_module_name(p) for p in needed.split()])
    ordered: list[Path] = []

    def add(name: str) -> None:
        path, needed = needs[name]
        for other in needed:
            add(other)
        if path not in ordered:
            ordered.append(path)

    for name in wanted:
        if name in needs:  # a module that is not listed is built in
            add(name)
    return ordered


def _module_name(path: str) -> str:
    return Path(path).name.partition(".ko")[0].replace("-", "_")


def module_folder(kernel: Path) -> Path:
    """Return the folder of the modules of ``kernel``.

    Raises:
        BadInput: it is not there.
    """
    release = kernel.name.removeprefix("vmlinuz-")
    folder = Path("/lib/modules") / release
    if not folder.is_dir():
        raise BadInput(
            f"kernel {kernel} has no modules in {folder}; install the package that it comes from, "
            "or name another kernel with --kernel."
        )
    return folder


def read_module(path: Path) -> bytes:
    """Return a module as the kernel loads it.

    Raises:
        BadInput: it cannot be read, or is compressed in an unknown way.
    """
    data = read_file(path)
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix != ".ko":
        raise BadInput(
            f"module {path} is compressed in a way that is not known here; name a kernel whose "
            "modules are not, with --kernel."
        )
    return data
