"""What is skipped is told, by the promise that it leaves untested."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.needs import count_promises

ROOT = Path(__file__).parent.parent


def test_reasons_are_told_as_promises() -> None:
    reasons = [
        "needs rustc, which is not here (install it from rustup.rs)",
        "neon_vcnt is not for x86_64",
        "avx512_vnni needs avx512_vnni, which this CPU lacks",
        "toolchain clang-era needs clang, which is not here; install clang.",
        "clang has no sanitizer runtime here (Debian: libclang-rt-dev)",
        "this folder is no repository",
    ]
    assert count_promises(reasons) == [
        ("variants for another CPU", 2),
        ("variants and commands in Rust (no rustc)", 1),
        ("what clang makes of the variants (no clang)", 1),
        ("variants under clang's sanitizers (no libclang-rt-dev)", 1),
        ("this folder is no repository", 1),
    ]


def test_a_run_ends_with_what_it_did_not_test(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "tests/test_capture.py", "-k", "disk"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    told = r"= not tested here, 1 =+\n +1  the disk of a captured guest \(no qemu-img\)\n"
    assert re.search(told, done.stdout), done.stdout
