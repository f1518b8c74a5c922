"""Every figure of the documents comes from a committed table, and is what that table says."""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from harness.results.environment import ENVIRONMENT, read_environment
from tests.documented import NOT_MEASURED, RESULTS, ZEN5
from tests.documented_findings import claims, findings
from tests.documented_gate import gate
from tests.documented_kernel import of_readme, of_studies
from tests.documented_letter import readme
from tests.documented_pages import fidelity, many_hosts, record, statistics, studies, variants

ROOT = Path(__file__).parent.parent
SENTENCES: dict[str, Callable[[], Iterator[str]]] = {
    "README.md": lambda: itertools.chain(readme(), of_readme()),
    "docs/claims.md": claims,
    "docs/fidelity.md": fidelity,
    "docs/findings.md": findings,
    "docs/gate.md": gate,
    "docs/many-hosts.md": many_hosts,
    "docs/record.md": record,
    "docs/statistics.md": statistics,
    "docs/studies.md": lambda: itertools.chain(studies(), of_studies()),
    "docs/variants.md": variants,
}
DOCUMENTS = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
FIGURE = re.compile(
    r"(?<![\w.,-])\d[\d,]*(?:\.\d+)?(?=\s(?:%|µs|ns|ms|s|times|instructions)\b|\s%)|(?<![\w.])\d+\.\d+(?![\d.]*\w)"
)
NOT_KEPT = "† Measured once, and no data of it are kept."
CLAIMS = "docs/claims.md"  # whose table is read row by row


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("document", SENTENCES)
def test_a_document_says_what_its_tables_say(document: str) -> None:
    text = plain(read(document))
    missing = [sentence for sentence in SENTENCES[document]() if plain(sentence) not in text]
    assert missing == []


def without_code(text: str) -> str:
    """Return a document without what commands take and print, links and pictures."""
    for code in (r"```.*?```", r"^>.*$", r"<img[^>]*>", r"(?<=\])\([^)]*\)"):
        text = re.sub(code, "", text, flags=re.DOTALL if "`" in code else re.MULTILINE)
    return re.sub(r"`[^`]*`", "`", text)


def figures_of_nothing(text: str, sentences: list[str]) -> list[str]:
    """Return each figure that is neither in one of ``sentences`` nor said to be something else."""
    found = []
    known = [plain(without_code(sentence)) for sentence in sentences]
    for paragraph in re.split(r"\n\s*\n", without_code(text)):
        if "†" in paragraph:
            continue
        left = plain(paragraph)
        for sentence in known:
            left = left.replace(sentence, "")
        for pattern in (pattern for patterns in NOT_MEASURED.values() for pattern in patterns):
            left = re.sub(pattern.replace("|", r"\|"), "", left)
        found += [left[max(0, m.start() - 40) : m.end() + 20] for m in FIGURE.finditer(left)]
    return found


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name != CLAIMS])
def test_every_figure_has_a_source(document: str) -> None:
    """Or a dagger, which says that it has none any more."""
    text = read(document)
    made = SENTENCES.get(document)
    sentences = list(made()) if made else []
    assert figures_of_nothing(text, sentences) == []
    assert ("†" in text.replace(NOT_KEPT, "")) == (NOT_KEPT in text)


def test_a_figure_without_a_source_is_found() -> None:
    """The oracle itself."""
    text = (
        "It gains 8.38 times.\n\nIt takes 7.5 µs† or 3 %.\n\nThat is\n9.25 or 17 times, and 0.4 %."
    )
    assert len(figures_of_nothing(text, ["gains 8.38 times"])) == 3
    assert len(figures_of_nothing(text, [])) == 4


def test_the_table_of_claims_is_that_of_its_run() -> None:
    settled = pd.read_csv(RESULTS / f"{ZEN5}-claims" / "claims.csv").dropna(subset="speedup")
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in read(CLAIMS).splitlines() if line.startswith("|")]  # fmt: skip
    heads = [cells for cells in rows if cells[0] == "claim"]
    (place,) = {head.index("measured") for head in heads}
    of_claims = [cells for cells in rows if cells[0] in set(settled["claim"])]
    assert len(of_claims) >= 13  # those of the letter
    for cells in of_claims:
        said = re.match(r"([\d.]+) \(([\d.]+) to ([\d.]+)\)", cells[place])
        assert said, cells
        known = settled[settled["claim"] == cells[0]]
        columns = ["speedup", "speedup_low", "speedup_high"]
        possible = [
            tuple(
                f"{value:.{len(figure.partition('.')[2])}f}"
                for value, figure in zip(row, said.groups(), strict=True)
            )
            for row in known[columns].to_numpy()
        ]
        assert said.groups() in possible, cells


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_was_measured_with_other_code_is_said_to_be(document: str) -> None:
    """The commit of such a result does not reproduce it."""
    text = read(document)
    for folder in set(re.findall(r"results/([\w-]+)", text)):
        if (RESULTS / folder / ENVIRONMENT).exists():
            commit = read_environment(RESULTS / folder)["git_commit"]
            said = re.search(r"changes\s+that\s+were\s+not\s+committed", text)
            assert said or not commit.endswith("-dirty"), folder
