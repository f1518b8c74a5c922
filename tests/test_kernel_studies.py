"""The studies of the kernel's part: what is measured, what is made of it, and what is left out."""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.base.errors import BadInput
from harness.claims.claim import read_claims
from harness.claims.settlement import obstacle
from harness.kernel import cases as kernel_cases
from harness.kernel import claimed, measurement, method, replay
from harness.kernel.measurement import Replays, Wanted, measure
from harness.kernel.method import METHODS, ORIGINAL, find_methods
from harness.kernel.parts import COUNTS, PARTS, THEN, answer, cost, saved, ticks
from harness.kernel.replay import Replayed, full_map, read_replayed, write_replayed
from harness.machine.virtualization import host_in_words, read_virtualization
from harness.measurement.tell import quiet
from harness.presentation.tick_parts import draw_tick_parts
from harness.results.environment import read_environment
from harness.studies import kernel as kernel_study
from harness.studies import load_study
from harness.studies.study import where_measured
from harness.studies.sync import MAPS, draw_sync, maps_of
from tests.conftest import Run
from tests.test_guest import needs_kvm
from tests.test_legibility import check
from workloads.guest import GuestMemory
from workloads.random_runs import draw_map

PAGES = 1024


def wanted(names: list[str], **fields: object) -> Wanted:
    maps = np.stack([full_map(PAGES), np.full(PAGES // 64, 5, np.uint64)])
    default = Wanted(find_methods(names), PAGES, maps, 1, budget=1.0, processes=2, rounds=2)
    return dataclasses.replace(default, **fields)  # type: ignore[arg-type]


def replayed(factor: float) -> Replayed:
    """Return what a process may have found: three rounds of two methods on two maps."""
    sync = factor * np.array([[[1.0, 10.0], [2.0, 5.0]]] * 3)
    sync[0] *= 50  # an interrupt, which a median does not see
    alone = factor * np.array([3.0, 4.0])
    return Replayed(sync, 4 * sync, sync, alone, alone, alone, alone, 7, ("", ""))


def test_intervals_come_from_processes_and_ratios_from_turns() -> None:
    processes = tuple(map(replayed, (0.9, 0.95, 1.0, 1.05, 1.1)))
    found = Replays(METHODS[:2], (), processes)
    assert found.typical("sync", 0, [0]).value == pytest.approx(1, rel=0.02)
    assert found.typical("sync", 0, [0, 1]).value == pytest.approx(5.5, rel=0.02)
    assert found.tax(1, [1]).value == pytest.approx(15, rel=0.02)
    assert found.seconds("start", 1).value == pytest.approx(4, rel=0.02)
    assert found.a_page("first", 0) == pytest.approx(3 / 7, rel=0.02)
    # What makes all of a process faster or slower cancels in its ratios.
    for map_, expected in ((0, 0.5), (1, 2.0)):
        speedup = found.speedup(1, [map_])
        assert speedup.value == pytest.approx(expected)
        assert speedup.half_width < 1e-9
    assert found.speedup(1, [0, 1]).value == pytest.approx(11 / 7)
    assert found.start_speedup(1).value == pytest.approx(3 / 4)
    assert 0.05 < found.half_width() < 0.2


def test_a_tax_that_is_nothing_is_no_error() -> None:
    one = replayed(1.0)
    cheap = dataclasses.replace(one, faulting=one.repeated / 2)
    assert Replays(METHODS[:2], (), (cheap, cheap)).tax(0, [0]).value == pytest.approx(1e-9)


def test_what_a_process_found_is_read_as_it_was_written(tmp_path: Path) -> None:
    one = dataclasses.replace(replayed(1.0), failures=("", "clear: it cannot."))
    write_replayed(tmp_path / "0.npz", one)
    again = read_replayed(tmp_path / "0.npz")
    assert again.failures == one.failures
    assert again.prepared == one.prepared
    assert (again.sync == one.sync).all()
    assert (again.start == one.start).all()


@needs_kvm
def test_ways_of_asking_take_turns_in_several_processes() -> None:
    found = measure(wanted(["get", "clear"]), quiet)
    assert [one.name for one in found.methods] == ["get", "clear"]
    assert found.left_out == ()
    assert len(found.processes) >= 2
    for one in found.processes:
        assert one.sync.shape == one.faulting.shape == (2, 2, 2)
        for part in (one.sync, one.faulting, one.repeated, one.start, one.stop, one.first):
            assert np.isfinite(part).all()
            assert (part > 0).all()
        assert one.prepared == PAGES


@needs_kvm
def test_a_way_that_fails_is_left_out_and_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second says that a page is dirty which was not written, as a wrong kernel would."""
    missing = dataclasses.replace(METHODS[3], starts_full=False)  # initially_set, which does
    monkeypatch.setattr(method, "METHODS", (ORIGINAL, missing))
    job = _job_of(wanted(["get", "initially_set"]), monkeypatch)
    found = replay.replay(job, 0)
    assert found.failures == ("", "initially_set gives page 0 as dirty where it is not.")
    assert np.isfinite(found.sync[:, 0]).all()
    assert np.isnan(found.sync[:, 1]).all()


def _job_of(asked: Wanted, monkeypatch: pytest.MonkeyPatch) -> replay.Job:
    """Return the job that would be handed to a process, with files that are still there."""
    jobs: list[replay.Job] = []

    def run(path: Path, _: int, __: Path) -> Replayed:
        job = replay.Job(**json.loads(path.read_text()))
        maps = np.load(job.maps)
        kept = Path(job.library).parent / "maps-of-a-test.npy"
        np.save(kept, maps)
        jobs.append(dataclasses.replace(job, maps=str(kept), methods=tuple(job.methods)))
        raise BadInput("enough")

    monkeypatch.setattr(measurement, "_run", run)
    with pytest.raises(BadInput, match="enough"):
        measure(asked, quiet)
    return jobs[0]


def test_without_any_way_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "obstacle", lambda _: "there is no KVM")
    monkeypatch.setattr(measurement, "build_guest", lambda _: pytest.fail("it is"))
    said = "the kernel can be asked in none of these ways: get: there is no KVM. ring: there is no"
    with pytest.raises(BadInput, match=said):
        measure(wanted(["get", "ring"]), quiet)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os; os.kill(os.getpid(), 9)", "ended with signal SIGKILL (it said nothing)"),
        ("raise SystemExit('no memory')", "ended with status 1 (no memory)"),
        ("pass", "ended with status 0 (it said nothing)"),
    ],
)
@needs_kvm
def test_a_process_that_the_host_ends_is_one_sentence(
    code: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command: Callable[..., list[str]] = lambda *_: [sys.executable, "-c", code]  # noqa: E731
    monkeypatch.setattr(measurement, "module_command", command)
    with pytest.raises(BadInput) as said:
        measure(wanted(["get"]), quiet)
    assert str(said.value) == (
        f"a process with guests {sentence}; if this host is short of memory, give them less."
    )


def test_guests_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Little:
        available = 2**20

    monkeypatch.setattr("psutil.virtual_memory", Little)
    with pytest.raises(BadInput, match=r"guests of 4MiB that write 1024 pages need 4MiB and this "):
        measure(wanted(["get"]), quiet)
    huge = wanted(["get"], pages=2**28)
    with pytest.raises(BadInput, match="1TiB is larger than ours can be; give at most 500GiB"):
        measure(huge, quiet)


def a_tick(seconds: dict[str, float], name: str = "cond1") -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for part, value in seconds.items():
        kinds = COUNTS if part == "count" else ("",)
        rows += [
            {
                "map": name, "guest_memory_bytes": 2**29, "part": part, "kind": kind,
                "variant": f"{part}_{kind}", "seconds": value / 10**number,
                "seconds_low": value, "seconds_high": value, "written_pages": 800.0,
                "nanoseconds_a_page": 3e3, "share_of_tick": 0.01,
                "first_nanoseconds_a_page": 4e3, "touching_nanoseconds_a_page": 6e3,
                "nested": True, "host": "inside a virtual machine, kvm_pvm without EPT or NPT, "
                "Linux 6.18.44-of-somebody",
            }
            for number, kind in enumerate(kinds)
        ]  # fmt: skip
    return rows


def test_the_answer_says_what_a_tick_would_be_without_its_count() -> None:
    parts = dict(zip(PARTS, (60.0, 10.0, 5.0, 20.0, 4.0, 1.0), strict=True))
    found = pd.DataFrame([*a_tick(parts), *a_tick({**parts, "guest": 160.0}, "cond2")])
    assert list(ticks(found).columns) == list(PARTS)
    assert saved(found, THEN).to_dict() == pytest.approx({"cond1": 0.2, "cond2": 0.1})
    assert saved(found, COUNTS[1])["cond1"] == pytest.approx(2 / 82)
    assert answer(found) == (
        "Of what tracking takes in a tick of the recorded guests the count is 10 to 20 % "
        "(count_2010), 1.1 to 2.4 % (count_patch), 0.11 to 0.25 % (count_today), and of the "
        "hypervisor's part, all but the guest's faults, 50 % (count_2010), 9.1 % (count_patch), "
        "0.99 % (count_today): at most, as pages that were dirty already and were written again "
        "are not seen, and sending is not in it."
    )
    assert cost(found) == (
        "A page costs the guest 3 µs when it is written again after a sync; its first write after "
        "the start takes 4 µs, and its first of all, for which memory is found, 6 µs."
    )
    assert cost(found[found["part"] != "guest"]) == ""
    for part in ("count", "guest"):
        lacking = answer(found[found["part"] != part])
        assert lacking.startswith("How much of a tick its count is is not known")


def test_figures_of_a_virtual_machine_are_marked() -> None:
    found = pd.DataFrame(a_tick({"guest": 1.0}))
    marked = where_measured(found)
    assert "inside a virtual machine, kvm_pvm" in marked
    assert marked.endswith("not to be put beside figures of a host that is no virtual machine.")
    assert "put beside" not in where_measured(found.assign(nested=False))


@pytest.mark.parametrize("maps", [1, 4, 9])
def test_the_picture_of_a_tick(maps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["cond1", "cond2", "cond3", "cond4", "0.1%, 512MiB", "1%, 512MiB", "10%, 512MiB",
             "1%, 4GiB", "1%, 128GiB"]  # fmt: skip
    rows: list[dict[str, object]] = []
    for number, name in enumerate(names[:maps]):
        values = (3e-3 * 7**number, 3e-5, 2e-7, 5e-5, 3e-6, 2e-7)
        rows += a_tick(dict(zip(PARTS, values, strict=True)), name)
    check(draw_tick_parts(pd.DataFrame(rows)), monkeypatch)


@pytest.mark.parametrize("count", [1, 3, len(METHODS)])
def test_the_picture_of_syncs(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {
            "variant": method.name, "map": name, "guest_memory_bytes": 2**29, "dirty_pages": 131,
            "seconds": 1e-5 * 3**place * (number + 1), "seconds_low": 0.9e-5 * 3**place,
            "seconds_high": 1.2e-5 * 3**place * (number + 1), "nanoseconds_a_page": 20.0,
            "speedup": 1.0, "speedup_low": 0.9, "speedup_high": 1.1, "original": "get",
            "guest_nanoseconds_a_page": 300.0, "start_seconds_a_gib": 3e-2 / 9**place,
            "stop_seconds_a_gib": 3e-2, "processes": 8, "nested": True,
            "host": "inside a virtual machine, kvm_intel with EPT, Linux 6.8.0-1044-azure",
        }
        for place, method in enumerate(METHODS[:count]) for number, name in enumerate(MAPS)
    ]  # fmt: skip
    check(draw_sync(pd.DataFrame(rows)), monkeypatch)


def test_large_guests_write_no_more_than_they_can() -> None:
    assert maps_of(GuestMemory(2**30)) == MAPS
    large = GuestMemory(64 * 2**30)
    of_large = maps_of(large)
    assert list(of_large) == ["~100 pages", "0.1% random", "1% random"]
    assert 50 < draw_map(large, of_large["~100 pages"], 1).sum() < 150


@needs_kvm
def test_the_study_of_syncs(dirtyscan: Run, tmp_path: Path) -> None:
    ways = ("--variant", "get", "--variant", "clear_chunks", "--variant", "ring")
    done = dirtyscan("study", "sync", "--guest-memory", "8MiB", "--budget", "1", *ways)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines()[:-4])) <= 80
    table = pd.read_csv(tmp_path / "results/sync/sync.csv")
    assert list(dict.fromkeys(table["variant"])) == ["get", "clear_chunks", "ring"]
    assert set(table["map"]) == set(MAPS)
    assert table[table["variant"] == "get"]["speedup"].to_numpy() == pytest.approx(1)
    assert (table["seconds_low"] <= table["seconds"]).all()
    environment = read_environment(tmp_path / "results/sync")
    assert environment["virtualization"]["module"]
    assert set(load_study("sync").exhibit.shown) <= set(table)  # type: ignore[union-attr]
    assert (tmp_path / "plots/sync.png").stat().st_size > 5000


def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_cases, "TICKS", 2)
    monkeypatch.setattr(kernel_cases, "DENSITIES", (0.01,))
    monkeypatch.setattr(kernel_study, "PARTS", ("guest", "sync", "merge", "count"))
    # As short_runs has it for what is measured in user space.
    monkeypatch.setattr(
        kernel_study,
        "measure_guests",
        lambda asked, tell: measure(
            dataclasses.replace(asked, processes=2, precision=np.inf, budget=1e9), tell
        ),
    )


@needs_kvm
@pytest.mark.usefixtures("short_runs")
def test_the_study_of_a_tick(
    dirtyscan: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    brief(monkeypatch)
    sizes = ("--guest-memory", "4MiB", "--guest-memory", "8MiB")
    done = dirtyscan("study", "kernel", *sizes, "--budget", "600")
    assert done.returncode == 0, done.stderr
    assert "Of what tracking takes in a tick of the recorded guests the count is " in done.stdout
    table = pd.read_csv(tmp_path / "results/kernel/kernel.csv")
    assert list(dict.fromkeys(table["map"])) == [
        *("cond1", "cond2", "cond3", "cond4"), "1%, 4MiB", "1%, 8MiB",
    ]  # fmt: skip
    parts = table.groupby("map")["part"].agg(list)
    for found in parts:
        assert found == ["guest", "sync", "merge", "count", "count", "count"]
    assert (table["seconds"] > 0).all()
    assert set(load_study("kernel").exhibit.shown) <= set(table)  # type: ignore[union-attr]
    assert (tmp_path / "plots/kernel.png").stat().st_size > 5000


@pytest.mark.usefixtures("short_runs")
def test_without_kvm_the_study_of_a_tick_goes_on(
    dirtyscan: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that is tracked stands for the guest, where the kernel can do that."""
    brief(monkeypatch)
    why = "there is no /dev/kvm; load KVM's module"
    monkeypatch.setattr(kernel_study, "obstacle", lambda _: why)
    done = dirtyscan("study", "kernel", "--guest-memory", "4MiB", "--budget", "600")
    assert done.returncode == 0, done.stderr
    assert f"left out: a guest on KVM: {why}" in done.stderr
    table = pd.read_csv(tmp_path / "results/kernel/kernel.csv")
    assert {"merge", "count"} <= set(table["part"])
    assert set(table[table["part"] == "sync"]["variant"]) <= {"scan"}
    left_out = read_environment(tmp_path / "results/kernel")["layout"]["left_out"]
    assert left_out[0].startswith("a guest on KVM: there is no /dev/kvm")


def test_a_way_that_is_not_known_is_one_sentence(dirtyscan: Run) -> None:
    done = dirtyscan("study", "sync", "--variant", "pml")
    assert done.returncode == 2
    assert done.stderr == (
        "dirtyscan: 'pml' is no way of asking the kernel; choose from get, clear, clear_chunks, "
        "initially_set, ring, scan.\n"
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "without KVM"),
        ({"kvm/parameters/tdp_mmu": "Y"}, "kvm without EPT or NPT"),
        ({"kvm/x": "", "kvm_intel/parameters/ept": "Y", "kvm_intel/parameters/pml": "Y"},
         "kvm_intel with EPT"),
        ({"kvm/x": "", "kvm_intel/parameters/ept": "N"}, "kvm_intel without EPT or NPT"),
        ({"kvm/x": "", "kvm_amd/parameters/npt": "1"}, "kvm_amd with NPT"),
        ({"kvm/x": "", "kvm_pvm/parameters/stats": "0"}, "kvm_pvm without EPT or NPT"),
    ],
)  # fmt: skip
def test_the_host_is_described_as_its_kernel_does(
    files: dict[str, str], said: str, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{content}\n")
    host = read_virtualization(tmp_path)
    assert said in host_in_words(host)
    assert host["pml"] == files.get("kvm_intel/parameters/pml", "")
    assert ("inside a virtual machine" in host_in_words(host)) == host["nested"]


def claims_file(tmp_path: Path, **changed: str) -> Path:
    """Write a claim that manual protection costs next to nothing, with some fields otherwise."""
    fields = {
        "name": '"mine"', "source": '"me"', "date": '"2026"', "operation": '"sync"',
        "original": '"get"', "variant": '"clear"', "density": "0.1", "guest_memory": '"8MiB"',
        "low": "0.01", "high": "100.0", "note": '""', **changed,
    }  # fmt: skip
    path = tmp_path / "mine.toml"
    lines = "".join(f"{name} = {value}\n" for name, value in fields.items() if value)
    path.write_text(f"[[claim]]\n{lines}")
    return path


@needs_kvm
@pytest.mark.parametrize("operation", ["sync", "start"])
def test_a_claim_on_the_kernel_is_settled_by_guests(
    operation: str, dirtyscan: Run, tmp_path: Path
) -> None:
    path = claims_file(tmp_path, operation=f'"{operation}"')
    done = dirtyscan("claims", "run", "--claims", str(path), "--budget", "1")
    assert done.returncode == 0, done.stderr
    (row,) = pd.read_csv(tmp_path / "results/claims/claims.csv").to_dict("records")
    assert row["verdict"] in ("reproduced", "undecided")
    assert row["speedup"] > 0
    assert row["original_seconds"] > 0
    assert "Linux" in row["toolchain"]
    assert read_environment(tmp_path / "results/claims")["virtualization"]["module"]


@pytest.mark.parametrize("paging", ["shadow", "EPT"])
def test_a_claim_about_hosts_of_a_kind_is_not_decided_by_others(
    paging: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = {**read_virtualization(), "module": "kvm_pvm", "paging": paging}
    monkeypatch.setattr(claimed, "read_virtualization", lambda: host)
    monkeypatch.setattr(claimed, "obstacle", lambda _: "")
    claims = {claim.name: claim for claim in read_claims()}
    assert obstacle(claims["ch-8899-get-clear"]) == ""
    assert obstacle(claims["ch-8899-start"]) == (
        "" if paging == "EPT" else
        "it is about hosts with EPT or NPT, and this one has neither (kvm_pvm keeps page tables of "
        "its own for each guest)"
    )  # fmt: skip
    monkeypatch.setattr(claimed, "obstacle", lambda _: "there is no /dev/kvm")
    assert obstacle(claims["kvm-enable-in-chunks"]) == "get: there is no /dev/kvm"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"variant": '"pml"'}, "'pml' is no way of asking the kernel; choose from get"),
        ({"variant": '"get"'}, "compares get with itself; name another variant."),
        ({"density": "", "guest_memory": "", "conditions": '["cond1"]'},
         "is about the kernel's part; give it a density of random maps."),
        ({"host": '"EPT"'}, "Invalid enum value 'EPT' in host"),
        ({"operation": '"drain"', "original": '"skip_clean"', "variant": '"skip_lines"',
          "host": '"EPT or NPT"'}, "is about a host, and no kernel has a part in it; leave"),
    ],
)  # fmt: skip
def test_a_claim_on_the_kernel_that_is_none_is_one_sentence(
    changed: dict[str, str], sentence: str, dirtyscan: Run, tmp_path: Path
) -> None:
    path = claims_file(tmp_path, **changed)
    done = dirtyscan("claims", "--claims", str(path))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
