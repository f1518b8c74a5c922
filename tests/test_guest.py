"""A guest of our own on KVM: what the kernel says it has written is what it was told to write."""

import contextlib
import ctypes
import errno
import functools
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.base.errors import BadInput
from harness.kernel.cases import bitmap_words, cases, to_bools, to_words
from harness.kernel.guest import Guest, exit_in_words, load_guest_library, make_memory, running
from harness.kernel.method import METHODS, ORIGINAL, Method, find_methods, obstacle
from harness.kernel.replay import difference, full_map
from harness.native.build import GUEST, build_guest
from harness.native.toolchain import default_toolchain
from tests.conftest import once, store
from tests.fuzz import fuzz
from tests.needs import needs
from workloads.captured import captured_trace
from workloads.conditions import CONDITIONS, DEFAULT_CONDITIONS, find_condition
from workloads.guest import GuestMemory
from workloads.random_runs import RandomRuns, draw_map, random_pages, write_random_runs
from workloads.recorded import recorded_trace
from workloads.synthesis import make_recipe, synthesize
from workloads.trace import Trace, open_trace
from workloads.writes import representative, written

WHY = obstacle(ORIGINAL)
needs_kvm = pytest.mark.skipif(bool(WHY), reason=f"needs /dev/kvm ({WHY})")
METHOD_NAMES = [each.name for each in METHODS]


@functools.cache
def library() -> ctypes.CDLL:
    return load_guest_library(build_guest(default_toolchain()).path)


@contextlib.contextmanager
def guest_of(name: str, pages: int) -> Iterator[Guest]:
    """Yield a guest that is tracked from now on, or skip where this host cannot do so."""
    (found,) = find_methods([name])
    if why := obstacle(found):
        pytest.skip(f"needs /dev/kvm ({why})")
    with running(library(), found, make_memory(library(), pages), pages) as guest:
        try:
            guest.start()
        except BadInput as error:
            if not found.in_process:
                raise
            pytest.skip(f"needs PAGEMAP_SCAN ({error})")
        if found.starts_full:
            at_first = np.zeros_like(full_map(pages))
            guest.sync(at_first)
            assert difference(at_first, full_map(pages)) == ""
        yield guest


def assert_says(guest: Guest, words: NDArray[np.uint64]) -> None:
    """Let a guest write a map, and compare with it what the kernel says, bit by bit."""
    found = np.full_like(words, 2**64 - 1)
    guest.write(words)
    guest.sync(found)
    assert (found == words).all(), difference(found, words)


def synthetic(factory: pytest.TempPathFactory, name: str) -> Path:
    def make(folder: Path) -> None:
        recipe = make_recipe(find_condition(name), GuestMemory())
        synthesize(recipe, folder / "made.trace", lambda *_: None)

    return once(factory, f"synthetic-{name}", make) / "made.trace"


def trace_called(factory: pytest.TempPathFactory, origin: str, name: str) -> Trace:
    if origin == "synthetic":
        return open_trace(synthetic(factory, name))
    path = recorded_trace(name) if origin == "recorded" else captured_trace(name)
    assert path
    return open_trace(path)


