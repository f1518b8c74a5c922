"""Many hosts: every one measures once, and whatever dies, nothing that was finished is lost."""

import json
import os
import random
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("distributed", reason="needs distributed")


from harness.base.errors import BadInput
from harness.cluster.identity import GIVEN, host_lock
from tests.clusters import BENCH, LocalCluster, local_cluster
from tests.conftest import Run, wait_until

# It counts wrong where it is given what a nanny sets, or the CPU of the worker.
WATCHFUL = """
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include "dirtyscan.h"

static int is_apart(void)
{
    cpu_set_t cpus;

    return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && !CPU_ISSET(%d, &cpus);
}

static uint64_t count(const struct dirtyscan_map *map)
{
    uint64_t page, dirty = 0;

    if (getenv("MALLOC_TRIM_THRESHOLD_") || (%d && !is_apart()))
        return 1u << 30;
    for (page = 0; page < map->pages; page++)
        dirty += map->bytes[page] & DIRTYSCAN_MIGRATION_FLAG ? 1 : 0;
    return dirty;
}

const struct dirtyscan_variant dirtyscan_variant = {
    .abi = DIRTYSCAN_ABI,
    .year = 2026,
    .operation = "count",
    .map = "byte map",
    .summary = "counts wrong where a worker of Dask would disturb it",
    .run.count = count,
};
"""

