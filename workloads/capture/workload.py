"""What a captured guest does."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.descriptions import describe_e_machine
from elftools.elf.elffile import ELFFile

from harness.base.errors import BadInput
from workloads.guest import GuestMemory


@dataclasses.dataclass(frozen=True)
class Workload:
    """What a captured guest does."""

    name: str
    condition: str | None
    options: Mapping[str, int | str]
    """What its init is told; see ``guest.c``."""
    disks: int = 0
    command: Path | None = None


def choose_workload(name: str, memory: GuestMemory) -> Workload:
    """Return the workload of a condition, with the figures of the synthetic one, or of a program.

    Raises:
        BadInput: ``name`` is neither such a condition nor the path of a file.
    """
    region = {"bytes": memory.size // 2, "period": 1000}
    workloads = {
        "cond1": Workload("cond1", "cond1", {"workload": "region", **region, "stride": 1}),
        "cond2": Workload("cond2", "cond2", {"workload": "region", **region, "stride": 2}),
        "cond3": Workload("cond3", "cond3", {"workload": "read"}, disks=1),
        "cond4": Workload("cond4", "cond4", {"workload": "copy"}, disks=2),
    }
    if name in workloads:
        return workloads[name]
    path = Path(name)
    if not path.is_file():
        raise BadInput(
            f"{name!r} cannot be captured; give one of {', '.join(workloads)} or the path of a "
            "static program."
        )
    if why := _obstacle(path):
        raise BadInput(
            f"{name!r} cannot be captured: {why}; give a static program for this machine, as "
            "'cc -static' makes it."
        )
    return Workload(path.stem, None, {"workload": "command"}, command=path)


def _obstacle(program: Path) -> str:
    """Say why a guest that has this file and no other cannot run it; empty if it can."""
    try:
        with program.open("rb") as file:
            elf = ELFFile(file)
            if elf["e_type"] not in ("ET_EXEC", "ET_DYN") or not elf["e_entry"]:
                return "it is no program"
            if elf["e_machine"] != "EM_X86_64":
                return f"it is for another machine ({describe_e_machine(elf['e_machine'])})"
            kinds = {segment["p_type"] for segment in elf.iter_segments()}
            return "it needs libraries, which the guest has not" if "PT_INTERP" in kinds else ""
    except OSError as error:
        return error.strerror or str(error)
    except (ELFError, ValueError):
        return "it is no program"
