"""Which RAM blocks of a stream are the guest's memory, and where their pages lie in it."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import BadInput
from harness.cli import main
from tests.conftest import Run
from tests.test_importers import maps
from tests.test_stream import (
    CONFIGURATION,
    HEADER,
    MEM_SIZE,
    capabilities,
    command,
    name,
    other,
    page,
    part,
    start,
    word,
)
from workloads.capture.ram_blocks import RamBlock, is_device, lay_out
from workloads.importers.stream import import_stream
from workloads.trace import Trace, open_trace

Blocks = Sequence[tuple[str, int]]
Pages = Sequence[tuple[str, int]]
SHARE = 20 * 4104 * 10  # bytes a second: about 20 pages a tick


def saved(blocks: Blocks, pages: Pages, early: bytes = b"", late: bytes = b"") -> bytes:
    """A stream of ``blocks`` that sends ``pages``; ``early`` and ``late`` stand before the ends."""
    listed = word(sum(n for _, n in blocks) * 4096, MEM_SIZE)
    listed += b"".join(
        name(called) + struct.pack(">Q", n * 4096) + (bytes(8) if early else b"")
        for called, n in blocks
    )
    sent = part(b"".join(page(number, called) for called, number in pages))
    return HEADER + CONFIGURATION + early + start(listed) + sent + late + part(b"", kind=3)


def whole(called: str, pages: int) -> list[tuple[str, int]]:
    return [(called, number) for number in range(pages)]


def take(tmp_path: Path, data: bytes, *blocks: str) -> Trace:
    file = tmp_path / "saved"
    file.write_bytes(data)
    return import_stream(file, tmp_path / "t", "a", SHARE, blocks=blocks)


def said(trace: Trace, parameter: str) -> str:
    return str(trace.source.parameters[parameter]["value"])


def test_the_stream_of_qemu_10_is_that_of_an_older_one(tmp_path: Path) -> None:
    """Its command switchover-start says nothing of the pages."""
    data = saved([("pc.ram", 128)], whole("pc.ram", 128))
    newer = saved([("pc.ram", 128)], whole("pc.ram", 128), late=command(11))
    expected = maps(take(tmp_path, data))
    assert len(expected[0]) > 100
    assert maps(take(tmp_path, newer)) == expected


def test_a_return_path_changes_nothing(tmp_path: Path) -> None:
    data = saved([("pc.ram", 128)], whole("pc.ram", 128))
    with_path = data.replace(CONFIGURATION, CONFIGURATION + command(1))
    assert maps(take(tmp_path, with_path)) == maps(take(tmp_path, data))


def test_blocks_of_numa_nodes_are_one_guest(tmp_path: Path) -> None:
    blocks = [("m0", 128), ("m1", 128)]
    again = [("m1", 5), ("m1", 6)]
    trace = take(tmp_path, saved(blocks, [*whole("m0", 128), *whole("m1", 128), *again]))
    assert trace.source.memory.pages == 256
    dirty = maps(trace)
    assert dirty[0] == list(range(20, 256))
    assert dirty[11] == list(range(240, 256))
    assert said(trace, "blocks") == "m0 (512KiB), m1 (512KiB)"
    assert "blocks_left_out" not in trace.source.parameters


def test_the_order_of_addresses_is_not_that_of_the_stream(tmp_path: Path) -> None:
    """QEMU sends the largest block first; a DIMM lies above what the machine was started with."""
    blocks = [("dimm0", 192), ("mem10", 96), ("mem2", 64), ("pc.ram", 64)]
    sent = [page for called, pages in blocks for page in whole(called, pages)]
    trace = take(tmp_path, saved(blocks, sent))
    assert said(trace, "blocks") == (
        "pc.ram (256KiB), mem2 (256KiB), mem10 (384KiB), dimm0 (768KiB)"
    )
    # After 20 pages of dimm0, all below it is still to be sent.
    assert maps(trace)[0] == [*range(224), *range(244, 416)]
    assert maps(trace)[-2][-1] == 63  # the last that is sent is the end of pc.ram
    other_order = take(tmp_path, saved(blocks, sent), "dimm0", "pc.ram")
    assert maps(other_order)[0] == list(range(20, 256))
    assert said(other_order, "blocks_left_out") == "mem10 (384KiB), mem2 (256KiB)"


def test_an_empty_dimm_is_memory_too(tmp_path: Path) -> None:
    trace = take(tmp_path, saved([("dimm0", 256), ("pc.ram", 64)], whole("pc.ram", 64)))
    assert trace.source.memory.pages == 320
    assert maps(trace)[0] == list(range(20, 64))


def test_video_memory_is_no_guest_however_large(tmp_path: Path) -> None:
    blocks = [("0000:00:02.0/vga.vram", 128), ("pc.ram", 64), ("pc.bios", 64)]
    trace = take(tmp_path, saved(blocks, whole("pc.ram", 64)))
    assert trace.source.memory.pages == 64
    assert maps(trace)[0] == list(range(20, 64))
    assert said(trace, "blocks_left_out") == "0000:00:02.0/vga.vram (512KiB), pc.bios (256KiB)"


@pytest.mark.parametrize(
    ("called", "device"),
    [
        *((called, True) for called in (
            "vga.vram", "0000:00:02.0/qxl.vrom", "/rom@etc/acpi/tables", "pc.rom", "pc.bios",
            "system.flash0", "virt.flash1", "0000:00:03.0/virtio-net-pci.rom", "rom", "tpm-ppi",
            "0000:00:05.0/ivshmem",
        )),
        *((called, False) for called in (
            "pc.ram", "mach-virt.ram", "m0", "ram-node0", "/objects/mem1", "dimm-rom1x", "vramp",
            "ppc_spapr.ram", "prom0", "mem",
        )),
    ],
)  # fmt: skip
def test_devices_are_known_by_their_names(called: str, device: bool) -> None:
    assert is_device(called) == device


def test_blocks_that_are_not_there_are_refused(tmp_path: Path) -> None:
    data = saved([("vga.vram", 64), ("rom", 64)], whole("rom", 64))
    with pytest.raises(
        BadInput, match=r"no RAM block of the guest is in the stream, only vga\.vram"
    ):
        take(tmp_path, data)
    assert maps(take(tmp_path, data, "rom"))[0] == list(range(20, 64))
    with pytest.raises(BadInput, match="RAM block 'pc' is not in the stream; choose from vga"):
        take(tmp_path, data, "pc")


def test_shared_memory_that_was_not_sent_is_left_out(tmp_path: Path) -> None:
    shared = capabilities("x-ignore-shared")
    blocks = [("mem1", 128), ("pc.ram", 128)]
    trace = take(tmp_path, saved(blocks, whole("pc.ram", 128), early=shared))
    assert maps(trace)[0] == list(range(20, 128))
    assert said(trace, "blocks_left_out") == "mem1 (512KiB)"
    with pytest.raises(BadInput, match=r"'mem1' is shared and was not sent \(x-ignore-shared\)"):
        take(tmp_path, saved(blocks, whole("pc.ram", 128), early=shared), "mem1")
    with pytest.raises(BadInput, match=r"no RAM block of the guest was sent \(x-ignore-shared"):
        take(tmp_path, saved([("pc.ram", 128), ("rom", 1)], [("rom", 0)], early=shared))


def test_every_page_of_the_stream_has_one_place() -> None:
    blocks = [RamBlock("b", 0, 100), RamBlock("rom", 100, 7), RamBlock("a", 107, 50)]
    places = lay_out(blocks).in_guest(np.arange(157))
    assert places.tolist() == [*range(50, 150), *range(150, 157), *range(50)]


def test_what_is_left_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = saved(
        [("vga.vram", 128), ("pc.ram", 64)], whole("pc.ram", 64), late=other("pbs-state", 5, b"x")
    )
    (tmp_path / "guest").write_bytes(data)
    options = ["--output", str(tmp_path), "--bandwidth", "1MiB"]
    assert main(["trace", "import", "stream", str(tmp_path / "guest"), *options]) == 0
    out = capsys.readouterr().out
    assert "  guest memory: pc.ram (256KiB)\n" in out
    assert "  left out, which is no guest memory or was not sent: vga.vram (512KiB)\n" in out
    assert "  passed over: sections of pbs-state\n" in out
    assert said(open_trace(tmp_path / "guest.trace"), "sections_passed_over") == "pbs-state"


def test_a_trace_without_a_dirty_page_is_called_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "idle").write_text("\n\n")
    assert main(["trace", "import", "page-list", str(tmp_path / "idle"), "--output",
                 str(tmp_path), "--guest-memory", "1MiB"]) == 0  # fmt: skip
    assert "not one page is dirty in" in capsys.readouterr().err


def test_bench_calls_such_a_trace_out_too(dirtyscan: Run, tmp_path: Path) -> None:
    (tmp_path / "idle").write_text("\n\n")
    made = dirtyscan("trace", "import", "page-list", "idle", "--guest-memory", "1MiB")
    assert made.returncode == 0, made.stderr
    options = ("--trace", "traces/idle.trace", "--precision", "50%")
    done = dirtyscan("bench", *options)
    assert done.returncode == 0, done.stderr
    assert "not one page is dirty in traces/idle.trace" in done.stderr
