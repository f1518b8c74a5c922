"""The kernel of a captured guest, and the modules that it needs, as a distribution ships them."""

import gzip
import lzma
import re
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.files import read_file

BOOT = Path("/boot")
MODULES = Path("/lib/modules")
_HEADERS, _SECTOR = 2**16, 0x200
_MAGIC_PLACE, _VERSION_PLACE = 0x202, 0x20E


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


def are_all_closed() -> bool:
    """Return whether there are kernels in /boot, none of which this user may read."""
    return newest_kernel() is None and any(BOOT.glob("vmlinuz-*"))


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
    folder = MODULES / release
    if not folder.is_dir():
        # Some distributions name a kernel's file otherwise (Arch: vmlinuz-linux).
        release = kernel_release(kernel) or release
        folder = MODULES / release
    if not folder.is_dir():
        raise BadInput(
            f"kernel {kernel} has no modules in {folder}; install the package that it comes from, "
            "or name another kernel with --kernel."
        )
    return folder


def kernel_release(kernel: Path) -> str:
    """Return the release that a kernel's image says it is; empty if it does not say.

    The image's header has a pointer to a text that begins with it (Linux:
    Documentation/arch/x86/boot.rst, ``kernel_version``).
    """
    image = read_file(kernel)[:_HEADERS]
    if image[_MAGIC_PLACE : _MAGIC_PLACE + 4] != b"HdrS":
        return ""
    (pointer,) = struct.unpack_from("<H", image, _VERSION_PLACE)
    text = image[pointer + _SECTOR :].partition(b"\0")[0].partition(b" ")[0]
    release = text.decode("ascii", "replace")
    return release if pointer and re.fullmatch(r"[\w.+~-]{1,100}", release) else ""


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
    if path.suffix == ".zst":
        return _zstd(path)
    if path.suffix != ".ko":
        raise BadInput(
            f"module {path} is compressed in a way that is not known here; name a kernel whose "
            "modules are not, with --kernel."
        )
    return data


def _zstd(path: Path) -> bytes:
    """Decompress a module as Ubuntu, Fedora and Arch ship them, which Python before 3.14 cannot."""
    program = shutil.which("zstd")
    if program is None:
        raise BadInput(
            f"module {path} is compressed with zstd, which this machine lacks; run 'apt-get "
            "install zstd', or name a kernel whose modules are not, with --kernel."
        )
    done = subprocess.run([program, "-dcq", str(path)], capture_output=True)
    if done.returncode:
        why = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise BadInput(
            f"module {path} cannot be decompressed ({''.join(why)}); install its package again."
        )
    return done.stdout
