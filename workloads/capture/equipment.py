"""What a capture needs of the machine. All that is missing is said at once."""

import dataclasses
import shutil
from pathlib import Path

from harness.base.errors import BadInput
from workloads.capture.kernel import are_all_closed, newest_kernel

_QEMU = "qemu-system-x86_64"


@dataclasses.dataclass(frozen=True)
class Equipment:
    """What is here to capture with."""

    qemu: str
    compiler: str
    """For the init of the guest."""
    kernel: Path


def find_equipment(kernel: Path | None = None, qemu: str | None = None) -> Equipment:
    """Return what a capture is made with.

    Args:
        kernel: the kernel that was asked for; otherwise the newest in /boot.
        qemu: the program of QEMU that was asked for; otherwise that of the distribution.

    Raises:
        BadInput: something is not here.
    """
    if qemu and not shutil.which(qemu):
        raise BadInput(f"--qemu {qemu} is no program; give the path of a {_QEMU}.")
    qemu, compiler = shutil.which(qemu or _QEMU), shutil.which("cc")
    kernel = kernel or newest_kernel()
    if not kernel and are_all_closed():
        raise BadInput(
            "root alone can read the kernels in /boot, as on Ubuntu; capture as root, or copy "
            "one to where you can read it and name it with --kernel."
        )
    if qemu and compiler and kernel:
        return Equipment(qemu, compiler, kernel)
    needs = (
        (qemu, _QEMU, "qemu-system-x86"),
        (compiler, "a C compiler", "gcc libc6-dev"),
        (kernel, "a kernel in /boot that can be read", "linux-image-cloud-amd64"),
    )
    missing = [(what, packages) for found, what, packages in needs if not found]
    other = "" if kernel else " (or name a kernel elsewhere with --kernel)"
    raise BadInput(
        f"a capture needs {' and '.join(what for what, _ in missing)}, which this machine lacks; "
        f"run 'apt-get install {' '.join(packages for _, packages in missing)}'{other}."
    )
