"""Structures that Python declares for itself lie in memory as those of C do."""

import ctypes
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.native import contract, place, stopwatch, work
from harness.native.build import STOPWATCH, TRIAL
from harness.native.toolchain import FORM, default_toolchain
from harness.native.variant import VARIANTS
from harness.trial import checker, report

NATIVE = VARIANTS.parent / "native"
# stopwatch.c comes first: it asks for more of the C library's headers than the others do.
FILES = (STOPWATCH[0], *reversed(TRIAL))

STRUCTS: Mapping[str, type[ctypes.Structure]] = {
    "dirtyscan_map": contract.MapStruct,
    "dirtyscan_ranges": contract.RangesStruct,
    "dirtyscan_variant": contract.VariantStruct,
    "dirtyscan_taken": contract.TakenStruct,
    "dirtyscan_output": contract.OutputStruct,
    "operation": work.OperationStruct,
    "operation_callee": work.CalleeStruct,
    "operation_work": work.WorkStruct,
    "stopwatch_lane": stopwatch._Lane,
    "stopwatch_snapshots": stopwatch._Snapshots,
    "stopwatch_place": place.Place,
    "writers_finding": checker._Finding,
    "writers_parts": checker._Parts,
    "trial_fault": report.Fault,
}
# Where C calls a field something else.
NAMES = {("stopwatch_place", "variant"): "lane"}
# The first field of Python's own, behind those of C.
OWN = {"stopwatch_place": "trace"}

Layout = dict[str, tuple[int, int]]
"""Offset and size of each field in C, by Python's name; of all of it, under an empty name."""


def shared_fields(struct: str) -> list[str]:
    """Return the fields that C has as well."""
    names = [field[0] for field in STRUCTS[struct]._fields_]
    return names[: names.index(OWN[struct])] if struct in OWN else names


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Layout]:
    lines = ["#include <stddef.h>", "#include <stdio.h>"]
    lines = [*(f'#include "{path.name}"' for path in FILES), *lines, "int main(void)", "{"]
    for struct in STRUCTS:
        lines.append(f'printf("{struct}  0 %zu\\n", sizeof(struct {struct}));')
        for name in shared_fields(struct):
            field = NAMES.get((struct, name), name)
            place = f"offsetof(struct {struct}, {field})"
            size = f"sizeof(((struct {struct} *)0)->{field})"
            lines.append(f'printf("{struct} {name} %zu %zu\\n", {place}, {size});')
    folder = tmp_path_factory.mktemp("structs")
    source, program = folder / "layouts.c", folder / "layouts"
    source.write_text("\n".join([*lines, "return 0;", "}", ""]), encoding="utf-8")
    found: dict[str, Layout] = {}
    for line in _run(source, program).splitlines():
        struct, name, offset, size = line.split(" ")
        found.setdefault(struct, {})[name] = (int(offset), int(size))
    return found


def _run(source: Path, program: Path) -> str:
    toolchain = default_toolchain()
    folders = [f"-I{folder}" for folder in (VARIANTS, NATIVE, TRIAL[0].parent)]
    units = [str(source), *map(str, STOPWATCH[1:])]
    command = [*toolchain.command, *FORM, *toolchain.flags, *folders, "-pthread", *units]
    built = subprocess.run([*command, "-o", str(program)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("struct", STRUCTS)
def test_fields_lie_where_c_has_them(struct: str, layouts: dict[str, Layout]) -> None:
    python = STRUCTS[struct]
    fields = {name: getattr(python, name) for name in shared_fields(struct)}
    # A field that C has and Python has not shows in where C's structure ends.
    end = getattr(python, OWN[struct]).offset if struct in OWN else ctypes.sizeof(python)
    expected: Layout = {name: (field.offset, field.size) for name, field in fields.items()}
    assert layouts[struct] == {"": (0, end), **expected}
