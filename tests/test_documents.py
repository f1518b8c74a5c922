"""The documentation is true: its links lead somewhere, and its commands run."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import BadInput
from harness.native.toolchain import find_toolchain, rust_toolchain
from tests.conftest import ask, store
from tests.test_stream import page, part, stream

ROOT = Path(__file__).parent.parent
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = [*GUIDES, ROOT / "CHANGELOG.md"]

# What makes a command short enough for a test, by how it starts; the longest start counts.
SHORT = {
    "bench": "--quick --condition cond1",
    "bench --trace": "--quick",
    "bench --variant all": "--quick --trace traces/pages.trace",
    "study density": "--guest-memory 1MiB",
    "study size": "--guest-memory 1MiB --guest-memory 4MiB",
    "study instructions": "--variant multi_page",
    "study placement": "--variant word_sum",
}
LONG_NUMBER = re.compile(r"--against-sequential \d+")
# What stands for something else in the text, and what it is here.
MEANT = {
    "TRACE": "traces/guest.trace", "A.trace": "traces/guest.trace", "B.trace": "traces/pages.trace",
    "FILE": "traces/guest.trace", "A": "traces/guest.trace", "B": "traces/pages.trace",
    "OPERATION": "ranges", "results/A": "results/amd-epyc-26-2",
    "results/B": "results/amd-epyc-26-2-gate",
}  # fmt: skip
# Commands that other tests run, as they take what a text cannot make (guests, repositories, files
# of hypervisors) or minutes: by how they start, the module of the test, and how it calls them.
ELSEWHERE = {
    "init": ("test_manifest", 'dirtyscan("init")'),
    "claims check": ("test_fidelity", '"claims", "check", "--upstream"'),
    "trace capture": ("test_capture", '"trace", "capture"'),
    "trace record --command": ("test_record_command", '"trace", "record", "--command"'),
    "trace record": ("test_record", '"trace", "record"'),
    "trace import mapped-ram": ("test_more_imports", "import_mapped_ram("),
    "trace import criu": ("test_more_imports", "import_pagemaps("),
    "trace import diff-snapshot": ("test_more_imports", "import_diff_snapshots("),
    "trace import kvm-log --slot": ("test_more_imports", '"import", "kvm-log", *slots'),
    "trace compare A B": ("test_commands", '"trace", "compare"'),
    "gate": ("test_gate", 'dirtyscan("gate"'),
    "doctor --gate": ("test_request", "calibrate_gate("),
    "doctor --calibrate": ("test_commands", '"doctor", "--calibrate"'),
    "doctor --engine": ("test_doctor_engine", '"doctor", "--engine", "1"'),
    "bench --cluster": ("test_cluster", "cluster.ask(*BENCH"),
    "results": ("test_packs", '"results", "'),
    "history results/nightly": ("test_changes", '"history"'),
    "study instructions": ("test_studies", '"study", "instructions"'),
    "study operations": ("test_studies", '"study", "operations"'),
    "study": ("test_studies", '"study", study'),
}
WHOLE_STUDY = re.compile(r"study \w+")
# In sentences that speak of them, without what they take.
NAMED_ONLY = ("trace info", "trace compare", "trace plot", "history")


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
    stored = (
        *("amd-epyc-26-2", "amd-epyc-26-2-claims", "amd-epyc-26-2-gate"),
        *("amd-epyc-25-17", "amd-epyc-25-1", "intel-xeon-processor"),
    )
    for name in stored:
        (folder / "results" / name).symlink_to(ROOT / "results" / name)
    shutil.copytree(ROOT / "results" / "amd-epyc-26-2", folder / "results" / "latest")
    for document in GUIDES:
        for line in lines_of_code(document):
            if line.startswith("printf "):
                subprocess.run(line, shell=True, cwd=folder, check=True)
    (folder / "guest.stream").write_bytes(
        stream(part(page(1, "pc.ram") + page(5)), part(page(2), kind=3))
    )
    for number in range(3):
        (folder / f"log-{number}.bin").write_bytes(bytes([number + 1]) * 16384)
    guide = (ROOT / "docs" / "bring-a-variant.md").read_text(encoding="utf-8")
    (folder / "mine.c").write_text(re.findall(r"```c\n(.*?)```", guide, re.DOTALL)[0])
    for name in ("bench", "src", "include"):
        shutil.copytree(ROOT / "docs" / "examples" / "c" / name, folder / name)
    example = (ROOT / "docs" / "examples" / "c" / "dirtyscan.toml").read_text(encoding="utf-8")
    own = '[variant.mine]\nsources = ["mine.c"]\n'
    (folder / "dirtyscan.toml").write_text(own + example[: example.index("# As the project")])
    (folder / "util").mkdir()
    (folder / "util" / "bitops.c").write_text("int bitops;\n")
    rust = ROOT / "harness" / "variants" / "ranges" / "word_runs.rs"
    shutil.copy(rust, folder / "mine.rs")
    (folder / "traces").mkdir()
    dirty = [np.arange(8192) % 7 < tick % 7 for tick in range(12)]
    for name in ("cond1", "guest", "pages"):
        store(folder / "traces" / f"{name}.trace", dirty, name=name)
    claim = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    (folder / "mine.toml").write_text(re.findall(r"```toml\n(.*?)```", claim, re.DOTALL)[0])
    return folder


def make_short(command: str) -> str:
    """Return a command with options that make it short, and with what its placeholders mean."""
    command = LONG_NUMBER.sub("--against-sequential 1", command).removesuffix(" ...")
    if command in NAMED_ONLY:
        return f"{command} --help"
    words = [MEANT.get(word, word) for word in command.split(" ")]
    starts = [start for start in SHORT if command.startswith(start)]
    if starts:
        place = words.index("--") if "--" in words else len(words)
        words[place:place] = SHORT[max(starts, key=len)].split()
    if words[:2] == ["claims", "run"] and not {"letter-cond1", "--claims"} & set(words):
        named = any(word.startswith(("ch-", "rust-vmm-")) for word in words)
        words += [] if named else ["letter-cond1"]
    return " ".join(words)


def run_elsewhere(command: str) -> str:
    """Return which entry of ELSEWHERE a command is left to; empty if it is run here."""
    starts = [start for start in ELSEWHERE if command.startswith(start)]
    if starts and max(starts, key=len) == "study" and not WHOLE_STUDY.fullmatch(command):
        return ""
    if command == "study placement":  # which no other test runs
        return ""
    return max(starts, key=len) if starts else ""


def commands_to_run() -> dict[str, str]:
    """Return each command of the guides, made short, and the first guide that has it."""
    found: dict[frozenset[str], tuple[str, str]] = {}  # commands of the same words are the same
    for document in GUIDES:
        for command in commands_of(document):
            if not run_elsewhere(command):
                short = make_short(command)
                found.setdefault(frozenset(short.split()), (short, document.name))
    return dict(found.values())


COMMANDS = commands_to_run()


def test_what_is_not_run_here_is_run_elsewhere() -> None:
    """Each that is left to other tests is in one, and none is left to them for nothing."""
    every = {run_elsewhere(command) for document in GUIDES for command in commands_of(document)}
    assert every - {""} == set(ELSEWHERE)
    for start, (module, call) in ELSEWHERE.items():
        assert call in (ROOT / "tests" / f"{module}.py").read_text(encoding="utf-8"), start


def obstacle(command: str) -> str:
    """Return why a command cannot run on this machine; empty if it can."""
    if "instructions" in command and shutil.which("valgrind") is None:
        return "needs valgrind"
    try:
        if "clang" in command:
            find_toolchain("clang-era")
        if any(word in command for word in ("mine.rs", "mine.toml", "ch-", "rust-vmm-")):
            rust_toolchain("release")
    except BadInput as error:
        return str(error)
    return ""


@pytest.mark.usefixtures("short_runs")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda it: f"{COMMANDS[it]}: {it}")
def test_a_command_runs(
    command: str,
    desk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In words as a shell would hand them on, in a folder with what the reader has by then."""
    if reason := obstacle(command):
        pytest.skip(reason)
    monkeypatch.chdir(desk)
    assert ask(in_words(command)) == 0, capsys.readouterr()


def in_words(command: str) -> list[str]:
    """Return the words that a shell makes of a command, which may have globs and no more."""
    assert not set(command) & set("$`;&|<>~!"), "this takes a shell"
    words: list[str] = []
    for word in shlex.split(command):
        found = sorted(map(str, Path().glob(word))) if "*" in word else []
        words += found or [word]
    return words


def test_what_has_left_a_branch_is_compared_with_where_it_left_it() -> None:
    """Compared with its tip, work that begins before a mend there is slower by what was mended."""
    command = ["make", "--dry-run", "gate", "BASE=origin/main"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert '--against "origin/main" --merge-base' in done.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_targets_of_make_exist(document: Path) -> None:
    for line in lines_of_code(document):
        if line.startswith("make "):
            words = shlex.split(line)[1:]
            done = subprocess.run(
                ["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True
            )
            assert done.returncode == 0, line
