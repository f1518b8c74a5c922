"""Imported traces, from files whose maps are known."""

import errno
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.base.errors import BadInput
from harness.cli import main
from tests.conftest import Run
from tests.test_stream import CONFIGURATION, HEADER, MEM_SIZE, name, page, part, start, stream, word
from workloads.guest import GuestMemory
from workloads.importers.kvm_log import import_kvm_log, memory_of_logs
from workloads.importers.page_list import import_page_list
from workloads.importers.stream import import_stream
from workloads.inputs import trace_name
from workloads.trace import Trace, open_trace

MEMORY = GuestMemory(100 * 4096)


def maps(trace: Trace) -> list[list[int]]:
    trace.verify()
    pages = trace.source.memory.pages
    return [
        np.flatnonzero(np.unpackbits(bitmap, count=pages, bitorder="little")).tolist()
        for bitmap in trace.bitmaps()
    ]


def test_a_saved_stream(tmp_path: Path) -> None:
    """All 64 pages, then pages 10 to 19, at a rate of 20 pages a tick."""
    first = page(0, "pc.ram") + b"".join(page(n) for n in range(1, 64))
    saved = tmp_path / "saved"
    saved.write_bytes(stream(part(first), part(b"".join(map(page, range(10, 20))), kind=3)))
    trace = import_stream(saved, tmp_path / "t", "mine", bandwidth=20 * 4104 * 10)
    assert trace.source.origin == "imported"
    assert trace.source.memory.pages == 64
    everything = list(range(64))
    assert maps(trace) == [everything[20:], everything[40:], everything[60:], []]
    assert trace.ticks_ms == (100, 200, 300, 400)


def test_a_kvm_log_in_one_file_or_in_many(tmp_path: Path) -> None:
    words = np.zeros((3, 2), dtype="<u8")
    words[0] = [1 << 63 | 1, 1]  # pages 0, 63 and 64
    words[2] = [0, 1 << 35]  # page 99, the last of 100
    expected = [[0, 63, 64], [], [99]]
    one = tmp_path / "log"
    one.write_bytes(words.tobytes())
    assert maps(import_kvm_log([one], tmp_path / "t1", "a", MEMORY, 50)) == expected
    many = []
    for number, log in enumerate(words):
        many.append(tmp_path / f"log{number}")
        many[-1].write_bytes(log.tobytes())
    trace = import_kvm_log(many, tmp_path / "t2", "a", MEMORY, 50)
    assert maps(trace) == expected
    assert trace.ticks_ms == (50, 100, 150)


def test_a_kvm_log_of_another_guest_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(bytes(17))
    with pytest.raises(BadInput, match="is 17 bytes long, and a dirty log of 100 pages is 16"):
        import_kvm_log([log], tmp_path / "t", "a", MEMORY, 100)
    log.write_bytes(b"\xff" * 16)
    with pytest.raises(BadInput, match="a page dirty that is not in guest memory"):
        import_kvm_log([log], tmp_path / "t", "a", MEMORY, 100)
    assert not (tmp_path / "t").exists()


def test_the_files_of_a_kvm_log_say_how_large_the_guest_is(dirtyscan: Run, tmp_path: Path) -> None:
    """The logs of 1 GiB are as long as two of 512 MiB, which nobody has spoken of."""
    for tick in range(1, 4):
        (tmp_path / f"g1-{tick}.bin").write_bytes(bytes(16384) + bytes([tick]) * 16384)
    command = ("trace", "import", "kvm-log", *(f"g1-{tick}.bin" for tick in range(1, 4)))
    done = dirtyscan(*command, "--name", "g1")
    assert done.returncode == 0, done.stderr
    assert "3 snapshots, 16384 to 32768 dirty pages" in done.stdout
    assert "  each file holds one log of a guest of 1GiB\n" in done.stdout
    trace = open_trace(tmp_path / "traces/g1.trace")
    assert trace.source.memory == GuestMemory(2**30)
    assert [found[0] for found in maps(trace)] == [131072, 131073, 131072]
    halves = dirtyscan(*command, "--name", "halves", "--guest-memory", "512MiB")
    assert halves.returncode == 0, halves.stderr
    assert "6 snapshots, 0 to 32768 dirty pages" in halves.stdout
    assert "  each file holds 2 logs of a guest of 512MiB\n" in halves.stdout
    large = dirtyscan(*command, "--page-size", "64KiB")
    assert "each file holds one log of a guest of 16GiB" in large.stdout