CLAIM = """
[[claim]]
name = "mine"
source = "me"
date = "2026"
operation = "count"
original = "page_by_page"
variant = "multi_page"
density = 0.1
mean_run = 2
guest_memory = "16MiB"
low = 0.1
high = 100
note = ""
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    with local_cluster(tmp_path) as made:
        yield made


@pytest.fixture
def brief_cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    with local_cluster(tmp_path, brief=True) as made:
        yield made


def record(cluster: LocalCluster, folder: str = "o") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((cluster.folder / folder / "cluster.json").read_text())
    return found


def states(cluster: LocalCluster) -> dict[str, str]:
    return {name: host["state"] for name, host in record(cluster)["hosts"].items()}


@pytest.fixture
def cluster_with_nannies(tmp_path: Path) -> Iterator[LocalCluster]:
    def start(cluster: LocalCluster) -> None:
        for name in ("a", "b"):
            cluster.start_worker(name, nanny=True)

    with local_cluster(tmp_path, start, brief=True) as made:
        yield made


def test_every_host_measures_and_its_results_come_back(cluster_with_nannies: LocalCluster) -> None:
    """In processes that have nothing of a nanny's, on other CPUs than the worker's."""
    usable = os.sched_getaffinity(0)
    text = WATCHFUL % (min(usable), len(usable) > 1)
    (cluster_with_nannies.folder / "watchful.c").write_text(text, encoding="utf-8")
    status, said = cluster_with_nannies.ask(
        *BENCH, "watchful.c", "--output", "o", "--plots", "plots"
    )
    assert status == 0, said
    for name in ("a", "b"):
        rows = pd.read_csv(cluster_with_nannies.folder / "o" / name / "speedups.csv")
        assert set(rows["variant"]) == {"watchful", "page_by_page again"}
        assert (cluster_with_nannies.folder / "o" / name / "samples/process-0002.zip").exists()
        assert (cluster_with_nannies.folder / "o" / name / "plots").is_dir()
    joined = pd.read_csv(cluster_with_nannies.folder / "o/hosts.csv")
    assert sorted(joined["host"].unique()) == ["a", "b"]
    assert "watchful" in said
    assert states(cluster_with_nannies) == {"a": "finished", "b": "finished"}
    assert not cluster_with_nannies.samples()  # what has been fetched is not kept there


def test_a_study_and_claims_are_measured_on_every_host(brief_cluster: LocalCluster) -> None:
    status, said = brief_cluster.ask(
        *("study", "size", "--variant", "multi_page", "--budget", "5"),
        *("--guest-memory", "16MiB", "--precision", "90%", "--output", "s"),
    )
    assert status == 0, said
    rows = pd.read_csv(brief_cluster.folder / "s/hosts.csv")
    assert set(rows["host"]) == {"a", "b"}
    assert (brief_cluster.folder / "s/a/size.csv").exists()
    (brief_cluster.folder / "own.toml").write_text(CLAIM, encoding="utf-8")
    status, said = brief_cluster.ask(
        *("claims", "run", "--claims", "own.toml", "--budget", "5"),
        *("--precision", "90%", "--output", "c"),
    )
    assert status == 0, said
    rows = pd.read_csv(brief_cluster.folder / "c/hosts.csv")
    assert list(rows["host"]) == ["a", "b"] or list(rows["host"]) == ["b", "a"]
    assert set(rows["claim"]) == {"mine"}


def test_a_host_that_dies_is_named_and_gone_on_with(cluster: LocalCluster) -> None:
    with cluster.client(*BENCH, "--output", "o") as client:
        wait_until(lambda: sum("process" in name for name in cluster.samples()) >= 4)
        cluster.kill("b")
        kept = cluster.samples()
        said = client.communicate(timeout=600)[0]
    assert client.returncode == 2
    assert "b: its worker is gone" in said
    assert "go on with --resume" in said
    assert states(cluster) == {"a": "finished", "b": "unfinished"}
    assert (cluster.folder / "o/a/speedups.csv").exists()
    before = (cluster.folder / "o/a/speedups.csv").stat().st_mtime_ns
    cluster.start_worker("b")
    cluster.wait_for_workers(2)
    status, said = cluster.ask(*BENCH, "--output", "o", "--resume")
    assert status == 0, said
    assert states(cluster) == {"a": "finished", "b": "finished"}
    assert (cluster.folder / "o/a/speedups.csv").stat().st_mtime_ns == before
    check_nothing_is_lost(cluster, kept)
    status, said = cluster.ask(*BENCH, "--output", "o", "--resume")
    assert status == 2
    assert "there is no unfinished run" in said


def test_two_hosts_that_are_called_alike_measure_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ports their workers have; and then one of them measures alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv(GIVEN, "a-b")
    names = ("a b", "a-b")

    def start(cluster: LocalCluster) -> None:
        for name in names:
            cluster.start_worker(name)

    with local_cluster(tmp_path, start, brief=True) as cluster:
        with host_lock("of somebody"):
            status, said = cluster.ask(*BENCH, "--output", "o")
        assert status == 2, said
        hosts = states(cluster)
        assert sorted(hosts.values()) == ["failed", "finished"]
        for name in names:
            cluster.kill(name)
        cluster.wait_for_no_worker()
        start(cluster)
        cluster.wait_for_workers(2)
        status, said = cluster.ask(*BENCH, "--output", "o", "--resume")
        assert status == 0, said
        assert states(cluster) == dict.fromkeys(hosts, "finished")
        assert set(pd.read_csv(tmp_path / "o/hosts.csv")["host"]) == set(hosts)
        for name in names:
            cluster.kill(name)
        cluster.wait_for_no_worker()
        cluster.start_worker("a b")
        status, said = cluster.ask(*BENCH, "--output", "o")
        assert status == 0, said
        folders = {path.name for path in (tmp_path / "o").iterdir() if path.is_dir()}
        assert set(pd.read_csv(tmp_path / "o/hosts.csv")["host"]) == folders == {"a-b"}


def check_nothing_is_lost(cluster: LocalCluster, kept: dict[str, bytes]) -> None:
    """Check that the results hold what had been measured, each process once."""
    for name in ("a", "b"):
        folder = cluster.folder / "o" / name / "samples"
        here = {path.name: path.read_bytes() for path in folder.glob("process-*.zip")}
        machine = record(cluster)["hosts"][name]["lasting"]
        for key, data in kept.items():
            host, _, process = key.partition("/")
            if host == machine:
                assert here[process] == data
        counts = pd.read_csv(folder.parent / "speedups.csv")["processes"]
        assert set(counts) == {len(here) - 1}  # process 0 calibrates


@pytest.mark.night
def test_nothing_is_lost_whatever_is_killed(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At ten random moments, of one run that is gone on with each time."""
    monkeypatch.setattr(tempfile, "tempdir", str(cluster.folder / "tmp"))
    random_ = random.Random(os.environ.get("PYTEST_SEED", "21"))
    kept: dict[str, bytes] = {}
    bench = [*BENCH, "--output", "o", "--precision", "0.0001%"]
    victims: list[str] = []
    resume: list[str] = []
    for moment in range(10):
        victim = random_.choice(["scheduler", "a", "b", "client"])
        victims.append(victim)
        with cluster.client(*bench, *resume) as client:
            wait_for_another(cluster, client)
            time.sleep(random_.uniform(0, 1.5))
            kept |= cluster.samples()
            assert client.poll() is None, (victims, client.communicate()[0])
            if victim == "client":
                client.kill()
            else:
                cluster.kill(victim)
                client.send_signal(signal.SIGINT)  # rather than to wait for the others
            client.communicate(timeout=600)
        resume = ["--resume"]
        if victim == "scheduler":
            for name in list(cluster.processes):
                cluster.kill(name)
            cluster.start_scheduler()
        for name in ("a", "b"):
            if name not in cluster.processes:
                cluster.start_worker(name)
        cluster.wait_for_workers(2)
        wait_until(lambda: not measuring())
        kept |= cluster.samples()
        assert len(kept) > moment
    status, said = cluster.ask(*bench, "--budget", "1", *resume)
    assert status == 0, said
    check_nothing_is_lost(cluster, kept)


def wait_for_another(cluster: LocalCluster, client: subprocess.Popen[str]) -> None:
    """Wait until another process is finished, or the client has ended."""
    before = len(cluster.samples())
    wait_until(lambda: len(cluster.samples()) > before or client.poll() is not None)


def measuring() -> bool:
    """Return whether a host still measures for somebody who has gone."""
    for name in ("a", "b"):
        os.environ[GIVEN] = name
        try:
            with host_lock("test"):
                pass
        except BadInput:
            return True
        finally:
            del os.environ[GIVEN]
    return False


