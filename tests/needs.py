"""What tests need of the machine, and which promise goes untested where it is missing."""

import re
import shutil
from collections import Counter
from collections.abc import Iterable

import pytest

# By what the reason of a skip names; the first that it names counts.
PROMISES = {
    "libclang-rt-dev": "variants under clang's sanitizers",
    "gcc-aarch64-linux-gnu": "variants on aarch64",
    "chromium": "the page in a browser",
    "playwright": "the page in a browser",
    "qemu-img": "the disk of a captured guest",
    "qemu10-system-x86_64": "captures and streams of QEMU 10",
    "qemu-system-x86_64": "captures of real guests",
    "kernel in /boot": "captures of real guests",
    "distributed": "many hosts on Dask",
    "asyncssh": "many hosts over SSH",
    "/dev/kvm": "a guest of our own on KVM",
    "PAGEMAP_SCAN": "the tracking of a process",
    "valgrind": "counted instructions",
    "rustc": "variants and commands in Rust",
    "zig": "what zig makes of the variants",
    "clang": "what clang makes of the variants",
    "gcc": "what gcc makes of the variants",
    "fish": "completion in fish",
    "zsh": "completion in zsh",
    "noexec mounts": "file systems that let nothing be loaded",
    "mounts": "how CI hides tools",
    "repository of git": "distributions and their installation",
    "otava": "changes over time",
}
OTHER_CPU = re.compile(r"is not for \S+|needs .*, which this CPU lacks")


def needs(*programs: str) -> pytest.MarkDecorator:
    """Return the mark of a test that is skipped where one of ``programs`` is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)}")


def not_tested(reason: str) -> str:
    """Return which promise a test that was skipped for ``reason`` would have held to."""
    if OTHER_CPU.search(reason):
        return "variants for another CPU"
    for missing, promise in PROMISES.items():
        if missing in reason:
            return f"{promise} (no {missing})"
    return reason


def count_promises(reasons: Iterable[str]) -> list[tuple[str, int]]:
    """Return every promise that was not tested, and in how many tests; the most first."""
    return Counter(map(not_tested, reasons)).most_common()
