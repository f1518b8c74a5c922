"""What other programs read of the gate, read as they would."""

import dataclasses
import itertools
import json
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.gate.finding import Basis, Change, Compared, Finding, Verdict
from harness.native.manifest_tables import MANIFEST
from harness.presentation.gate_formats import (
    to_annotations,
    to_bencher,
    to_code_quality,
    to_custom_bigger_is_better,
    to_junit,
    to_markdown,
)
from harness.presentation.gate_table import gate_table
from harness.presentation.gate_words import comparisons, headline

# As https://bencher.dev/docs/reference/bencher-metric-format has it.
NUMBER = {"type": "number"}
METRIC = {
    "type": "object",
    "properties": {"value": NUMBER, "lower_value": NUMBER, "upper_value": NUMBER},
    "required": ["value"],
    "additionalProperties": False,
}
BMF = {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": METRIC}}
# What github-action-benchmark takes as customBiggerIsBetter.
CUSTOM = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "unit": {"type": "string"},
            "value": NUMBER,
            "range": {"type": "string"},
            "extra": {"type": "string"},
        },
        "required": ["name", "unit", "value"],
    },
}


def finding(
    change: Change, ratio: float = 0.9, variant: str = "multi_page", unit: str = "ns"
) -> Finding:
    basis = Basis.INSTRUCTIONS if unit == "instructions" else Basis.REVISION
    width = 0 if unit == "instructions" else 0.01
    reason = "too noisy: ±3.0%" if change is Change.UNDECIDED else ""
    return Finding(
        basis, "count", variant, "cc-era", f"cond1 {change}", unit, 8000.0, 8000.0 / ratio,
        ratio, ratio - width, ratio + width, change, reason,
        nanoseconds=(8000.0, 8000.0 / ratio) if unit == "ns" else None,
    )  # fmt: skip


MIXED = Verdict(
    (
        finding(Change.SLOWER),
        finding(Change.UNCHANGED, 1.0),
        finding(Change.FASTER, 1.2, "word_sum"),
        finding(Change.UNDECIDED, 0.98, "avx2"),
        finding(Change.SLOWER, 0.8, "multi_page", "instructions"),
    ),
    broken=("variant mine (cc-era) crashes",),
    undecided=("it was measured on another CPU",),
    remarks=("the working tree has variants that are not committed",),
    compared=(
        Compared(Basis.REVISION, "HEAD~1 (1a2b3c4d5e6f)", 46, 43, ("neon (count) is new",)),
        Compared(Basis.INSTRUCTIONS, "HEAD~1 (1a2b3c4d5e6f)", 1),
    ),
)
COMPARED = (
    "4 rows of 3 variants (count) timed against HEAD~1 (1a2b3c4d5e6f), 43 of 46 variants have "
    "compiled to the same code, 1 not compared; 1 row of 1 variant (count) counted in instructions "
    "against HEAD~1 (1a2b3c4d5e6f)."
)


def test_junit_has_a_case_a_row_and_their_outcomes() -> None:
    root = ElementTree.fromstring(to_junit(MIXED))
    suites = {suite.get("name"): suite for suite in root.iter("testsuite")}
    assert {name: suite.get("tests") for name, suite in suites.items()} == {
        "gate": "3", "revision": "4", "instructions": "1",
    }  # fmt: skip
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("8", "2", "1")
    assert len(list(root.iter("skipped"))) == 2
    failure = next(root.iter("failure"))
    assert "0.900 (0.890 to 0.910)" in str(failure.get("message"))


JENKINS = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {
        *("name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp"),
        *("hostname", "id", "package", "file", "log", "url"),
    },
    "testcase": {"name", "time", "classname", "group"},
    **{key: {"type", "message"} for key in ("failure", "error", "skipped")},
    "system-out": set(),
}
"""The attributes that Jenkins' junit-10.xsd allows, by element."""


def test_jenkins_takes_junit_and_no_two_cases_are_called_alike() -> None:
    rows = [
        dataclasses.replace(row, toolchain=toolchain, basis=basis)
        for row in {(row.variant, row.trace): row for row in MIXED.findings}.values()
        for toolchain in ("cc-era", "clang-era")
        for basis in (Basis.REVISION, Basis.INSTRUCTIONS)
    ]
    text = to_junit(Verdict(tuple(rows)))
    assert text.startswith("<?xml")
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert set(element.attrib) <= JENKINS[element.tag], element.tag
    for suite in root.iter("testsuite"):
        assert {"name", "tests", "failures", "errors"} <= set(suite.attrib)
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) > 4
    assert len(names) == len(set(names))


