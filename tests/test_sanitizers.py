"""Every variant under AddressSanitizer and UndefinedBehaviorSanitizer."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.build import build_variant
from harness.native import load_variant
from harness.toolchain import default_toolchain
from harness.variant import VARIANTS, built_in_variants

FLAGS = ["-g", "-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fno-sanitize-recover=all"]


def skip_if_it_cannot_run(name: str) -> None:
    variant = built_in_variants("count")[name]
    obstacle = load_variant(build_variant(variant, default_toolchain()).path).obstacle()
    if obstacle:
        pytest.skip(f"{name} {obstacle}")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", built_in_variants("count"))
def test_no_sanitizer_has_anything_to_say(name: str, compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    skip_if_it_cannot_run(name)
    sources = built_in_variants("count")[name].sources
    program = tmp_path / "program"
    command = [compiler, *FLAGS, "-fsanitize=address,undefined", f"-I{VARIANTS}"]
    inputs = [str(Path(__file__).parent / "sanitize.c"), *map(str, sources)]
    built = subprocess.run([*command, *inputs, "-o", str(program)], capture_output=True, text=True)
    if built.returncode and "libclang_rt" in built.stderr:
        pytest.skip(f"{compiler} has no sanitizer runtime here (Debian: libclang-rt-dev)")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(program)], capture_output=True, text=True)
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
    command = ["gcc", *FLAGS, "-fsanitize=address,undefined", f"-I{VARIANTS}"]
    inputs = [str(Path(__file__).parent / "sanitize.c"), str(broken)]
    subprocess.run([*command, *inputs, "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert "heap-buffer-overflow" in done.stderr