def test_files_that_do_not_say_how_large_the_guest_is_are_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for sizes, says in (
        ((17, 17), "is 17 bytes long, and a dirty log is in words of 8; give the files as"),
        ((16, 32), f"{first} and the others are of different lengths, as the logs of different"),
        ((0, 0), f"{first} is empty, and no dirty log is; save it again"),
        ((2**29, 2**29), rf"{first}: guest memory of 16TiB is 4294967296 pages; give between"),
    ):
        for path, size in zip((first, second), sizes, strict=True):
            with path.open("wb") as file:
                file.truncate(size)
        with pytest.raises(BadInput, match=says):
            memory_of_logs([first, second], 4096)


def test_a_page_list(tmp_path: Path) -> None:
    text = tmp_path / "pages.txt"
    text.write_text("# all numbers are pages\n1 2 0x10\n\n5-8, 3  # a range\n99\n")
    trace = import_page_list(text, tmp_path / "t", "a", MEMORY, 100)
    assert maps(trace) == [[1, 2, 16], [], [3, 5, 6, 7, 8], [99]]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1 two", "line 2: 'two' is not a page number"),
        ("100", "line 2: '100' is not in a guest of 100 pages"),
        ("8-5", "line 2: '8-5' is a range from its end to its start; turn it round"),
        ("-1", "line 2: '-1' is not a page number"),
        ("01" * 2500, r"line 2: '0101[01]+\.\.\.' is not a page number"),
        ("0x" + "f" * 5000, r"line 2: '0xff[f]+\.\.\.' is not a page number"),
        ("٣", "line 2: '٣' is not a page number"),
        (
            "0x12000",
            "give the right --guest-memory, or, if these are addresses, divide them by 4096",
        ),
        ("0x12000-0x13fff", "if these are addresses, divide them by 4096"),
        ("73729", "give the right --guest-memory\\.$"),
    ],
)
def test_a_page_list_that_is_wrong_is_refused(line: str, says: str, tmp_path: Path) -> None:
    text = tmp_path / "pages.txt"
    text.write_text(f"1\n{line}\n")
    with pytest.raises(BadInput, match=says):
        import_page_list(text, tmp_path / "t", "a", MEMORY, 100)


def test_a_page_list_does_not_say_how_large_its_guest_is(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "pages.txt").write_text("1 2 3\n")
    done = dirtyscan("trace", "import", "page-list", "pages.txt")
    assert done.returncode == 2
    assert "does not say how much memory its guest has; give --guest-memory, for" in done.stderr
    assert not (tmp_path / "traces").exists()


SHORT = page(0, "pc.ram") + b"".join(page(n) for n in range(1, 40))


def test_a_bandwidth_that_no_migration_has_is_refused(tmp_path: Path) -> None:
    """Below a page a tick there would be a tick a byte; and Python refuses to write the largest."""
    saved = tmp_path / "saved"
    saved.write_bytes(stream(part(SHORT, kind=3)))
    says = "--bandwidth must be from 41040B, a page a tick, to 1TiB a second"
    for bandwidth in (-1, 0, 1, 41039, 2**40 + 1, 10**4400):
        with pytest.raises(BadInput, match=says):
            import_stream(saved, tmp_path / "t", "a", bandwidth)
    for at_least in (41040, 2**40):
        trace = import_stream(saved, tmp_path / "t", "a", at_least)
    assert maps(trace) == [[]]