def test_gitlab_has_an_issue_for_each_variant_that_got_slower() -> None:
    issues = json.loads(to_code_quality(MIXED))
    slower = {row.variant for row in MIXED.findings if row.change is Change.SLOWER}
    assert {issue["description"].split(" ")[0] for issue in issues} == slower
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["location"]["lines"]["begin"] == 1
        path = issue["location"]["path"]
        assert path == MANIFEST or Path(path).is_file()
    assert json.loads(to_code_quality(NOTHING)) == []


@pytest.mark.parametrize(
    ("compared", "findings", "said"),
    [
        ((), (), "Nothing was asked."),
        (
            (Compared(Basis.REVISION, "HEAD (1a2b)", 46, 46),),
            (),
            "All 46 variants have compiled to the very code of HEAD (1a2b).",
        ),
        (
            (Compared(Basis.REVISION, "HEAD (1a2b)", 46, 45, ("word_sum needs a",)),),
            (),
            "45 of 46 variants have compiled to the very code of HEAD (1a2b), 1 not compared.",
        ),
        (
            (
                Compared(Basis.REFERENCE, "reference results/x", 2),
                Compared(Basis.REQUIREMENT, "what is required", 2),
            ),
            (),
            "Nothing timed against reference results/x; 2 requirements checked on 0 rows.",
        ),
    ],
)
def test_what_was_compared_is_one_sentence(
    compared: tuple[Compared, ...], findings: tuple[Finding, ...], said: str
) -> None:
    assert comparisons(Verdict(findings, compared=compared)) == said


def test_what_was_compared_comes_first_everywhere() -> None:
    assert to_markdown(MIXED).splitlines()[2].replace("\\", "") == COMPARED
    assert next(iter(to_annotations(MIXED))) == f"::notice title=compared::{COMPARED}"
    case = next(ElementTree.fromstring(to_junit(MIXED)).iter("testcase"))
    assert case.findtext("system-out") == COMPARED
    extras = [entry["extra"] for entry in json.loads(to_custom_bigger_is_better(MIXED))]
    compared = [extra for extra in extras if not extra.endswith(" ns a call")]
    assert len(compared) == len(MIXED.findings)
    assert all(extra.endswith("; against HEAD~1 (1a2b3c4d5e6f)") for extra in compared)


NOTHING = Verdict((), remarks=("a remark",), compared=(Compared(Basis.REFERENCE, "reference x"),))


def test_nothing_compared_is_no_green_answer() -> None:
    assert NOTHING.empty
    assert NOTHING.open
    assert headline(NOTHING) == "Nothing was compared."
    assert list(to_annotations(NOTHING)) == [
        "::warning title=nothing was compared::Nothing timed against reference x."
    ]
    root = ElementTree.fromstring(to_junit(NOTHING))
    assert root.get("tests") == "1"
    skipped = next(root.iter("skipped"))
    assert "nothing was compared" in str(skipped.get("message"))
    # A list of series has no place for it, and a series of nothing would be one more.
    assert json.loads(to_custom_bigger_is_better(NOTHING)) == []
    assert json.loads(to_bencher(NOTHING)) == {}
    # The very same code was compared, by its bytes.
    same = Compared(Basis.REVISION, "old.c", 1, 1)
    assert not Verdict((), compared=(same,)).open


def test_two_gates_in_one_summary_are_two() -> None:
    twice = to_markdown(MIXED) + to_markdown(
        dataclasses.replace(NOTHING, measured_on="Measured here. ")
    )
    headings = [line for line in twice.splitlines() if line.startswith("## ")]
    assert len(headings) == 2
    assert all(
        before == "" for before, line in itertools.pairwise(twice.splitlines()) if line in headings
    )


