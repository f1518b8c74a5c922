"""The folder of the samples: what measuring processes leave to the run and to each other."""

import dataclasses
import re
from pathlib import Path

_PROCESS = re.compile(r"process-(\d+)\.zip")


def is_of_process(name: str) -> bool:
    """Return whether a file called ``name`` has the samples of a process that is finished."""
    return bool(_PROCESS.fullmatch(name))


@dataclasses.dataclass(frozen=True)
class SamplesFolder:
    """Where everything lies that processes have measured."""

    path: Path

    @property
    def place(self) -> Path:
        """The file in which a measuring process keeps where it is."""
        return self.path / "place"

    @property
    def ending(self) -> Path:
        """Where a measuring process leaves its last words."""
        return self.path / "ending.json"

    @property
    def failures(self) -> Path:
        """Where the variants are written down that went astray."""
        return self.path / "failures.json"

    def process(self, index: int) -> Path:
        """Return where process ``index`` puts its samples."""
        return self.path / f"process-{index:04d}.zip"

    def processes(self) -> list[int]:
        """Return the indices of the processes whose samples are there."""
        names = (_PROCESS.fullmatch(path.name) for path in self.path.glob("*"))
        return sorted(int(name[1]) for name in names if name)
