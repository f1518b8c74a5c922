"""The guest that is captured or recorded: what it boots from, and that it boots."""

import contextlib
import platform
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

from harness.base.errors import BadInput
from workloads.capture.disk import make_disk
from workloads.capture.equipment import Equipment
from workloads.capture.initramfs import make_initramfs
from workloads.capture.qemu import Machine, Qemu, can_use_kvm, running
from workloads.capture.workload import Workload
from workloads.guest import GuestMemory

_BOOT_SECONDS = {"kvm": 10.0, "tcg": 60.0}
DISK_RATE = 64 * 2**20
"""Bytes a second of all disks together, as one disk of 2010."""

T = TypeVar("T")


class _NoBoot(Exception):
    """The guest did not boot; another accelerator may do better."""


def prepare(workload: Workload, memory: GuestMemory, equipment: Equipment, folder: Path) -> Machine:
    """Make in ``folder`` what a guest with ``workload`` boots from, and return the machine.

    Raises:
        BadInput: there is no room, or something cannot be compiled or read.
    """
    initramfs = folder / "initramfs"
    devices: list[str] = []
    try:
        make_initramfs(initramfs, equipment, workload.command, folder)
        if workload.disks:
            size = memory.size * 6
            make_disk(folder / "disk", size)
            devices += ["-object", f"throttle-group,id=disks,x-bps-total={DISK_RATE}"]
            devices += _disk("vda", f"file={folder / 'disk'},format=qcow2,readonly=on")
        if workload.disks > 1:
            # What is written is thrown away; nobody reads it again.
            devices += _disk("vdb", f"driver=null-co,size={size}")
    except OSError as error:
        raise BadInput(
            f"the guest cannot be prepared in {folder.parent} ({error.strerror}); make room there, "
            "or set TMPDIR to another folder."
        ) from None
    options = {f"dirtyscan.{name}": value for name, value in workload.options.items()}
    return Machine(
        program=equipment.qemu,
        accelerator="tcg",
        memory=memory.size,
        kernel=equipment.kernel,
        initramfs=initramfs,
        kernel_options=" ".join(f"{name}={value}" for name, value in options.items()),
        devices=devices,
    )


def _disk(name: str, drive: str) -> list[str]:
    throttled = f"if=none,id={name},{drive},throttling.group=disks,throttling.bps-total={DISK_RATE}"
    return ["-drive", throttled, "-device", f"virtio-blk-pci,drive={name}"]


def on_accelerators(wanted: str, run: Callable[[str], T]) -> T:
    """Call ``run`` with ``wanted``, or if that is ``auto``, with the first a guest boots on.

    Raises:
        BadInput: it does not boot; or ``run`` raises it.
    """
    accelerators = [wanted]
    if wanted == "auto":
        accelerators = ["kvm", "tcg"] if can_use_kvm() else ["tcg"]
    for accelerator in accelerators:
        try:
            return run(accelerator)
        except _NoBoot as error:
            if accelerator == accelerators[-1]:
                raise BadInput(str(error)) from None
    raise AssertionError("there is at least one accelerator")


@contextlib.asynccontextmanager
async def booted(machine: Machine, folder: Path) -> AsyncIterator[Qemu]:
    """Boot ``machine`` until its workload runs; it ends with the block."""
    async with running(machine, folder) as qemu:
        try:
            await qemu.wait_until_ready(_BOOT_SECONDS[machine.accelerator])
        except BadInput as error:
            raise _NoBoot(str(error)) from None
        yield qemu


async def guest_parameters(
    qemu: Qemu, machine: Machine, workload: Workload
) -> dict[str, dict[str, Any]]:
    """Return what a trace says of its guest and of what it ran on."""
    version = (await qemu.execute("query-version"))["qemu"]
    values: dict[str, tuple[Any, str]] = {
        "qemu": ("{major}.{minor}.{micro}".format(**version), ""),
        "kernel": (machine.kernel.name.removeprefix("vmlinuz-"), ""),
        "accelerator": (machine.accelerator, ""),
        "host": (f"{platform.system()} {platform.machine()}", ""),
        **{name: (value, "") for name, value in workload.options.items()},
    }
    if workload.disks:
        values["disk_rate"] = (DISK_RATE, "B/s")
    return {name: {"value": value, "unit": unit} for name, (value, unit) in values.items()}