@pytest.mark.parametrize(
    ("name", "never"),
    [
        ("@octocat", "@o"),
        ("see #12", "#1"),
        ("GH-12", "GH-"),
        ("gh-12", "gh-"),
        ("o/r#12", "#1"),
        ("https://github.com/o/r/issues/1", "://"),
        ("www.example.org", "www."),
        ("&#64;octocat", "&#64"),
        ("<img src=x>", "<img"),
        ("a\rb\nc", "\r"),
        ("a\x1bb", "\x1b"),
    ],
)
def test_a_name_tells_nobody_and_links_to_nothing(name: str, never: str) -> None:
    text = to_markdown(Verdict((), (f"variant {name} crashes",), measured_on=name))
    assert never not in text.replace(f"\\{never}", "")


def test_services_take_the_json() -> None:
    bmf, custom = json.loads(to_bencher(MIXED)), json.loads(to_custom_bigger_is_better(MIXED))
    jsonschema.validate(bmf, BMF)
    jsonschema.validate(custom, CUSTOM)
    assert len(bmf) == 5
    # A ratio each, and both sides of what was timed.
    assert len(custom) == len({entry["name"] for entry in custom}) == 5 + 2 * 4
    name = "count/word_sum/cond1 faster/cc-era/revision"
    assert bmf[name]["speed-ratio"] == {"value": 1.2, "lower_value": 1.19, "upper_value": 1.21}
    values = {entry["name"]: entry["value"] for entry in custom}
    assert values[name] == 1.2
    # Both in the direction that the format says is the better, and what drift is seen in.
    assert values[f"{name}/beside"] == pytest.approx(1e9 / 8000)
    assert values[f"{name}/variant"] == pytest.approx(1.2e9 / 8000)
    assert bmf[name]["latency-beside"]["value"] == 8000
    assert bmf[name]["latency-variant"]["value"] == pytest.approx(8000 / 1.2)
    counted = next(name for name in bmf if name.endswith("/instructions"))
    assert set(bmf[counted]) == {"speed-ratio", "instructions-per-page"}


def test_annotations_name_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = list(to_annotations(MIXED))
    errors = [line for line in lines if line.startswith("::error")]
    assert any("title=multi_page got slower::" in line for line in errors)
    assert all("file=harness/variants/count/multi_page.c," in line for line in errors[:2])
    assert "%25 slower than before on cond1 slower" in errors[0] + errors[1]
    assert any(line.endswith("::it was measured on another CPU") for line in lines)


@given(st.text(min_size=1, max_size=20))
def test_no_name_breaks_out_of_its_place(name: str) -> None:
    verdict = Verdict((finding(Change.SLOWER, 0.9, name),), (f"variant {name} crashes",))
    assert all("\n" not in line and "\r" not in line for line in to_annotations(verdict))
    plain = to_markdown(Verdict((finding(Change.SLOWER, 0.9, "x"),), ("variant x crashes",)))
    if "\n" not in name and "\r" not in name and not name.isspace() and name.isprintable():
        escaped = to_markdown(verdict)
        assert len(escaped.splitlines()) == len(plain.splitlines())
        row = next(line for line in escaped.splitlines() if "cond1 slower | 8" in line)
        assert row.replace("\\|", "").count("|") == 8
        assert "\n- :x: \\<script" in to_markdown(Verdict((), (f"<script{name}",)))


@pytest.mark.parametrize("unprintable", ["a\x00b", "a\x1b[2Jb"])
def test_junit_stays_xml_whatever_a_variant_is_called(unprintable: str) -> None:
    ElementTree.fromstring(to_junit(Verdict((finding(Change.SLOWER, 0.9, unprintable),))))


def test_the_answer_comes_first_and_says_it_in_one_sentence() -> None:
    assert to_markdown(MIXED).startswith("## dirtyscan gate: 1 variant went astray.")
    assert headline(Verdict((finding(Change.SLOWER),))) == "1 variant got slower."
    assert headline(Verdict((finding(Change.UNDECIDED),))).startswith("It could not be decided")
    assert headline(Verdict((finding(Change.FASTER, 1.1),))) == "No variant got slower."


def test_the_table_fits_a_terminal() -> None:
    console = Console(width=80, record=True, force_terminal=False)
    with console.capture() as capture:
        console.print(gate_table(MIXED))
    lines = capture.get().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any("multi_page" in line and "0.900" in line and "slower" in line for line in lines)
    said = " ".join(capture.get().split())
    sentence = "multi_page (count, cc-era) is 10.0 % slower than before on cond1 slower"
    assert said.count(sentence) == 1
    assert said.endswith(f"{COMPARED} 1 variant went astray.")
