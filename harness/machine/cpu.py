"""The CPU: its name, what it can do, and its caches."""

import functools
import platform
import re
from pathlib import Path

_CPU = Path("/sys/devices/system/cpu")


def cpu_model() -> str:
    """Return the name of the CPU as Linux gives it."""
    return (
        _told("model name", "Hardware", "cpu model") or platform.processor() or platform.machine()
    )


def cpu_generation() -> str:
    """Return the numbers that its maker gives the CPU's design; empty if it has none.

    A hypervisor's name for CPUs, such as "AMD EPYC", stands for several designs.
    """
    family, model = _told("cpu family"), _told("model")
    return f"family {family}, model {model}" if family and model else ""


def cpu_stepping() -> str:
    """Return the number of the revision of its design; empty if it does not say."""
    return _told("stepping")


def cpu_microcode() -> str:
    """Return the version of its microcode, which an update changes; empty if it does not say."""
    return _told("microcode")


def cpu_slug() -> str:
    """Return the CPU in small letters, digits and hyphens, for a folder: its name and design."""
    plain = re.sub(r"\((R|TM|C)\)", " ", cpu_model(), flags=re.IGNORECASE)
    numbers = re.findall(r"\d+", cpu_generation())
    return re.sub(r"[^a-z0-9]+", "-", " ".join([plain.lower(), *numbers])).strip("-")


def _told(*names: str) -> str:
    """Return what /proc/cpuinfo says of the first CPU under the first of these names it has."""
    for line in read_line(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return ""


@functools.cache
def cpu_flags() -> tuple[str, ...]:
    """Return what the CPU can do, in the words of /proc/cpuinfo."""
    return tuple(_told("flags", "Features").split())


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
