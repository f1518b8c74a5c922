"""Imports of mapped-ram, diff snapshots, CRIU's pagemaps, and logs by slot."""

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.cli import main
from tests.conftest import Run
from tests.fuzz import fuzz
from tests.needs import needs
from tests.qemus import NEW
from tests.test_importers import MEMORY, maps
from tests.test_real_streams import RAM, save
from workloads.importers.criu import import_pagemaps
from workloads.importers.diff_snapshot import import_diff_snapshots
from workloads.importers.kvm_log import import_kvm_log
from workloads.importers.kvm_slots import import_kvm_slots, parse_slot
from workloads.importers.mapped_ram import import_mapped_ram
from workloads.trace import open_trace


def log(pages: int, *dirty: int) -> bytes:
    bits = np.zeros(-(-pages // 64) * 64, dtype=np.uint8)
    bits[list(dirty)] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def test_files_with_numbers_are_taken_in_their_order(tmp_path: Path) -> None:
    """A shell gives log-10 before log-2."""
    paths = []
    for number in range(1, 13):
        paths.append(tmp_path / f"log-{number}.bin")
        paths[-1].write_bytes(log(100, 8 + number))
    trace = import_kvm_log(sorted(paths), tmp_path / "t", "a", MEMORY, 100)
    assert maps(trace) == [[8 + number] for number in range(1, 13)]
    names = ", ".join(f"log-{number}.bin" for number in range(1, 13))
    assert trace.source.parameters["files"]["value"] == names
    # Names that say nothing of an order are taken as they were given.
    for name, page in (("late", 1), ("early", 2)):
        (tmp_path / name).write_bytes(log(100, page))
    given = [tmp_path / "late", tmp_path / "early"]
    assert maps(import_kvm_log(given, tmp_path / "t", "a", MEMORY, 100)) == [[1], [2]]


def test_logs_of_different_lengths_are_slots(tmp_path: Path) -> None:
    (tmp_path / "slot0.bin").write_bytes(bytes(98304))
    (tmp_path / "slot1.bin").write_bytes(bytes(32768))
    paths = [tmp_path / "slot0.bin", tmp_path / "slot1.bin"]
    with pytest.raises(BadInput, match=r"different memory slots are; give each with .* --slot"):
        import_kvm_log(paths, tmp_path / "t", "a", MEMORY, 100)


def test_logs_by_slot_are_one_guest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A guest whose second slot is given first, with ticks in numbered files."""
    for tick in (9, 10):
        (tmp_path / f"high-{tick}").write_bytes(log(64, tick))
        (tmp_path / f"low-{tick}").write_bytes(log(160, 150 + tick - 9))
    slots = ["--slot", f"0x100000000={tmp_path}/high-*", "--slot", f"0+640KiB={tmp_path}/low-*"]
    output = ["--output", str(tmp_path), "--name", "vm"]
    assert main(["trace", "import", "kvm-log", *slots, *output]) == 0
    assert "memory slots: 0x0 (640KiB), 0x100000000 (256KiB)\n" in capsys.readouterr().out
    trace = open_trace(tmp_path / "vm.trace")
    assert trace.source.memory.pages == 224
    assert maps(trace) == [[150, 169], [151, 170]]


def test_how_many_logs_the_files_of_a_slot_hold_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "low").write_bytes(log(64, 1) + log(64, 2) + log(64, 3))
    for number, logs in ((1, log(64, 4)), (2, log(64, 5) + log(64, 6))):
        (tmp_path / f"high-{number}").write_bytes(logs)
    slots = [f"0+256KiB={tmp_path}/low", f"0x100000+256KiB={tmp_path}/high-*"]
    output = ["--output", str(tmp_path), "--name", "vm"]
    options = [word for slot in slots for word in ("--slot", slot)]
    assert main(["trace", "import", "kvm-log", *options, *output]) == 0
    said = "memory slots: 0x0 (256KiB, 3 logs in 1 file), 0x100000 (256KiB, 3 logs in 2 files)\n"
    assert said in capsys.readouterr().out
    assert maps(open_trace(tmp_path / "vm.trace")) == [[1, 68], [2, 69], [3, 70]]


@pytest.mark.parametrize(
    ("slots", "says"),
    [
        (["x=a"], "--slot 'x=a' is not ADDRESS=FILE nor"),
        (["0=nothing-*"], "has no file; check the pattern"),
        (["0=gone"], "gone cannot be read"),
        (["0+100=a"], "cannot have 100 bytes; give a multiple of the page size"),
        (["0=a", "0x10000=a"], "the slots at 0x0 and 0x10000 overlap"),
        (["0=a", "0x100000+256KiB=b"], r"different numbers of logs \(1 at 0x0, 2 at 0x100000\)"),
        (["0+252KiB=c", "0x100000=a"], "c has a page dirty that is not in its slot"),
        (["0=odd"], "odd is 7 bytes long"),
        (["0=[ab]"], "b is 16 bytes long, and a dirty log of the slot at 0x0 is 8, in words of 8"),
    ],
)
def test_slots_that_are_wrong_are_refused(
    slots: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_bytes(log(64, 40))
    Path("b").write_bytes(log(64) * 2)
    Path("c").write_bytes(log(64, 63))
    Path("odd").write_bytes(bytes(7))
    with pytest.raises(BadInput, match=says):
        import_kvm_slots([parse_slot(slot) for slot in slots], Path("t"), "a", 4096, 100)
    assert not Path("t").exists()


def sparse(path: Path, pages: int, *there: int) -> None:
    with path.open("wb") as file:
        file.truncate(pages * 4096)
        for page in there:
            file.seek(page * 4096)
            file.write(b"x" * 4096)


def test_diff_snapshots_are_their_files_extents(tmp_path: Path) -> None:
    sparse(tmp_path / "mem-2", 300, 0, 7, 8, 299)
    sparse(tmp_path / "mem-10", 300)
    sparse(tmp_path / "mem-1", 300, *range(300))
    paths = [tmp_path / f"mem-{n}" for n in (1, 10, 2)]
    trace = import_diff_snapshots(paths, tmp_path / "t", "a", 4096, 100)
    assert maps(trace) == [list(range(300)), [0, 7, 8, 299], []]
    with pytest.raises(BadInput, match="has no hole, so that nothing says which pages"):
        import_diff_snapshots(paths[:1], tmp_path / "t", "a", 4096, 100)
    sparse(tmp_path / "mem-3", 301)
    with pytest.raises(BadInput, match="are of different lengths, so they are not of one guest"):
        import_diff_snapshots([*paths, tmp_path / "mem-3"], tmp_path / "t", "a", 4096, 100)


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(**fields: int) -> bytes:
    numbers = {"vaddr": 1, "compat_nr_pages": 2, "in_parent": 3, "flags": 4, "nr_pages": 5}
    body = b"".join(varint(numbers[k] << 3) + varint(v) for k, v in fields.items())
    return struct.pack("<I", len(body)) + body


HEAD = struct.pack("<II", 0x54564319, 0x56084025) + struct.pack("<I", 2) + b"\x08\x01"
BASE = 0x7F0000000000
FIRST = HEAD + message(vaddr=BASE, compat_nr_pages=100) + message(vaddr=0x1000, compat_nr_pages=4)
SECOND = (
    HEAD
    + message(vaddr=0x1000, compat_nr_pages=4, in_parent=1)
    + message(vaddr=BASE, compat_nr_pages=10, flags=1, nr_pages=10)
    + message(vaddr=BASE + 10 * 4096, compat_nr_pages=5, flags=4, nr_pages=5)
    + message(vaddr=BASE + 15 * 4096, compat_nr_pages=85, flags=1)
)


def test_pagemaps_of_criu(tmp_path: Path) -> None:
    paths = []
    for number, data in ((2, SECOND), (1, FIRST)):
        paths.append(tmp_path / str(number) / "pagemap-42.img")
        paths[-1].parent.mkdir()
        paths[-1].write_bytes(data)
    trace = import_pagemaps(paths, tmp_path / "t", "a", 4096, 100)
    assert trace.source.memory.pages == 104
    assert maps(trace) == [list(range(104)), list(range(14, 19))]
    assert trace.source.parameters["ranges"]["value"] == "0x1000 (16KiB), 0x7f0000000000 (400KiB)"


@needs("crit")
def test_pagemaps_are_read_as_criu_wrote_them(tmp_path: Path) -> None:
    """What CRIU's own encoder makes of a pagemap in its JSON."""
    (tmp_path / "p.json").write_text(
        '{"magic": "PAGEMAP", "entries": [{"pages_id": 1}, {"vaddr": "0x7f0000000000", '
        '"nr_pages": 70, "flags": "PE_PRESENT"}, {"vaddr": "0x7f0000046000", "nr_pages": 300, '
        '"flags": "PE_PARENT"}]}'
    )
    with (tmp_path / "p.json").open("rb") as source, (tmp_path / "p.img").open("wb") as image:
        done = subprocess.run(["crit", "encode"], stdin=source, stdout=image, check=False)
    if done.returncode:
        pytest.skip("this crit does not encode pagemaps")
    trace = import_pagemaps([tmp_path / "p.img"], tmp_path / "t", "a", 4096, 100)
    assert trace.source.memory.pages == 370
    assert maps(trace) == [list(range(70))]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is no pagemap image of CRIU"),
        (bytes(20), "is no pagemap image of CRIU"),
        (HEAD + b"\x09\x00\x00\x00x", r"is broken in record 1 \(it is cut short\)"),
        (HEAD + message(vaddr=5, compat_nr_pages=1), "pages of another size"),
        (HEAD + message(vaddr=4096), "a range of no pages"),
        (HEAD + struct.pack("<I", 2) + b"\x0a\x00", "field 1 is no number"),
        (HEAD, "guest memory of 0 bytes"),
    ],
)
def test_pagemaps_that_are_none_are_refused(data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(data)
    with pytest.raises(BadInput, match=says):
        import_pagemaps([tmp_path / "p"], tmp_path / "t", "a", 4096, 100)


@needs(NEW)
def test_mapped_ram_of_a_real_qemu(tmp_path: Path) -> None:
    """Two files of one guest, of which a page was written between; with its own monitor."""
    path, counters = save(
        NEW, (*RAM, "-device", "VGA"), tmp_path, "mapped-ram", uri=f"file:{tmp_path}/saved"
    )
    trace = import_mapped_ram([path], tmp_path / "t", "a", 100)
    assert trace.source.memory.pages == 32768
    assert trace.source.parameters["blocks"]["value"] == "pc.ram (128MiB)"
    assert "vga.vram" in trace.source.parameters["blocks_left_out"]["value"]
    # Whole pages are those of all blocks, in memory and in what is left out.
    assert 0 <= trace.remaining[0] <= counters["normal"]
    changed = tmp_path / "saved-2"
    shutil.copy(path, changed)
    path = path.rename(tmp_path / "saved-1")
    whole = maps(trace)[0]
    if whole:
        data = path.read_bytes()
        page = whole[0]
        place = data.index(b"pc.ram") + 6 + 8
        _, _, _, pages = struct.unpack_from(">IQQQ", data, place)
        with changed.open("r+b") as file:
            file.seek(pages + page * 4096 + 9)
            file.write(bytes([data[pages + page * 4096 + 9] ^ 1]))
    both = import_mapped_ram([path, changed], tmp_path / "t", "a", 100)
    assert maps(both) == [whole, whole[:1]]


def mapped(*present: int, pages: int = 100, blocks: str = "pc.ram") -> bytes:
    """A file of mapped-ram with pages of x."""
    head = struct.pack(">II", 0x5145564D, 3) + b"\x07" + struct.pack(">I", 1) + b"m"
    head += b"\x05\x1aconfiguration/capabilities" + struct.pack(">II", 1, 1) + b"\x0amapped-ram"
    head += b"\x01" + struct.pack(">I", 2) + b"\x03ram" + struct.pack(">II", 0, 4)
    head += struct.pack(">Q", pages * 4096 | 4) + bytes([len(blocks)]) + blocks.encode()
    head += struct.pack(">Q", pages * 4096) + struct.pack(">IQQQ", 1, 4096, 4096, 8192)
    data = bytearray(8192 + pages * 4096)
    data[: len(head)] = head
    data[4096 : 4096 + len(log(pages))] = log(pages, *present)
    for page in present:
        data[8192 + page * 4096 : 8192 + page * 4096 + 4096] = b"x" * 4096
    return bytes(data)


def far(bitmap: int = 4096, data: int = 8192) -> bytes:
    """The same, said to have its bitmap and its pages somewhere else."""
    places = struct.pack(">QQ", 4096, 8192)
    return mapped(1).replace(places, struct.pack(">QQ", bitmap, data), 1)


def test_what_changed_between_files_of_mapped_ram(tmp_path: Path) -> None:
    first, second = tmp_path / "s-1", tmp_path / "s-2"
    first.write_bytes(mapped(1, 2, 3, 70))
    data = bytearray(mapped(2, 3, 70, 99))
    data[8192 + 70 * 4096 + 4095] = 0
    second.write_bytes(data)
    trace = import_mapped_ram([second, first], tmp_path / "t", "a", 100)
    assert maps(trace) == [[1, 2, 3, 70], [1, 70, 99]]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", r"is no file of mapped-ram \(it ends too early\)"),
        (b"GIF89a--", "it has no header of QEMU's migration"),
        (mapped(1)[:4100], "is cut short"),
        (far(bitmap=2**63 + 4096), "a RAM block 'pc.ram' that lies beyond the end of any file"),
        (far(data=2**63 - 4096), "a RAM block 'pc.ram' that lies beyond the end of any file"),
        (far(data=2**64 - 4096), "a RAM block 'pc.ram' that lies beyond the end of any file"),
        (far(bitmap=2**62), "is cut short"),
        (mapped(1, blocks="vga.vram"), "no RAM block of the guest is in the stream"),
        (mapped(1).replace(b"\x03ram", b"\x03rom"), "a section 'rom' before that of ram"),
    ],
)
def test_files_that_are_no_mapped_ram_are_refused(data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(BadInput, match=says):
        import_mapped_ram([tmp_path / "m"], tmp_path / "t", "a", 100)


def test_files_of_two_guests_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m1").write_bytes(mapped(1))
    (tmp_path / "m2").write_bytes(mapped(1, pages=90))
    with pytest.raises(BadInput, match="has other RAM blocks than"):
        import_mapped_ram([tmp_path / "m1", tmp_path / "m2"], tmp_path / "t", "a", 100)


@fuzz
@given(st.data())
def test_any_file_is_imported_or_refused(data: st.DataObject) -> None:
    make: Callable[[Path, Path], object]
    whole, make = data.draw(
        st.sampled_from(
            (
                (mapped(1, 2)[:8300], lambda s, t: import_mapped_ram([s], t, "a", 100)),
                (mapped(1, 2), lambda s, t: import_mapped_ram([s], t, "a", 100)),
                (SECOND, lambda s, t: import_pagemaps([s], t, "a", 4096, 100)),
            )
        )
    )
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        changed[data.draw(st.integers(0, min(len(changed), 300) - 1))] = data.draw(
            st.integers(0, 255)
        )
    cut = data.draw(st.integers(0, len(changed)) | st.just(len(changed)))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.write_bytes(changed[:cut])
        try:
            make(source, Path(folder) / "target")
        except BadInput as error:
            said = str(error)
        else:
            return
    assert said.endswith(".")
    assert "\n" not in said


def test_what_is_missing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "import", "kvm-log"]) == 2
    assert "a kvm-log to import is missing; name its file." in capsys.readouterr().err
    assert main(["trace", "import", "kvm-log", "b", "--slot", "0=a"]) == 2
    assert "--slot gives the files of a kvm-log" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "option", "kinds"),
    [
        ("stream", ("--guest-memory", "1GiB"), "kvm-log and page-list"),
        ("diff-snapshot", ("--guest-memory", "1GiB"), "kvm-log and page-list"),
        ("mapped-ram", ("--page-size", "4KiB"), "kvm-log, page-list, diff-snapshot and criu"),
        ("stream", ("--interval", "100"), "page-list, mapped-ram, diff-snapshot and criu"),
        ("criu", ("--bandwidth", "1MiB"), "stream"),
        ("page-list", ("--block", "pc.ram"), "stream and mapped-ram"),
        ("stream", ("--slot", "0=a"), "kvm-log"),
    ],
)
def test_an_option_of_another_kind_is_refused(
    dirtyscan: Run, kind: str, option: tuple[str, str], kinds: str
) -> None:
    done = dirtyscan("trace", "import", kind, "file", *option)
    assert done.returncode == 2
    assert done.stderr.startswith(f"dirtyscan: {option[0]} is of ")
    assert f"{kinds}, and no {kind} takes it; leave it out." in done.stderr


def test_slots_say_where_memory_lies(dirtyscan: Run) -> None:
    done = dirtyscan("trace", "import", "kvm-log", "--slot", "0=a", "--guest-memory", "1GiB")
    assert done.returncode == 2
    assert "--slot says where memory lies" in done.stderr
