"""The initramfs of a captured guest, made without root: a compiled init and some modules."""

import gzip
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.files import read_file
from workloads.capture.equipment import Equipment
from workloads.capture.kernel import module_folder, modules_in_order, read_module

GUEST = Path(__file__).parent / "guest.c"
# What the guest needs to see its disks; modules that a kernel has built in are left out.
_MODULES = ("virtio_pci", "virtio_blk")
_FILE, _EXECUTABLE, _FOLDER, _DEVICE = 0o100644, 0o100755, 0o040755, 0o020600


def make_initramfs(target: Path, equipment: Equipment, command: Path | None, scratch: Path) -> None:
    """Write the initramfs for the kernel of ``equipment`` to ``target``.

    Args:
        command: a user's static program that the guest runs, if any.
        scratch: a folder for what is compiled on the way.

    Raises:
        BadInput: the init does not compile, or a module or the command cannot be read.
    """
    init = scratch / "init"
    _compile(equipment.compiler, init)
    files = [("init", _EXECUTABLE, read_file(init))]
    modules = module_folder(equipment.kernel)
    files += [
        (f"modules/{number:02}.ko", _FILE, read_module(path))
        for number, path in enumerate(modules_in_order(modules, _MODULES))
    ]
    if command is not None:
        files.append(("command", _EXECUTABLE, read_file(command)))
    target.write_bytes(gzip.compress(_archive(files), compresslevel=1))


def _compile(compiler: str, target: Path) -> None:
    command = [compiler, "-O2", "-static", "-o", str(target), str(GUEST)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BadInput(
            f"the guest's init does not compile ({(done.stderr.splitlines() or ['?'])[-1]}); "
            "install a static C library ('apt-get install libc6-dev')."
        )


def _archive(files: Sequence[tuple[str, int, bytes]]) -> bytes:
    """Return a cpio archive of the "newc" format (Linux: buffer-format.rst) of ``files``.

    The console is made here because init needs it before it can mount anything.
    """
    entries = [_entry("dev", _FOLDER, b""), _entry("dev/console", _DEVICE, b"", device=(5, 1))]
    folders = {str(Path(name).parent) for name, _, _ in files} - {"."}
    entries += [_entry(folder, _FOLDER, b"") for folder in sorted(folders)]
    entries += [_entry(name, mode, data) for name, mode, data in files]
    entries.append(_entry("TRAILER!!!", 0, b""))
    return b"".join(entries)


def _entry(name: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> bytes:
    encoded = name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device of the file, device it is, name size, check
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + encoded) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
