"""Results that were damaged: one sentence says which file and row, whoever reads them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.cli import main
from harness.results.environment import read_environment
from harness.results.result import PROCESSES, SNAPSHOTS, SPEEDUPS, read_table
from tests.fuzz import fuzz

REFERENCE = Path(__file__).parent.parent / "results" / "amd-epyc-26-2"
READERS = [
    ["report", "r"],
    ["report", "r", "--plots", "p"],
    ["report", "r", "--html", "x.html"],
    ["history", "r", "--plots", "p"],
]


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of a committed result, few of whose snapshots are there."""
    monkeypatch.chdir(tmp_path)
    Path("r").mkdir()
    for name in (SPEEDUPS, PROCESSES, "environment.json", "pyperf.json"):
        shutil.copy(REFERENCE / name, "r")
    lines = (REFERENCE / SNAPSHOTS).read_text(encoding="utf-8").splitlines(keepends=True)
    Path("r", SNAPSHOTS).write_text("".join(lines[:200]), encoding="utf-8")
    return Path("r")


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def first_line(data: bytes) -> bytes:
    return data.splitlines(keepends=True)[0]


def without_a_column(data: bytes) -> bytes:
    return data.replace(b"condition,", b"conditions,", 1)


def cell(column: int, value: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        lines = data.splitlines()
        cells = lines[1].split(b",")
        cells[column] = value
        return b"\n".join([lines[0], b",".join(cells), *lines[2:]])

    return change


TABLE_DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "half": half,
    "header only": first_line,
    "empty": lambda _: b"",
    "NULs": lambda data: bytes(len(data)),
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "random": lambda _: bytes(range(256)) * 20,
    "a long line": lambda data: b"x" * 10_000_000,
    "a column is missing": without_a_column,
    "speedup abc": cell(8, b"abc"),
    "speedup -1": cell(8, b"-1"),
    "speedup 0": cell(8, b"0"),
    "speedup nan": cell(8, b"nan"),
    "speedup inf": cell(8, b"inf"),
    "speedup missing": cell(8, b""),
    "interval elsewhere": cell(9, b"99"),
    "an origin that is none": cell(1, b"hostile"),
}


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
@pytest.mark.parametrize("damage", TABLE_DAMAGE)
def test_a_damaged_table_is_named(
    damage: str, arguments: list[str], result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = result / SPEEDUPS
    path.write_bytes(TABLE_DAMAGE[damage](path.read_bytes()))
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("dirtyscan: r/speedups.csv is damaged (")
    assert len(said.splitlines()) == 1
    assert len(said) < 400


@pytest.mark.parametrize("damage", ["half", "header only", "NULs", "a column is missing"])
@pytest.mark.parametrize("arguments", READERS[1:3], ids=" ".join)
def test_so_is_one_of_snapshots(
    damage: str, arguments: list[str], result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = result / SNAPSHOTS
    path.write_bytes(TABLE_DAMAGE[damage](path.read_bytes()))
    assert main(arguments) == 2
    assert "r/snapshots.csv is damaged (" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", READERS[2:], ids=" ".join)
@pytest.mark.parametrize(
    "changes",
    [
        {"cpu": 5}, {"cpu": {}}, {"cpu": None}, {"git_commit": 5}, {"dirtyscan": None},
        {"toolchains": 5}, {"toolchains": [5]}, {"layout": []}, {"machine": {"state": 3}},
    ],
    ids=str,
)  # fmt: skip
def test_a_damaged_environment_is_named(
    changes: dict[str, Any], arguments: list[str], result: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = result / "environment.json"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, **changes}), encoding="utf-8")
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("dirtyscan: r/environment.json is damaged (")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("gone", ["cpu", "git_commit", "dirtyscan", "toolchains", "layout"])
def test_so_is_one_without_a_field(gone: str, result: Path) -> None:
    path = result / "environment.json"
    document = json.loads(path.read_bytes())
    del document[gone]
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(BadInput, match=f"is damaged .*{gone}"):
        read_environment(result)


def test_every_committed_result_is_whole() -> None:
    found = 0
    for path in sorted(REFERENCE.parent.rglob("*")):
        if path.name in (SPEEDUPS, SNAPSHOTS, PROCESSES):
            assert len(read_table(path.parent, path.name))
            found += 1
        elif path.name == "environment.json":
            assert read_environment(path.parent)["cpu"]["model"]
            found += 1
    assert found > 30


@fuzz
@given(place=st.floats(0, 1, exclude_max=True), replaced=st.binary(max_size=6), cut=st.booleans())
def test_no_table_ends_in_anything_but_a_table_or_a_sentence(
    place: float, replaced: bytes, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    folder.mkdir(exist_ok=True)
    for name in (SPEEDUPS, PROCESSES):
        data = (REFERENCE / name).read_bytes()
        at = int(place * len(data))
        (folder / name).write_bytes(data[:at] + replaced + (b"" if cut else data[at + 3 :]))
        try:
            table = read_table(folder, name)
        except BadInput:
            continue
        assert (table["speedup"] > 0).all()
        assert table["variant"].map(lambda value: isinstance(value, str)).all()
