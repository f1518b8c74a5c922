"""What a cluster is made of: who takes part, how results travel, and what many give together."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("distributed", reason="needs distributed")


from harness import __version__
from harness.base.errors import BadInput
from harness.cluster.archive import pack, unpack
from harness.cluster.errand import Errand
from harness.cluster.facts import inspect_host
from harness.cluster.hosts import muster
from harness.cluster.identity import GIVEN
from harness.cluster.process import CommandProcess
from harness.cluster.settings import SETTINGS, cpus_apart, without_dask
from harness.cluster.state import KEPT_DAYS, forget_old, run_folder
from tests.clusters import FACTS
from tests.conftest import wait_until


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


def test_variants_of_another_commit_than_here_are_named() -> None:
    """What is measured are the hosts' own, and the figures would be read as those of this one."""
    there = {"a": facts(versions={**FACTS["versions"], "commit": "0123"})}
    asked = muster({"a": 1}, there, commit="4567").differences
    assert asked == ("commit differs: 0123 on a; 4567 on this machine, which asks",)
    assert muster({"a": 1}, there, commit="0123").differences == ()


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


def start_anew(monkeypatch: pytest.MonkeyPatch, folder: Path, boot: str, machine: str) -> None:
    """Have the host be as after a start of its kernel."""
    for name, text in (("_BOOT", boot), ("_MACHINE", machine)):
        (folder / name).write_text(text)
        monkeypatch.setattr(f"harness.cluster.identity.{name}", folder / name)


@pytest.mark.parametrize("name", ["", "given by hand"])
def test_a_host_finds_what_it_keeps_after_a_restart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv(GIVEN, name)
    start_anew(monkeypatch, tmp_path, "boot 1", "machine")
    kept, before = run_folder("a-run"), inspect_host()
    start_anew(monkeypatch, tmp_path, "boot 2", "machine")
    assert run_folder("a-run") == kept
    after = inspect_host()
    assert after["lasting"] == before["lasting"]
    assert after["identity"] != before["identity"]  # by which two workers are on one machine
    monkeypatch.setattr("platform.node", lambda: "a copy of it")
    assert run_folder("a-run") != kept
    start_anew(monkeypatch, tmp_path, "boot 2", "")  # a container
    here = run_folder("a-run")
    start_anew(monkeypatch, tmp_path, "boot 3", "")
    assert run_folder("a-run") != here


def test_what_nobody_has_come_back_for_is_removed_of_all_hosts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    kept, long_ago = [], time.time() - KEPT_DAYS * 86400 - 60
    for boot in ("1", "2", "3"):
        start_anew(monkeypatch, tmp_path, boot, "")
        os.utime(run_folder("old"), (long_ago, long_ago))
        kept.append(run_folder("new"))
    forget_old()
    assert sorted(tmp_path.glob("dirtyscan/cluster/*/*")) == sorted(kept)


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