def test_a_stream_without_memory_is_refused(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.write_bytes(HEADER + CONFIGURATION + start(b"") + part(b"", kind=3))
    with pytest.raises(BadInput, match="no RAM block was announced"):
        import_stream(saved, tmp_path / "t", "a", 2**25)
    one = word(4096, MEM_SIZE) + name("tiny") + struct.pack(">Q", 4096)
    saved.write_bytes(HEADER + CONFIGURATION + start(one) + part(b"", kind=3))
    with pytest.raises(
        BadInput, match=f"{saved}, RAM block 'tiny': guest memory of 4KiB is 1 pages"
    ):
        import_stream(saved, tmp_path / "t", "a", 2**25)


def test_rounds_are_not_compared_with_all_that_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round of an imported stream has sent all of its pages, so the next need not be searched."""
    saved = tmp_path / "saved"
    saved.write_bytes(
        stream(part(page(63, "pc.ram") + b"".join(map(page, reversed(range(63)))), kind=3))
    )
    expected = maps(import_stream(saved, tmp_path / "t", "a", 20 * 41040))
    assert expected == [[43], [23], [3], []]  # each page is a round, in which only it is dirty
    monkeypatch.setattr("workloads.capture.rounds.np.isin", None)
    assert maps(import_stream(saved, tmp_path / "t", "a", 20 * 41040)) == expected


def test_what_cannot_be_read_is_not_called_an_output(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    folder = tmp_path / "folder"
    folder.mkdir()
    gone = tmp_path / "gone"
    log = tmp_path / "log"
    log.write_bytes(bytes(16))
    for path, why in ((pipe, "it is a pipe"), (folder, "Is a directory"), (gone, "No such file")):
        says = rf"{path} cannot be read \({why}"
        with pytest.raises(BadInput, match=says):
            import_kvm_log([log, path], tmp_path / "t", "a", MEMORY, 100)
        if path is not pipe:
            with pytest.raises(BadInput, match=says):
                import_stream(path, tmp_path / "t", "a", 2**25)
            with pytest.raises(BadInput, match=says):
                import_page_list(path, tmp_path / "t", "a", MEMORY, 100)


def test_an_input_that_breaks_while_it_is_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output is open then, and is not to blame; nor does it appear."""
    log = tmp_path / "log"
    log.write_bytes(bytes(32))
    opened = Path.open

    def break_off(path: Path, *arguments: Any) -> Any:
        if path == log:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", break_off)
    with pytest.raises(BadInput, match=rf"{log} cannot be read \(Permission denied\)"):
        import_kvm_log([log], tmp_path / "t", "a", MEMORY, 100)
    monkeypatch.undo()
    monkeypatch.setattr("workloads.importers.kvm_log.file_size", lambda _: 48)
    log.write_bytes(bytes(40))
    with pytest.raises(BadInput, match=f"{log} became shorter while it was read"):
        import_kvm_log([log], tmp_path / "t", "a", MEMORY, 100)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_an_interval_that_nobody_waited_is_refused(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.write_text("1\n")
    for interval in (0, -1, 86_400_001, 10**4400):
        with pytest.raises(BadInput, match="--interval must be from 1 to 86400000 ms"):
            import_page_list(pages, tmp_path / "t", "a", MEMORY, interval)


@pytest.mark.parametrize("wanted", ["", "x" * 201, "a\nb", "\x1b[31m", "caf\udce9", "a/b", "\0"])
def test_a_name_that_cannot_be_shown_is_refused(wanted: str, tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"--name .* cannot be used; give 1 to 200 characters"
    ) as found:
        trace_name(wanted, tmp_path)
    assert str(found.value).isprintable()


@pytest.mark.parametrize(
    ("path", "called"),
    [
        ("a/log.bin", "log"),
        ("caf\udce9.txt", "caf\ufffd"),
        ("a\x1b[1m.txt", "a\ufffd[1m"),
        ("x" * 250, "x" * 200),
        ("/", "imported"),
    ],
)
def test_a_trace_is_called_as_its_file_as_far_as_that_can_be_shown(path: str, called: str) -> None:
    assert trace_name(None, Path(path)) == called
    assert trace_name("vm[prod] ü", Path(path)) == "vm[prod] ü"


def test_a_file_name_that_is_not_text(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pages = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.txt"))
    pages.write_text("1 2\n")
    output = ["--output", str(tmp_path), "--guest-memory", "1MiB"]
    assert main(["trace", "import", "page-list", str(pages), *output]) == 0
    trace = open_trace(tmp_path / "caf\ufffd.trace")
    assert trace.source.name == "caf\ufffd"
    assert trace.source.parameters["file"]["value"] == "caf\ufffd.txt"
    for wanted in ("", "x" * 100_000):
        assert main(["trace", "import", "page-list", str(pages), "--name", wanted, *output]) == 2
        assert "--name" in capfd.readouterr().err


def test_names_are_not_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = tmp_path / "pages"
    pages.write_text("1 2\n")
    options = ["--guest-memory", "1MiB", "--name", "[b]vm", "--output", str(tmp_path / "a[/b]")]
    assert main(["trace", "import", "page-list", str(pages), *options]) == 0
    assert f"{tmp_path}/a[/b]/[b]vm.trace" in capsys.readouterr().out


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    saved = tmp_path / "saved"
    saved.write_bytes(stream(part(SHORT, kind=3)))
    import_stream(saved, tmp_path / "t", "a", 41040, lambda *step: told.append(step))
    assert told == [("reading", 1, 1), *(("ticks", tick, 40) for tick in range(1, 41))]


@pytest.mark.usefixtures("short_runs")
def test_the_command(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "pages.txt").write_text("1 2 3\n4-40\n")
    made = dirtyscan("trace", "import", "page-list", "pages.txt", "--guest-memory", "1MiB")
    assert made.returncode == 0, made.stderr
    info = dirtyscan("trace", "info", "traces/pages.trace")
    assert "origin" in info.stdout
    assert "3 to 37 dirty pages" in info.stdout
    bench = dirtyscan("bench", "--trace", "traces/pages.trace", "--precision", "50%")
    assert bench.returncode == 0, bench.stderr
    assert "pages imported" in bench.stdout
    other = dirtyscan("trace", "import", "stream", "pages.txt")
    assert other.returncode == 2
    assert "does not begin with QEVM" in other.stderr
