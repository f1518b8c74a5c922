"""The CPU: its name, what it can do, and its caches."""

import functools
import platform
import re
from pathlib import Path

_CPU = Path("/sys/devices/system/cpu")


def cpu_model() -> str:
    """Return the name of the CPU as Linux gives it."""
    for line in read_line(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Hardware", "cpu model"):
            return value.strip()
    return platform.processor() or platform.machine()


def cpu_slug() -> str:
    """Return the name of the CPU in small letters, digits and hyphens, for a folder."""
    plain = re.sub(r"\((R|TM|C)\)", " ", cpu_model(), flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


@functools.cache
def cpu_flags() -> tuple[str, ...]:
    """Return what the CPU can do, in the words of /proc/cpuinfo."""
    for line in read_line(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return tuple(value.split())
    return ()


def cpu_caches() -> dict[str, str]:
    """Return the size of each cache of the first CPU, by its level."""
    caches = {}
    for index in sorted((_CPU / "cpu0/cache").glob("index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(read_line(index / "type"), "")
        caches[f"L{read_line(index / 'level')}{kind}"] = read_line(index / "size")
    return caches


def read_line(path: Path) -> str:
    """Return the content of a file of the kernel; empty if it is not there."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
