"""Many hosts: every one measures once, and whatever dies, nothing that was finished is lost."""

import dataclasses
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("distributed", reason="needs distributed")

from distributed import Client

from harness import __version__
from harness.base.errors import BadInput
from harness.cluster.archive import pack, unpack
from harness.cluster.errand import Errand
from harness.cluster.facts import inspect_host
from harness.cluster.hosts import muster
from harness.cluster.identity import GIVEN, host_lock
from harness.cluster.process import CommandProcess
from harness.cluster.settings import SETTINGS, cpus_apart, without_dask
from harness.commands.doctor import _print_engine
from harness.doctor.engine import Agreement, Ratio, _speedups
from harness.presentation.console import console
from tests.clusters import BENCH, BRIEF, LocalCluster, local_cluster
from tests.conftest import Run, store, wait_until

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


def check_nothing_is_lost(cluster: LocalCluster, kept: dict[str, bytes]) -> None:
    """Check that the results hold what had been measured, each process once."""
    for name in ("a", "b"):
        folder = cluster.folder / "o" / name / "samples"
        here = {path.name: path.read_bytes() for path in folder.glob("process-*.zip")}
        machine = record(cluster)["hosts"][name]["machine"]
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


def test_all_that_a_host_complains_of_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a compiler has said stands in lines of its own, and may be read after the end."""
    complaint = "mine.c does not compile with cc-era:\n    mine.c:1: one\n    two"
    said = f"preparing\ndirtyscan: {complaint}\n"
    script = f"import sys; sys.stderr.write({said!r}); sys.exit(2)"
    command = [sys.executable, "-c", script]
    monkeypatch.setattr("harness.cluster.process.module_command", lambda *_: command)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with (tmp_path / "lock").open("w") as lock:
        errand = Errand("a-run", "bench", {}, {})
        with CommandProcess(errand, lock.fileno(), {0}, os.environ) as process:
            wait_until(lambda: process.has_ended(0.1))
            assert process.new_lines() == ["preparing"]
            outcome = process.outcome()
    assert (outcome.status, outcome.said) == (2, complaint)


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


FACTS: dict[str, Any] = {
    "name": "a", "identity": "1", "pretended": False, "architecture": "x86_64", "cpu": "One",
    "cpus": 2, "versions": {"dirtyscan": __version__, "numpy": "2.0", "cc": "gcc 12"},
    "obstacle": "",
}  # fmt: skip


def facts(**changed: Any) -> dict[str, Any]:
    return {**FACTS, **changed}


def test_who_takes_part() -> None:
    others = {
        "old": facts(name="old", identity="2", versions={"dirtyscan": "0.1"}),
        "none": ModuleNotFoundError("No module named 'harness'"),
        "mute": TimeoutError(),
        "arm": facts(name="arm", identity="3", architecture="aarch64"),
        "bare": facts(name="bare", identity="4", obstacle="there is no C compiler here; ..."),
        "twin": facts(name="twin"),
        "broken": facts(name="broken", cpus="many"),
        "good": facts(identity="5", versions={**FACTS["versions"], "numpy": "2.1"}),
        "third": facts(name="c", identity="6"),
    }
    found = muster(dict.fromkeys(["a", *others], 1), {"a": facts(), **others})
    assert [host.name for host in found.hosts] == ["a-a", "a-good", "c"]
    assert found.differences == ("numpy differs: 2.0 on a-a, c; 2.1 on a-good",)
    left_out = {name: re.split(r"[;(]", why)[0].strip() for name, why in found.left_out.items()}
    assert left_out == {
        "old": f"it has dirtyscan 0.1 and this is {__version__}",
        "none": f"its worker has no dirtyscan {__version__}",
        "mute": "it does not answer",
        "arm": "it is aarch64, and the others are x86_64",
        "bare": "there is no C compiler here",
        "twin": "its workers a and twin are on one machine, where only one measures at a time",
        "broken": "what it says of itself cannot be read",
    }  # fmt: skip


def test_names_of_hosts_are_harmless_folders() -> None:
    names = ["../x", "..", "a/b", "", ".hidden", "é"]
    given = {str(n): facts(name=name, identity=str(n)) for n, name in enumerate(names)}
    found = muster(dict.fromkeys(given, 1), given)
    assert len({host.name for host in found.hosts}) == len(names)
    for host in found.hosts:
        assert Path(host.name).name == host.name
        assert not host.name.startswith(".")


def test_this_machine_is_one_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(GIVEN, raising=False)
    here = inspect_host()
    command = "from harness.cluster.facts import inspect_host; print(inspect_host()['identity'])"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.stdout.strip() == here["identity"]
    assert not here["pretended"]


def test_a_host_without_room_or_folder_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1 << 20))
    assert "has 1 MiB free and needs 256; make room there" in inspect_host()["obstacle"]
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert "runs cannot be kept" in inspect_host()["obstacle"]


def test_what_a_nanny_sets_is_taken_out() -> None:
    import dask
    from distributed.nanny import Nanny  # noqa: F401 (loads the defaults)

    set_by_default = dask.config.get("distributed.nanny.pre-spawn-environ")
    theirs = dict.fromkeys(set_by_default, "1") | {"DASK_X": "1", "MORE": "1"}
    assert theirs.keys() >= {"MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS"}
    assert without_dask({**theirs, "HOME": "/h"}, {"MORE": 1}) == {"HOME": "/h"}


def test_the_worker_has_a_cpu_of_its_own_where_there_are_two() -> None:
    assert cpus_apart({3}) == ({3}, {3})
    assert cpus_apart({1, 2, 5}) == ({1}, {2, 5})


def test_the_settings_are_ones_that_dask_has_and_that_the_example_sets() -> None:
    import dask
    import distributed  # noqa: F401 (loads the defaults)

    for name in SETTINGS:
        dask.config.get(name)
    path = Path(__file__).parents[1] / "docs/examples/dask.yaml"
    (written,) = dask.config.collect_yaml([str(path)])
    assert {name: dask.config.get(name, config=written) for name in SETTINGS} == SETTINGS


def test_results_travel_whole(tmp_path: Path) -> None:
    made = tmp_path / "made"
    (made / "plots").mkdir(parents=True)
    (made / "plots/a.png").write_bytes(b"\0\1")
    (made / "speedups.csv").write_text("x", encoding="utf-8")
    (made / "unfinished/samples").mkdir(parents=True)
    (made / "unfinished/samples/process-0001.zip").touch()
    (made / ".lock").touch()
    (tmp_path / "got").mkdir()
    (tmp_path / "got/old").touch()
    unpack(pack(made), tmp_path / "got")
    assert sorted(str(p.relative_to(tmp_path / "got")) for p in (tmp_path / "got").rglob("*")) == [
        "plots", "plots/a.png", "speedups.csv",
    ]  # fmt: skip
    assert (tmp_path / "got/plots/a.png").read_bytes() == b"\0\1"


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "link"])
def test_a_hostile_archive_is_refused(tmp_path: Path, name: str) -> None:
    import io
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(member, io.BytesIO())
    (tmp_path / "deep").mkdir()
    with pytest.raises(BadInput, match=r"are damaged .* is no file of a result"):
        unpack(packed.getvalue(), tmp_path / "deep/got")
    assert [path.name for path in tmp_path.rglob("*")] == ["deep"]
    with pytest.raises(BadInput, match="are damaged"):
        unpack(b"no archive", tmp_path / "deep/got")


COLLATE = """
import resource, sys
from pathlib import Path
from harness.cluster.collation import agreement_table, collate
folder = Path(sys.argv[1])
rows = collate(folder, [f"h{n}" for n in range(50)], "speedups.csv")
table = agreement_table(rows, "speedups.csv")
print(len(rows), len(table.lines), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_fifty_hosts_are_collated_in_little_memory(tmp_path: Path) -> None:
    whole = Path(__file__).parents[1] / "results/amd-epyc-26-2-variants"
    for number in range(50):
        shutil.copytree(whole, tmp_path / f"h{number}", ignore=shutil.ignore_patterns("plots"))
    done = subprocess.run(
        [sys.executable, "-c", COLLATE, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows, lines, kilobytes = map(int, done.stdout.split())
    assert rows == 50 * len(pd.read_csv(whole / "speedups.csv"))
    assert lines == rows / 50
    assert kilobytes < 500 * 1024


def test_ratios_agree_only_as_far_as_the_runs_can_say() -> None:
    def agreement(*apart: float) -> Agreement:
        """Of runs that alone gave anything, and with the engine so much more."""
        alone = tuple(2.0 + number for number in range(len(apart)))
        return Ratio("x", 1, alone, tuple(np.multiply(alone, np.add(1, apart)))).agreement

    assert agreement(0.001, 0.002, 0.001, 0.002, 0.001, 0.002) is Agreement.AGREE
    assert agreement(0.01, 0.02, 0.01, 0.02, 0.01, 0.02) is Agreement.DIFFER
    assert agreement(-0.01, -0.02, -0.01, -0.02, -0.01, -0.02) is Agreement.DIFFER
    # On the average they are alike, and any of them is further away than what is let pass.
    assert agreement(0.02, -0.02, 0.02, -0.02, 0.02, -0.02) is Agreement.UNDECIDED
    assert agreement(0.004, 0.006, 0.004, 0.006, 0.004, 0.006) is Agreement.UNDECIDED
    assert agreement(0.0) is Agreement.UNDECIDED


def test_a_run_with_several_workers_is_one_run() -> None:
    """What the workers of a run have in common is seen once, however many they are."""
    one = Ratio("x", 1, (2.0, 2.0, 4.0), (2.02, 1.99, 4.04)).apart
    three = Ratio("x", 3, (2.0, 2.0, 4.0), (2.02,) * 3 + (1.99,) * 3 + (4.04,) * 3).apart
    assert dataclasses.astuple(three) == pytest.approx(dataclasses.astuple(one))


def test_one_run_among_many_decides_nothing_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Beside a neighbour it gave 7.6 among thirty of 6.5, and the mean went another way."""
    status = _print_engine(console(), [Ratio("x", 1, (2.0,) * 30, (*(2.0,) * 29, 7.6))])
    assert capsys.readouterr().out == (
        "x: 2.0000 without the engine and 2.0000 with it, +0.00% (+0.00% to +0.00%) over 30 runs "
        "of each: they agree within 0.5%\n"
    )
    assert status == 0


@pytest.mark.parametrize(
    ("result", "taken"), [("amd-epyc-25-1", "quiet_speedup"), ("amd-epyc-26-2", "speedup")]
)
def test_beside_a_neighbour_the_other_rounds_are_compared(
    result: str, taken: str, tmp_path: Path
) -> None:
    """A neighbour that comes and goes is not taken for the engine."""
    rows = pd.read_csv(Path(__file__).parents[1] / "results" / result / "speedups.csv")
    rows = rows[(rows["condition"] == "cond1") & (rows["origin"] == "synthetic")]
    rows.to_csv(tmp_path / "speedups.csv", index=False)
    assert len(rows) == 2
    assert _speedups(tmp_path) == dict(zip(rows["variant"], rows[taken], strict=True))


HELD = """
import sys, time
from pathlib import Path
from harness.cluster.local import local_workers
with local_workers(Path(sys.argv[1])) as address:
    print(address, flush=True)
    time.sleep(600)
"""


def answers(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_what_is_started_here_is_ready_and_ends_with_us(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HELD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as doctor:
        assert doctor.stdout
        address = doctor.stdout.readline().strip()
        with Client(address, set_as_default=False) as client:
            assert len(client.nthreads()) == 1
            (process,) = client.run(os.getpid).values()
        doctor.kill()
    host, port = address.removeprefix("tcp://").split(":")
    wait_until(lambda: not answers(host, int(port)))
    wait_until(lambda: not Path(f"/proc/{process}").exists())


def test_the_doctor_compares_with_a_worker(
    tmp_path: Path, dirtyscan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they agree is a matter of this machine; that both are measured is not."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("PYTHONPATH", BRIEF)
    trace = store(tmp_path / "small.trace", [np.arange(640) % 7 < n for n in range(1, 7)])
    bench = ("bench", "--trace", str(trace.path), "--precision", "90%", "--budget", "500")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # with a lock of its own
    monkeypatch.setattr("harness.doctor.engine._BENCH", bench)
    done = dirtyscan("doctor", "--engine", "1", "--runs", "kept")
    *lines, kept = done.stdout.splitlines()
    names = [line.partition(":")[0] for line in lines]
    ways = 2 if len(os.sched_getaffinity(0)) > 1 else 1
    assert names == ["multi_page", "page_by_page again"] * ways, done.stderr
    assert all("over 1 run of each" in line for line in lines)
    assert all("with 2 of its workers at once" in line for line in lines[2:])
    assert kept == "runs: kept/runs.csv"
    rows = pd.read_csv(tmp_path / kept.removeprefix("runs: "))
    counts = rows.groupby(["method", "workers"])["speedup"].count().to_dict()
    ways_of_one = {("without the engine", 1): 2, ("with the engine", 1): 2}
    ways_of_two = {("without the engine", 2): 2, ("with the engine", 2): 4}
    assert counts == ways_of_one | (ways_of_two if ways == 2 else {})
    assert all("undecided whether they agree within 0.5%" in line for line in lines)  # of one run
    assert done.returncode == 3
    assert not list((tmp_path / "tmp").glob("dirtyscan-*/"))
