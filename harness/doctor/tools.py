"""The programs and devices that parts of dirtyscan can use, and how to get them."""

import dataclasses
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from harness.base.errors import BadInput
from harness.native.toolchain import RUST_MINIMUM, rust_toolchain
from harness.results.environment import package_version
from workloads.capture import kernel


@dataclasses.dataclass(frozen=True)
class Tool:
    """Something that may be on the machine."""

    name: str
    found: str
    """Its version or path; empty if it is not here."""
    use: str
    remedy: str


_PROGRAMS = (
    ("cc", "the default toolchain", "apt-get install gcc"),
    ("gcc", "a toolchain", "apt-get install gcc"),
    ("clang", "a toolchain", "apt-get install clang"),
    ("git", "a gate against a revision", "apt-get install git"),
    ("valgrind", "counting instructions", "apt-get install valgrind"),
    ("perf", "counting cycles and branch misses", "apt-get install linux-perf"),
    ("qemu-system-x86_64", "capturing traces", "apt-get install qemu-system-x86"),
)


def inspect_tools() -> list[Tool]:
    """Return every tool, here or not."""
    tools = [Tool(name, _version(name), use, f"sudo {remedy}") for name, use, remedy in _PROGRAMS]
    zig = "ziglang" if importlib.util.find_spec("ziglang") else _version("zig")
    tools.append(Tool("zig", zig, "a toolchain", "pip install ziglang"))
    dask = package_version("distributed") or ""
    remedy = "pip install 'dirtyscan[cluster]'"
    tools.append(Tool("Dask", dask, "measuring on many hosts", remedy))
    tools += [_inspect_rustc(), _inspect_kernel()]
    otava = "otava" if importlib.util.find_spec("otava") else ""
    remedy = "pip install --no-deps apache-otava"
    tools.append(Tool("Otava", otava, "changes over time", remedy))
    kvm = Path("/dev/kvm")
    usable = os.access(kvm, os.R_OK | os.W_OK)
    tools.append(
        Tool("KVM", str(kvm) if usable else "", "capturing traces at full speed",
             "run where /dev/kvm can be opened, or do without")
    )  # fmt: skip
    return tools


def _inspect_rustc() -> Tool:
    """Look where variants are compiled, which is also where rustup puts it."""
    try:
        version = rust_toolchain("release").version
    except BadInput:  # it is not here, or too old
        version = ""
    remedy = f"install {'.'.join(map(str, RUST_MINIMUM))} or newer from https://rustup.rs"
    return Tool("rustc", version, "variants in Rust", remedy)


def _inspect_kernel() -> Tool:
    """Some distributions let only root read the kernels that they install."""
    found = kernel.newest_kernel()
    remedy = "sudo apt-get install linux-image-cloud-amd64"
    if any(kernel.BOOT.glob("vmlinuz-*")):
        remedy = f"sudo chmod +r {kernel.BOOT}/vmlinuz-*"
    return Tool("kernel", str(found or ""), "capturing traces, as the guest's", remedy)


def _version(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return path
    return (done.stdout.strip().splitlines() or [path])[0]
