"""The process of an errand: the ordinary command, in a folder of the host's own."""

import contextlib
import io
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import Self

from harness.base.files import replacing, write_text
from harness.base.processes import describe_status, module_command, module_environment
from harness.cluster.archive import pack
from harness.cluster.errand import RESULT, STOPPED, Errand, Outcome
from harness.cluster.state import forget_old, run_folder
from harness.measurement.run_folder import RunFolder
from harness.measurement.samples_folder import is_of_process
from harness.results.result import SPEEDUPS
from harness.trial.failure import read_failures

_COMPLAINT = "dirtyscan: "
_READ_WITHIN = 5.0  # seconds for its last words; what it has left behind may hold the pipe open
_PATIENCE = 60.0  # seconds that an interrupted command may take to keep what it has


class CommandProcess:
    """A command of ours that runs in a process of its own (a context manager)."""

    def __init__(
        self, errand: Errand, lock: int, cpus: set[int], environment: Mapping[str, str]
    ) -> None:
        """Prepare it; ``lock`` is held by the process too, which runs on ``cpus``.

        Raises:
            BadInput: the folder of the run cannot be made.
        """
        forget_old()
        self._errand = errand
        self._lock = lock
        self._cpus = cpus
        self._environment = environment
        self._folder = run_folder(errand.run)
        self._result = self._folder / RESULT
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._complaint: list[str] = []
        self._interrupted = False

    def done_before(self) -> Outcome | None:
        """Return what came of it, if it was done already and only not fetched."""
        marker = self._folder / "status"
        if marker.exists():
            return self._with_results(int(marker.read_text(encoding="utf-8")))
        unfinished = RunFolder(self._result).unfinished.exists()
        if self._errand.module == "bench" and not unfinished and (self._result / SPEEDUPS).exists():
            # It was ended after all of its results were written, while it showed them.
            failed = read_failures(RunFolder(self._result).finished_samples.failures)
            return self._with_results(1 if failed else 0)
        return None

    def __enter__(self) -> Self:
        for name, data in self._errand.files.items():
            with replacing(self._folder / "files" / name) as file:
                file.write(data)
        (self._folder / "files").mkdir(exist_ok=True)
        resume = self._can_be_resumed()
        command = self._folder / "command.json"
        write_text(command, self._errand.command(self._result, resume, sorted(self._cpus)))
        # A session of its own: what is typed where the worker was started is not meant for it.
        self._process = subprocess.Popen(
            module_command("harness.on_host", str(os.getpid()), str(command)),
            cwd=self._folder / "files",
            env=module_environment(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[self._lock],
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def has_ended(self, seconds: float) -> bool:
        """Wait for at most ``seconds``, and return whether the command has ended and was heard."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self._listener.join(_READ_WITHIN)
        return True

    def interrupt(self) -> None:
        """Have it end, and keep what it has."""
        if self._interrupted:
            return
        self._interrupted = True
        self._process.send_signal(signal.SIGINT)
        threading.Timer(_PATIENCE, self._process.kill).start()

    def new_lines(self) -> list[str]:
        """Return what it has said since this was asked last, but for why it failed."""
        lines = []
        with contextlib.suppress(queue.Empty):
            while True:
                lines.append(self._lines.get_nowait())
        return lines

    def finished(self) -> int:
        """Return how many measuring processes of it are finished and kept."""
        # By os.walk, which takes it as it comes that folders go while it walks.
        found = [name for _, _, names in os.walk(self._result) for name in names]
        return sum(map(is_of_process, found))

    def outcome(self) -> Outcome:
        """Return what became of it, once it has ended."""
        status = self._process.wait()
        if status in (0, 1):
            write_text(self._folder / "status", str(status))
            return self._with_results(status)
        if self._interrupted:
            return Outcome(STOPPED, "it was stopped", resumable=True)
        if self._complaint:
            said = "\n".join(self._complaint).removeprefix(_COMPLAINT)
            return Outcome(status, said, resumable=self.finished() > 0)
        how = f"the command ended with {describe_status(status)}"
        return Outcome(status, f"{how}; what it had finished is kept", resumable=True)

    def _with_results(self, status: int) -> Outcome:
        return Outcome(status, "", pack(self._result))

    def _can_be_resumed(self) -> bool:
        """Return whether there is a plan to go on with; without one the folder is made anew."""
        folder = RunFolder(self._result)
        if folder.plan.exists() or folder.is_written():
            return True
        shutil.rmtree(folder.unfinished, ignore_errors=True)
        return False

    def _listen(self) -> None:
        pipe = self._process.stderr
        assert pipe
        with io.TextIOWrapper(pipe, encoding="utf-8", errors="replace") as lines:
            for text in map(str.rstrip, lines):
                if text.startswith(_COMPLAINT):
                    self._complaint = [text]
                elif self._complaint and text.startswith(" "):  # what a compiler has said, say
                    self._complaint.append(text)
                elif text:
                    self._lines.put(text)
