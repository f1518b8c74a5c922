"""What a captured guest does."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

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
    return Workload(path.stem, None, {"workload": "command"}, command=path)
