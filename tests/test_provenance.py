"""What results say of where they come from, and the page of all that are committed."""

import html
import json
import re
import shutil
from pathlib import Path

import pytest

from harness.report.answer import answer
from harness.report.stored import Stored
from harness.results.environment import ENVIRONMENT, before_each
from harness.results.result import SPEEDUPS
from workloads.trace import open_trace

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
# Each CPU's run of the four conditions. Beside it lie others of the same, runs with every variant,
# references of gates, and studies.
CPUS = {
    path.parent.name
    for path in RESULTS.glob(f"*/{SPEEDUPS}")
    if not path.parent.name.endswith(("-variants", "-gate", "-between", "-again"))
    and path.parent.name != "latest"
}


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    kept = shutil.ignore_patterns("plots", "pyperf*")
    for name in ("", "-density"):
        folder = RESULTS / f"amd-epyc-26-2{name}"
        shutil.copytree(folder, tmp_path / folder.name, ignore=kept)
    return Stored(tmp_path / "amd-epyc-26-2")


def test_a_result_of_other_code_is_said_to_be(stored: Stored) -> None:
    path = stored.folder / ENVIRONMENT
    environment = json.loads(path.read_text())
    assert environment["git_commit"] in stored.provenance("speedups")
    assert "not committed" not in stored.provenance("speedups")
    environment["git_commit"] += "-dirty"
    path.write_text(json.dumps(environment))
    assert "with changes that were not committed, " in stored.provenance("speedups")
    assert "-dirty" not in stored.provenance("speedups")


def test_a_study_has_its_own_date_or_none(stored: Stored) -> None:
    """Where it had not kept one, that of the result beside it was shown as its own."""
    date = stored.provenance("speedups").partition(" UTC")[0]
    assert date not in stored.provenance("density")
    (stored.folder.parent / f"{stored.name}-density" / ENVIRONMENT).unlink()
    assert stored.provenance("density") == "at a time and with a commit that were not kept"
    assert stored.provenance("origins").startswith(date)


def test_the_page_has_every_cpu_and_what_is_true_for_each() -> None:
    """An Intel's reader found the answer of an AMD; 'make page' draws it anew."""
    page = (ROOT / "docs" / "report.html").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"^REFERENCES := (.*)$", makefile, re.MULTILINE)[0].split()
    assert set(named) >= CPUS
    said = [html.unescape(re.sub("<.*?>", "", text)) for text in
            re.findall(r'<p class="answer">(.*?)</p>', page, re.DOTALL)]  # fmt: skip
    right = []
    for name in named:
        stored = Stored(RESULTS / name)
        found = answer(stored.speedups, before_each(stored.environment))
        assert found
        right.append(f"{name}. {found.sentence}")
        assert stored.environment["cpu"]["model"] in page
    assert said == right
    shown = set(re.findall(r'<section id="(\w+)"', page))
    assert {"speedups", "traces", "origins", "variants", "claims"} <= shown


def test_how_the_captured_guests_ran_is_said() -> None:
    """Emulated guests dirty fewer pages in a time than those that KVM runs."""
    traces = [open_trace(path) for path in sorted((ROOT / "workloads/captured").glob("*.trace"))]
    ran_by = {trace.source.parameters["accelerator"]["value"] for trace in traces}
    assert len(ran_by) == 1, "say of each in the documents how it ran"
    for document in ("README.md", "docs/capture.md", "docs/fidelity.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        assert ("TCG" in text) == (ran_by == {"tcg"}), document
