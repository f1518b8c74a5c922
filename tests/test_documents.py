"""The documentation is true: its links lead somewhere, and its commands run."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.native.toolchain import find_toolchain
from tests.test_stream import page, part, stream
from workloads.captured import captured_trace
from workloads.errors import BadInput

ROOT = Path(__file__).parent.parent
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = [*GUIDES, ROOT / "CHANGELOG.md"]

# What makes a command short enough for a test, by how it starts; the longest start counts.
SHORT = {
    "bench": "--quick --budget 5 --precision 50% --condition cond1",
    "bench --trace": "--quick --budget 5 --precision 50%",
    "bench --variant all": "--quick --budget 60 --precision 50% --condition cond1",
    "study": "--budget 20 --precision 50%",
    "study size": "--budget 20 --precision 50% --guest-memory 64MiB --guest-memory 512MiB",
    "study instructions": "--variant multi_page",
    "claims run": "--budget 5",
}
LONG_NUMBER = re.compile(r"--(calibrate|against-sequential) \d+")
# What stands for something else in the text, and what it is here.
MEANT = {
    "TRACE": "traces/guest.trace", "A.trace": "traces/guest.trace", "B.trace": "traces/pages.trace",
    "FILE": "traces/guest.trace", "A": "traces/guest.trace", "B": "traces/pages.trace",
    "OPERATION": "ranges", "results/A": "results/amd-epyc", "results/B": "results/amd-epyc-gate",
}  # fmt: skip
# Commands that other tests run: captures (test_capture.py), gates (test_gate.py, where a repository
# is made for them), whole studies (test_studies.py), and the calibration of the gate, a round of
# which takes more than a minute.
ELSEWHERE = ("trace capture", "gate", "doctor --gate", "bench --resume", "trace import stream FILE",
             "trace import kvm-log FILE", "trace import page-list FILE")  # fmt: skip
STUDIES = {
    f"study {name}"
    for name in (
        "density",
        "size",
        "toolchains",
        "instructions",
        "tick",
        "assumptions",
        "operations",
    )
}
NAMED_ONLY = ("trace info", "trace compare", "trace plot", "history")
RAN: set[str] = set()


def read(document: Path) -> str:
    return document.read_text(encoding="utf-8").replace("\\|", "|")


def lines_of_code(document: Path) -> list[str]:
    """Return the commands of a document in their order: in its blocks, and in its sentences."""
    found = []
    for block, inline in re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", read(document), re.DOTALL):
        lines = block.splitlines() if block else [inline]
        found += [re.sub(r"\s+#.*", "", line) for line in lines]
    return [line for line in dict.fromkeys(found) if " " in line]


def commands_of(document: Path) -> list[str]:
    """Return those that run dirtyscan, without its name."""
    starts = ("dirtyscan ", ".venv/bin/dirtyscan ")
    return [line.split(" ", 1)[1] for line in lines_of_code(document) if line.startswith(starts)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", read(document)):
        path = document.parent / target if target else document
        assert path.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)", read(path), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads]
            assert anchor in slugs, anchor


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands of the documentation take for granted."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "results").mkdir()
    for name in ("amd-epyc", "amd-epyc-gate", "intel-xeon-processor"):
        (folder / "results" / name).symlink_to(ROOT / "results" / name)
    (folder / "guest.stream").write_bytes(
        stream(part(page(1, "pc.ram") + page(5)), part(page(2), kind=3))
    )
    for number in range(3):
        (folder / f"log-{number}.bin").write_bytes(bytes([number + 1]) * 16384)
    guide = (ROOT / "docs" / "bring-a-variant.md").read_text(encoding="utf-8")
    (folder / "mine.c").write_text(re.findall(r"```c\n(.*?)```", guide, re.DOTALL)[0])
    rust = ROOT / "harness" / "variants" / "ranges" / "word_runs.rs"
    shutil.copy(rust, folder / "mine.rs")
    (folder / "traces").mkdir()
    captured = captured_trace("cond1")
    assert captured
    for name in ("cond1", "guest", "pages"):
        shutil.copy(captured, folder / "traces" / f"{name}.trace")
    claim = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    (folder / "mine.toml").write_text(re.findall(r"```toml\n(.*?)```", claim, re.DOTALL)[0])
    return folder


def make_short(command: str) -> str:
    """Return a command with options that make it short, and with what its placeholders mean."""
    command = LONG_NUMBER.sub(r"--\1 1", command).removesuffix(" ...")
    if command in NAMED_ONLY:
        return f"{command} --help"
    words = [MEANT.get(word, word) for word in command.split(" ")]
    starts = [start for start in SHORT if command.startswith(start)]
    if starts:
        words += SHORT[max(starts, key=len)].split()
    if words[:2] == ["claims", "run"] and not {"letter-cond1", "--claims"} & set(words):
        words += [] if any(word.startswith("ch-") for word in words) else ["letter-cond1"]
    return " ".join(words)


def obstacle(command: str) -> str:
    """Return why a command cannot run on this machine; empty if it can."""
    if "clang" in command or "study toolchains" in command:
        try:
            find_toolchain("clang-era")
        except BadInput as error:
            return str(error)
    if "instructions" in command and shutil.which("valgrind") is None:
        return "valgrind is not installed"
    needs_rust = ("mine.rs", "mine.toml", "study operations", "ranges", "ch-")
    if any(word in command for word in needs_rust) and shutil.which("rustc") is None:
        return "rustc is not installed"
    return ""


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: path.name)
def test_commands_run(document: Path, desk: Path) -> None:
    """Each, in a shell, as a reader would type it, and in the order of the text."""
    commands = commands_of(document)
    for line in lines_of_code(document):
        command = line.removeprefix(".venv/bin/").removeprefix("dirtyscan ")
        if line.startswith("printf "):
            subprocess.run(line, shell=True, cwd=desk, check=True)
        elif command.startswith(ELSEWHERE) or command in STUDIES:
            continue
        elif command in commands and not obstacle(command):
            run_once(make_short(command), desk)


def run_once(command: str, desk: Path) -> None:
    if command in RAN:
        return
    done = subprocess.run(
        f"{sys.executable} -m harness {command}", shell=True, cwd=desk, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    RAN.add(command)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_targets_of_make_exist(document: Path) -> None:
    for line in lines_of_code(document):
        if line.startswith("make "):
            words = shlex.split(line)[1:]
            done = subprocess.run(
                ["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True
            )
            assert done.returncode == 0, line