@pytest.mark.night
def test_an_interrupted_run_is_kept_on_every_host(cluster: LocalCluster) -> None:
    with cluster.client(*BENCH, "--output", "o") as client:
        wait_until(lambda: len(cluster.samples()) >= 4)
        client.send_signal(signal.SIGINT)
        said = client.communicate(timeout=600)[0]
    assert client.returncode == 130
    for name in ("a", "b"):
        assert f"{name}: interrupted; its " in said
    assert states(cluster) == {"a": "unfinished", "b": "unfinished"}
    kept = cluster.samples()
    assert kept
    status, said = cluster.ask(*BENCH, "--output", "o", "--resume")
    assert status == 0, said
    check_nothing_is_lost(cluster, kept)


def test_a_host_that_measures_already_says_for_whom(
    brief_cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(brief_cluster.folder / "tmp"))
    monkeypatch.setenv(GIVEN, "b")
    with host_lock("of somebody"):
        status, said = brief_cluster.ask(*BENCH, "--output", "o")
    assert status == 2
    assert "b: another measurement has this machine (run of somebody of " in said
    assert f"process {os.getpid()}, since " in said
    assert states(brief_cluster) == {"a": "finished", "b": "failed"}
    assert (brief_cluster.folder / "o/a/speedups.csv").exists()


@pytest.mark.parametrize("has_compiled", [False, True], ids=["nothing compiled", "all compiled"])
def test_hosts_that_cannot_measure_are_named_beside_one_that_can(
    tmp_path: Path, has_compiled: bool
) -> None:
    """A full disk, a machine that is here twice, and a worker for several things at once."""

    def start(cluster: LocalCluster) -> None:
        if has_compiled:
            cluster.run_here(*BENCH, "--output", "here")
        cluster.start_worker("sound")
        cluster.start_worker(
            "full", limit=16 * 1024, cache=None if has_compiled else tmp_path / "empty"
        )
        cluster.start_worker("again", given="sound")
        cluster.start_worker("wide", "--nthreads", "2")

    with local_cluster(tmp_path, start, brief=True) as cluster:
        status, said = cluster.ask(*BENCH, "--output", "o")
        assert status == 2
        what = "written" if has_compiled else "kept in .*"
        assert re.search(rf"^dirtyscan: full: .* cannot be {what} \(File too large\)", said, re.M)
        assert "are on one machine, where only one measures at a time" in said
        assert "wide: its worker has 2 threads" in said
        assert states(cluster) == {"sound": "finished", "full": "failed"}
        assert (tmp_path / "o/sound/speedups.csv").exists()
        assert "Traceback" not in said


def test_a_worker_that_is_a_moment_late_takes_part(
    tmp_path: Path, dirtyscan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with local_cluster(tmp_path, lambda cluster: None, brief=True) as cluster:
        with cluster.client(*BENCH, "--output", "o") as client:
            cluster.start_worker("late")
            said = client.communicate(timeout=600)[0]
        assert client.returncode == 0, said
        assert states(cluster) == {"late": "finished"}

    (tmp_path / "none").mkdir()
    with local_cluster(tmp_path / "none", lambda cluster: None) as cluster:
        monkeypatch.setattr("harness.cluster.connection._FIRST", 0.1)
        monkeypatch.chdir(tmp_path)
        done = dirtyscan("bench", "--cluster", cluster.address, "--output", "p")
        assert done.returncode == 2
        assert f"no host at {cluster.address} can measure, of 0 workers; start" in done.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--cluster", "tcp://127.0.0.1:9"], "no scheduler of Dask answers at tcp://127.0.0.1:9"),
        (["--cluster", "nonsense://x"], "no scheduler of Dask answers at nonsense://x"),
        (["--hosts", "a"], "--hosts needs the host of the scheduler and at least one"),
        (["--hosts", "a,b", "--cluster", "c"], "are two ways to name hosts; give one"),
    ],
)
def test_what_is_no_cluster_is_a_sentence(
    dirtyscan: Run, options: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cluster.connection._CONNECT", 1.0)
    done = dirtyscan("bench", *options)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_needed_for_many_hosts_is_named(
    dirtyscan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for command in (["bench"], ["study", "density"], ["claims", "run"], ["gate"]):
        done = dirtyscan(*command, "--cluster", "tcp://127.0.0.1:9")
        assert done.returncode == 2
        assert "needs the package distributed, which is not here; install dirtyscan" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_files_that_hosts_have_not_are_refused(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "dirtyscan.toml").write_text('[variant.mine]\nsources = ["m.c"]\n')
    (tmp_path / "m.c").touch()
    for options, sentence in (
        (["mine"], "variant mine is one of "),
        (["m.c", "--", "-I."], "what stands behind -- (-I.) names files and folders of this"),
        (["none.c"], "variant none.c cannot be read"),
        (["--trace", "none.trace"], "none.trace cannot be read"),
    ):
        done = dirtyscan("bench", *_before_dashes(options, "--cluster", "tcp://127.0.0.1:9"))
        assert done.returncode == 2
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1


def _before_dashes(options: list[str], *more: str) -> list[str]:
    place = options.index("--") if "--" in options else len(options)
    return [*options[:place], *more, *options[place:]]
