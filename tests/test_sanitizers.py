"""Every variant under AddressSanitizer and UndefinedBehaviorSanitizer, and NEON under QEMU."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.native.build import build_variant
from harness.native.loaded_variant import load_variant
from harness.native.toolchain import default_toolchain
from harness.native.variant import VARIANTS, built_in_variants

COMMON = ["-g", "-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{VARIANTS}"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
MAIN = str(Path(__file__).parent / "sanitize.c")
CROSS, EMULATOR = "aarch64-linux-gnu-gcc", ("qemu-aarch64", "qemu-aarch64-static")


def skip_if_it_cannot_run(name: str) -> None:
    variant = built_in_variants("count")[name]
    built = build_variant(variant, default_toolchain())
    obstacle = load_variant(built.path).description.obstacle()
    if obstacle:
        pytest.skip(f"{name} {obstacle}")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", built_in_variants("count"))
def test_no_sanitizer_has_anything_to_say(name: str, compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    skip_if_it_cannot_run(name)
    sources = [str(path) for path in built_in_variants("count")[name].sources]
    program = tmp_path / "program"
    command = [compiler, *COMMON, *SANITIZED, MAIN, *sources, "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode and "libclang_rt" in built.stderr:
        pytest.skip(f"{compiler} has no sanitizer runtime here (Debian: libclang-rt-dev)")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", built_in_variants("count"))
def test_it_counts_right_on_aarch64(name: str, tmp_path: Path) -> None:
    emulator = next(filter(shutil.which, EMULATOR), None)
    if shutil.which(CROSS) is None or emulator is None:
        pytest.skip("needs gcc-aarch64-linux-gnu and qemu-user")
    sources = [str(path) for path in built_in_variants("count")[name].sources]
    text = "".join(Path(source).read_text(encoding="utf-8") for source in sources)
    if "__x86_64__" in text and "count_pages NULL" in text:
        pytest.skip(f"{name} is not for aarch64")
    program = tmp_path / "program"
    command = [CROSS, *COMMON, "-O2", "-static", MAIN, *sources, "-o", str(program)]
    subprocess.run(command, check=True)
    done = subprocess.run([emulator, str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_sanitizer_would_see_a_byte_too_far(tmp_path: Path) -> None:
    """The test above can fail: a variant that reads one byte behind its map does."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    variant = built_in_variants("count")["page_by_page"].sources[0]
    text = variant.read_text(encoding="utf-8")
    broken = tmp_path / "broken.c"
    broken.write_text(text.replace("addr < last_ram_offset", "addr <= last_ram_offset"))
    assert broken.read_text() != text
    program = tmp_path / "program"
    command = ["gcc", *COMMON, *SANITIZED, MAIN, str(broken), "-o", str(program)]
    subprocess.run(command, check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert "heap-buffer-overflow" in done.stderr
