"""The connection to a scheduler of Dask: one that runs, or one that is started over SSH."""

import asyncio
import contextlib
import dataclasses
import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import dask
from distributed import Client, SSHCluster

from harness.base.errors import BadInput
from harness.base.text import list_names, shortened
from harness.cluster.facts import inspect_host
from harness.cluster.settings import SETTINGS

_CONNECT = 15.0  # seconds to find a scheduler
_ANSWER = 60.0  # seconds for a worker to look at its host, which starts every compiler once
_WORKERS = 120.0  # seconds for workers to be there that were started over SSH
_FIRST = 15.0  # seconds for a first worker to find a scheduler that runs


class SchedulerGone(Exception):
    """The scheduler does not answer any more."""


@dataclasses.dataclass(frozen=True)
class Where:
    """The cluster that a user means."""

    address: str = ""
    """Of a scheduler that runs."""
    hosts: tuple[str, ...] = ()
    """To be reached over SSH otherwise: that of the scheduler, and those that measure."""
    python: str = ""
    """The path of Python there; as here if empty."""

    def __str__(self) -> str:
        return self.address or f"the scheduler on {self.hosts[0]}"


class Connection:
    """What is asked of a scheduler and its workers."""

    def __init__(self, client: Client, where: Where) -> None:
        self.client = client
        self.where = where

    def workers(self) -> dict[str, int]:
        """Return how many threads each worker has, by its address.

        Raises:
            SchedulerGone: nobody answers.
        """
        try:
            if self.client.status != "running":
                raise SchedulerGone
            return {str(address): int(n) for address, n in self.client.nthreads().items()}
        except (OSError, RuntimeError, ValueError, asyncio.CancelledError):
            raise SchedulerGone from None

    def inspect(self, addresses: Iterable[str]) -> Mapping[str, Any]:
        """Return what :func:`inspect_host` returns on each worker, or how that failed."""

        async def ask(address: str) -> Any:
            asked = self.client._run(inspect_host, workers=[address], on_error="return")
            try:
                return (await asyncio.wait_for(asked, _ANSWER))[address]
            except Exception as error:  # of whatever kind: the host is named with it
                return error

        async def ask_all() -> dict[str, Any]:
            found = await asyncio.gather(*map(ask, addresses))
            return dict(zip(addresses, found, strict=True))

        addresses = list(addresses)
        found: Mapping[str, Any] = self.client.sync(ask_all)
        return found

    def absent(self, facts: Mapping[str, Any]) -> dict[str, str]:
        """Say which hosts over SSH have no worker, or how many, by what they are called.

        Args:
            facts: what :meth:`inspect` has returned of those that have one.
        """
        wanted = self.where.hosts[1:]
        if len(facts) >= len(wanted):
            return {}
        told = [found for found in facts.values() if isinstance(found, dict)]
        there = {_first_part(found.get("name", "")) for found in told}
        missing = [name for name in wanted if _first_part(name) not in there]
        count = len(wanted) - len(facts)
        why = (
            f"after {_WORKERS:g} s; see that any port of {self.where.hosts[0]} can be reached from "
            "there, or start a scheduler and workers by hand and give --cluster."
        )
        if len(missing) == count:
            return dict.fromkeys(missing, f"it has no worker {why}")
        # A host may be called otherwise here than it calls itself.
        return {list_names(wanted): f"{count} of these {len(wanted)} have no worker {why}"}

    def run_quietly(self, function: Callable[[str], None], argument: str, address: str) -> None:
        """Have a worker do something of which nothing depends here."""
        with contextlib.suppress(Exception):
            self.client.run(function, argument, workers=[address], on_error="ignore")


def _first_part(name: str) -> str:
    """Return ``name`` without its domain, which a host may leave out."""
    return str(name).partition(".")[0]


@contextlib.contextmanager
def connected(where: Where) -> Iterator[Connection]:
    """Have a connection to the cluster ``where``.

    Raises:
        BadInput: there is no scheduler, a host cannot be reached; or the scheduler is gone, and
            nobody in the block has taken care of that.
    """
    # What Dask says of its own state is said in our sentences, by host.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack, dask.config.set(SETTINGS):
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # that versions differ is compared by host
        cluster = stack.enter_context(_over_ssh(where)) if where.hosts else None
        client = stack.enter_context(_client(cluster or where.address, where))
        connection = Connection(client, where)
        # Whoever starts a scheduler, a worker and us, one after another, means that worker too.
        wanted, seconds = (len(where.hosts) - 1, _WORKERS) if cluster else (1, _FIRST)
        try:
            _await_workers(connection, wanted, seconds)
            yield connection
        except SchedulerGone:
            raise BadInput(f"{where} does not answer any more; start it again.") from None


@contextlib.contextmanager
def _client(to: Any, where: Where) -> Iterator[Client]:
    try:
        client = Client(to, timeout=_CONNECT, set_as_default=False, name="dirtyscan")
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"no scheduler of Dask answers at {where} ({shortened(str(error))}); start one with "
            "'dask scheduler', or give its address as tcp://HOST:8786."
        ) from None
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            client.close(timeout=5)


@contextlib.contextmanager
def _over_ssh(where: Where) -> Iterator[Any]:
    """Start a scheduler on the first host, and a worker without a nanny on each other one."""
    # Remote processes take over what is set globally, which is not what a block sets.
    before = dict(dask.config.global_config)
    dask.config.update(dask.config.global_config, dask.config.config)
    try:
        cluster = SSHCluster(
            list(where.hosts),
            worker_options={"nthreads": 1, "memory_limit": 0},
            scheduler_options={"port": 0, "dashboard": False},
            worker_class="distributed.Worker",
            remote_python=where.python or None,
        )
    except Exception as error:  # asyncssh's own kinds, those of the network, or Dask's
        raise BadInput(
            f"a host of {', '.join(where.hosts)} cannot be used over SSH ({error}); see that 'ssh "
            "HOST' works without a password, and that dirtyscan is installed there."
        ) from None
    finally:
        dask.config.global_config.clear()
        dask.config.global_config.update(before)
    try:
        yield cluster
    finally:
        with contextlib.suppress(Exception):
            cluster.close(timeout=15)


def _await_workers(connection: Connection, wanted: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while len(connection.workers()) < wanted and time.monotonic() < end:
        time.sleep(0.2)
