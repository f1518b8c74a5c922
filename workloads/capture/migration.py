"""A live migration into our own sink: the stream is decoded as it arrives, and not stored."""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from harness.base.errors import BadInput
from workloads.capture.qemu import Qemu
from workloads.capture.rounds import Poll
from workloads.capture.stream import StreamDecoder
from workloads.capture.stream_parts import PAGE_SIZE

_POLL = 0.02  # seconds between two questions to QEMU
_READ = 2**17  # bytes of the stream at a time, 32 pages: how exactly a tick cuts it
_HURRY = 8  # times the bandwidth, once the time is over
_LAST_PIECE = 30  # seconds that the end of the stream may take once QEMU has completed
_UNLIMITED = 2**50  # bytes/s


@dataclasses.dataclass(frozen=True)
class Limits:
    """The settings of a captured migration."""

    bandwidth: int
    """Bytes a second."""
    max_downtime: int
    """Milliseconds."""
    seconds: float
    """After which it is brought to an end."""


@dataclasses.dataclass(frozen=True)
class Migration:
    """What was seen of a migration."""

    decoder: StreamDecoder
    polls: tuple[Poll, ...]
    final: Poll
    arrivals: tuple[tuple[float, int], ...]
    """(seconds from the start, pages sent until then), ascending."""
    ended: float
    """Seconds from the start until it converged or was brought to an end."""
    converged: bool


class _Sink:
    """Takes the stream in."""

    def __init__(self) -> None:
        self.decoder = StreamDecoder()
        self.arrivals: list[tuple[float, int]] = []
        self.started = 0.0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connection: asyncio.StreamWriter | None = None

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connection = writer
        try:
            while data := await reader.read(_READ):
                self.decoder.feed(data)
                self.arrivals.append((self.now(), len(self.decoder.sent)))
            self.decoder.finish()
        except Exception as error:  # handed to whoever waits
            if not self.finished.cancelled():
                self.finished.set_exception(error)
        else:
            if not self.finished.cancelled():
                self.finished.set_result(None)
        finally:
            writer.close()

    async def wait(self) -> None:
        """Give the stream time to be read to its end, if one has come at all."""
        await asyncio.wait([self.finished], timeout=_LAST_PIECE if self._connection else 0.5)

    async def aclose(self) -> None:
        """Break the connection and say that nobody waits any more, however the stream ends.

        Closing the server would otherwise wait for QEMU, which is ended only after that.
        """
        if self._connection is not None:
            self._connection.transport.abort()
        if not self.finished.cancel() and not self.finished.cancelled():
            self.finished.exception()

    def now(self) -> float:
        return time.monotonic() - self.started


async def migrate_away(
    qemu: Qemu, folder: Path, limits: Limits, report: Callable[[float], None]
) -> Migration:
    """Migrate the guest of ``qemu`` and return what was seen.

    Args:
        folder: where the socket is made.
        report: is told the seconds since the start, now and then.

    Raises:
        BadInput: the migration fails, or its stream cannot be decoded.
    """
    sink = _Sink()
    socket = folder / "migration"
    server = await asyncio.start_unix_server(sink.take, str(socket), limit=_READ)
    async with server, contextlib.aclosing(sink):
        await qemu.execute(
            "migrate-set-parameters",
            **{"max-bandwidth": limits.bandwidth, "downtime-limit": limits.max_downtime},
        )
        sink.started = time.monotonic()
        await qemu.execute("migrate", uri=f"unix:{socket}")
        return await _watch(qemu, sink, limits, report)


async def _watch(
    qemu: Qemu, sink: _Sink, limits: Limits, report: Callable[[float], None]
) -> Migration:
    polls: list[Poll] = []
    ended: float | None = None
    ended_in = 0
    while True:
        answer = await qemu.execute("query-migrate")
        now = sink.now()
        status = answer.get("status")
        if status in ("failed", "cancelled"):
            # That QEMU cannot write any more may be our own doing, which says more.
            await sink.wait()
        if sink.finished.done() and sink.finished.exception():
            sink.finished.result()
        if status in ("failed", "cancelled"):
            raise BadInput(
                f"QEMU's migration {status}: {answer.get('error-desc', 'it gives no reason')}; "
                "capture again."
            )
        qemu.check()
        if "ram" in answer:
            polls.append(_poll(answer["ram"], now))
        if status == "completed":
            break
        if polls and ended is None and now >= limits.seconds:
            ended, ended_in = now, polls[-1].syncs
            # First to the end of the round, so that its map is known to the last page. Faster, but
            # not so fast that many pages are left over within the shortest downtime that there is.
            await _set(qemu, bandwidth=_HURRY * limits.bandwidth, downtime=1)
        if ended is not None and polls[-1].syncs > ended_in:
            await _set(qemu, bandwidth=_UNLIMITED, downtime=2_000_000)
        report(now)
        await asyncio.sleep(_POLL)
    await sink.wait()
    if not sink.finished.done():
        raise BadInput("QEMU has completed its migration, but its stream does not end; try again.")
    sink.finished.result()
    return Migration(
        sink.decoder,
        tuple(polls[:-1]),
        polls[-1],
        tuple(sink.arrivals),
        polls[-1].time if ended is None else ended,
        ended is None,
    )


async def _set(qemu: Qemu, bandwidth: int, downtime: int) -> None:
    await qemu.execute(
        "migrate-set-parameters", **{"max-bandwidth": bandwidth, "downtime-limit": downtime}
    )


def _poll(ram: dict[str, int], now: float) -> Poll:
    return Poll(
        now,
        ram["dirty-sync-count"],
        ram["normal"],
        ram["duplicate"],
        ram["remaining"] // PAGE_SIZE,
    )