@needs_kvm
@pytest.mark.parametrize(
    ("origin", "name"),
    [
        *(("recorded", name) for name in DEFAULT_CONDITIONS),
        *(("captured", name) for name in DEFAULT_CONDITIONS),
        *(pytest.param("synthetic", name, marks=pytest.mark.night) for name in CONDITIONS),
    ],
)
def test_every_tick_of_a_trace_comes_out_of_the_dirty_log(
    origin: str, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    trace = trace_called(tmp_path_factory, origin, name)
    ticks = 0
    with guest_of(ORIGINAL.name, trace.source.memory.pages) as guest:
        for bitmap in written(trace):
            assert_says(guest, bitmap_words(bitmap))
            ticks += 1
    assert ticks == len(trace)


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_every_way_of_asking_says_the_same(name: str, tmp_path: Path) -> None:
    """On ticks of real guests, on random maps, and on what is at the edges."""
    pages = GuestMemory().pages
    with guest_of(name, pages) as guest:
        for case in cases([GuestMemory().size], seed=7):
            for words in case.writes:
                assert_says(guest, words)
        for runs in (RandomRuns(0.5, 1), RandomRuns(0.9, 64), random_pages(0.3)):
            trace = write_random_runs(tmp_path / "random.trace", GuestMemory(), runs, 2, 3)
            for bitmap in written(trace):
                assert_says(guest, bitmap_words(bitmap))
        for page in (0, 1, 63, 64, 511, 512, pages - 1):
            alone = np.zeros(pages, np.bool_)
            alone[page] = True
            assert_says(guest, to_words(alone))
        assert_says(guest, np.zeros(pages // 64, np.uint64))
        # More pages than a ring has entries, so that it must be emptied while the guest runs.
        assert_says(guest, full_map(pages))
        assert_says(guest, to_words(draw_map(GuestMemory(), random_pages(0.6), 5)))


@needs_kvm
def test_an_imported_trace_comes_out_of_the_dirty_log(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    trace = store(tmp_path / "imported.trace", list(random.random((20, 3001)) < 0.2))
    with guest_of(ORIGINAL.name, 3001) as guest:
        for bitmap in written(trace):
            assert_says(guest, bitmap_words(bitmap))


@fuzz
@given(name=st.sampled_from(METHOD_NAMES), pages=st.integers(1, 1500), data=st.data())
def test_guests_of_any_size_write_any_pages(name: str, pages: int, data: st.DataObject) -> None:
    with guest_of(name, pages) as guest:
        for _ in range(3):
            chosen = data.draw(st.sets(st.integers(0, pages - 1)))
            assert_says(guest, to_words(np.isin(np.arange(pages), sorted(chosen))))


@needs_kvm
def test_what_is_written_twice_is_said_once_and_nothing_after_the_end() -> None:
    words = to_words(np.arange(640) % 3 == 0)
    with guest_of(ORIGINAL.name, 640) as guest:
        guest.write(words)
        guest.write(words)
        found = np.zeros_like(words)
        guest.sync(found)
        assert (found == words).all()
        guest.sync(found)
        assert not found.any()
        guest.stop()
        guest.write(words)
        with pytest.raises(BadInput, match=r"the kernel does not say what was written \(No such"):
            guest.sync(found)


@needs_kvm
def test_guests_beyond_32_bits_are_written_at_both_ends() -> None:
    pages = 8 * 2**30 // 4096
    ends = np.zeros(pages // 64, np.uint64)
    ends[0], ends[-1] = 1, 1 << 63
    with guest_of(ORIGINAL.name, pages) as guest:
        assert_says(guest, ends)


@needs_kvm
def test_a_vcpu_that_stops_says_why() -> None:
    """It is told to write a page behind its memory, where there is none."""
    with (
        running(library(), ORIGINAL, make_memory(library(), 100), 100) as guest,
        pytest.raises(BadInput) as said,
    ):
        guest.write(np.array([0, 1 << 50], np.uint64))
    assert str(said.value) == (
        "a guest tracked by get cannot be run: its vCPU has stopped: it used memory that it has "
        "not, exit 6."
    )


@needs_kvm
@needs("gcc")
def test_guests_leave_nothing_behind_and_touch_nothing_else(tmp_path: Path) -> None:
    """Under AddressSanitizer and UndefinedBehaviorSanitizer, with a ring that runs over too."""
    program = tmp_path / "guests"
    sanitized = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    sources = [str(source) for source in (Path(__file__).parent / "guest.c", *GUEST)]
    strict = ("-O1", "-g1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{GUEST[0].parent}")
    command = ["gcc", *strict, *sanitized, *sources, "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode and "san" in built.stderr:
        pytest.skip("needs gcc's sanitizers (Debian: libasan8, libubsan1)")
    assert built.returncode == 0, built.stderr
    able = [each.name for each in METHODS if not each.in_process and not obstacle(each)]
    done = subprocess.run([program, *able], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("reason", "detail", "words"),
    [
        (8, 0, "it shut down (a triple fault), exit 8"),
        (9, 0x80000021, "the CPU refused to enter it (reason 0x80000021), exit 9"),
        (17, 1, "an error inside KVM (number 1; 1 is an instruction that it cannot emulate), "
         "exit 17"),
        (4711, 0, "for a reason that is not known here, exit 4711"),
    ],
)  # fmt: skip
def test_exits_are_said_in_words(reason: int, detail: int, words: str) -> None:
    assert exit_in_words(reason, detail) == words


@needs_kvm
def test_words_that_are_of_another_guest_are_no_map() -> None:
    guest = Guest.__new__(Guest)
    guest._library, guest._pages, guest._guest = library(), 128, 0
    for wrong in (np.zeros(3, np.uint64), np.zeros(2, np.int64)):
        with pytest.raises(ValueError, match="words must be uint64, one for each 64 pages"):
            guest.write(wrong)  # type: ignore[arg-type]


def on_x86(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def test_a_host_without_kvm_is_said_with_what_helps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_x86(monkeypatch)
    device = tmp_path / "kvm"
    assert obstacle(ORIGINAL, str(device)) == (
        f"there is no {device}; load KVM's module (modprobe kvm_intel, or kvm_amd), and where this "
        "is a virtual machine have nested virtualization enabled"
    )
    device.write_text("")
    assert f"{device} is not KVM (Inappropriate" in obstacle(ORIGINAL, str(device))

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    assert obstacle(ORIGINAL, str(device)) == (
        f"{device} cannot be opened (Permission denied); join the group that it is of ('sudo "
        "usermod -aG kvm $USER', and log in again)"
    )


@pytest.mark.parametrize(
    ("name", "answers", "lacks"),
    [
        ("get", {}, ""),
        ("clear", {168: 0}, "has no KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2; Linux 5.2 has it"),
        ("clear", {168: 1}, ""),
        ("initially_set", {168: 1}, "has no KVM_DIRTY_LOG_INITIALLY_SET; Linux 5.7 has it"),
        ("initially_set", {168: 3}, ""),
        ("ring", {192: 0, 223: 0}, "has no KVM_CAP_DIRTY_LOG_RING; Linux 5.11 has it"),
        ("ring", {192: 65536, 223: 0}, ""),
        ("ring", {192: 0, 223: 65536}, ""),
    ],
)
def test_what_a_kernel_lacks_is_named_with_the_one_that_has_it(
    name: str,
    answers: dict[int, int],
    lacks: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    on_x86(monkeypatch)
    # Asked for its version, KVM gives that of every Linux for 20 years.
    monkeypatch.setattr("fcntl.ioctl", lambda _, __, number=None: answers.get(number, 12))
    (tmp_path / "kvm").write_text("")
    said = obstacle(find_methods([name])[0], str(tmp_path / "kvm"))
    assert said.endswith(lacks)
    assert bool(said) == bool(lacks)


@pytest.mark.parametrize("each", METHODS, ids=METHOD_NAMES)
def test_another_architecture_is_said(each: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert obstacle(each) == "the guest's code is for x86_64, and this is aarch64"


def test_ways_of_asking_that_are_not_known() -> None:
    assert find_methods([]) == METHODS
    assert [one.name for one in find_methods(["ring", "get", "ring"])] == ["ring", "get"]
    with pytest.raises(BadInput, match="'pml' is no way of asking the kernel; choose from get, "):
        find_methods(["pml"])


@given(pages=st.integers(1, 300), data=st.data())
def test_a_difference_names_a_page_that_differs(pages: int, data: st.DataObject) -> None:
    right, found = (
        np.array(data.draw(st.lists(st.booleans(), min_size=pages, max_size=pages)))
        for _ in range(2)
    )
    assert (to_bools(to_words(right), pages) == right).all()
    said = difference(to_words(found), to_words(right))
    wrong = np.flatnonzero(found != right)
    assert bool(said) == bool(len(wrong))
    if said:
        state = "dirty" if found[wrong[0]] else "clean"
        assert said == f"gives page {wrong[0]} as {state} where it is not"
    assert to_bools(full_map(pages), pages).all()
    assert np.bitwise_count(full_map(pages)).sum() == pages


@given(st.data())
def test_what_became_dirty_leads_from_each_snapshot_to_the_next(data: st.DataObject) -> None:
    """It is what is dirty now and was not before, so no page of it was; and nothing is missing."""
    count, pages = data.draw(st.integers(1, 6)), data.draw(st.integers(8, 100))
    seed = data.draw(st.integers(0, 2**32))
    snapshots = np.random.default_rng(seed).random((count, pages)) < 0.4
    bitmaps = [np.packbits(snapshot, bitorder="little") for snapshot in snapshots]

    class Made:
        def bitmaps(self) -> list[NDArray[np.uint8]]:
            return bitmaps

    before = np.zeros(pages, np.bool_)
    found = list(written(Made()))  # type: ignore[arg-type]
    assert len(found) == count
    for snapshot, bitmap in zip(snapshots, found, strict=True):
        new = np.unpackbits(bitmap, count=pages, bitorder="little").astype(np.bool_)
        assert not (new & before).any()
        assert ((before | new) & snapshot == snapshot).all()
        assert (snapshot | ~new).all()
        before = snapshot


@given(pages=st.lists(st.integers(0, 100_000), min_size=1, max_size=700), count=st.integers(1, 40))
def test_representative_ticks_stand_for_all_in_the_mean(pages: list[int], count: int) -> None:
    chosen = representative(pages, count)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(count, len(pages))
    # Each stands for a part of them in their order, so it is off by a part's span at most.
    mean = np.mean([pages[place] for place in chosen])
    parts = np.array_split(np.sort(pages), len(chosen))
    uneven = np.ptp(pages) / max(1, len(pages) // len(chosen)) if len(pages) % len(chosen) else 0
    span = sum(np.ptp(part) for part in parts) / len(chosen)
    assert abs(mean - np.mean(pages)) <= span + uneven + 1e-9
