"""A member of the crew: a host at work, and how far it is known to be."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from distributed import Future

from harness.cluster.errand import Outcome
from harness.cluster.hosts import Host


@dataclasses.dataclass
class Member:
    """A host at work."""

    host: Host
    began: float
    heard: float
    future: "Future[Any] | None" = None
    """What comes of it; None before it was asked, and while its worker is gone."""
    lost: float | None = None
    """When its worker was seen to be gone."""
    processes: int = 0
    said: set[str] = dataclasses.field(default_factory=set)
    begun: bool = False
    whole: bool = False
    """Whether it has begun with nothing, and not with what it had kept."""
    stopped: bool = False

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take note of what its worker tells."""
        self.heard = time.monotonic()
        if not self.begun:
            self.begun, self.began = True, self.heard
            self.whole = not message["processes"]
        self.processes = max(self.processes, message["processes"])
        self.stopped = self.stopped or message["ended"]

    def took(self, outcome: Outcome) -> float:
        """Return the seconds that the errand took; 0 if it was not all done now.

        A host may have refused it, or have had some or all of it from before.
        """
        return time.monotonic() - self.began if self.whole and outcome.has_results else 0.0
