"""What other programs read of the gate, read as they would."""

import json
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.gate.finding import Change, Evidence, Finding, Verdict
from harness.presentation.gate_formats import (
    to_annotations,
    to_bencher,
    to_custom_bigger_is_better,
    to_junit,
    to_markdown,
)
from harness.presentation.gate_table import gate_table
from harness.presentation.gate_words import headline

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
    evidence = Evidence.INSTRUCTIONS if unit == "instructions" else Evidence.REVISION
    width = 0 if unit == "instructions" else 0.01
    reason = "too noisy: ±3.0%" if change is Change.UNDECIDED else ""
    return Finding(
        evidence, "count", variant, "cc-era", f"cond1 {change}", unit, 8000.0, 8000.0 / ratio,
        ratio, ratio - width, ratio + width, 0.01, change, reason,
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
    remarks=("2 of 7 variants have compiled to the very code of HEAD",),
)


def test_junit_has_a_case_a_row_and_their_outcomes() -> None:
    root = ElementTree.fromstring(to_junit(MIXED))
    suites = {suite.get("name"): suite for suite in root.iter("testsuite")}
    assert {name: suite.get("tests") for name, suite in suites.items()} == {
        "revision": "4", "instructions": "1", "gate": "2",
    }  # fmt: skip
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("7", "2", "1")
    assert len(list(root.iter("skipped"))) == 2
    failure = next(root.iter("failure"))
    assert "0.900 (0.890 to 0.910)" in str(failure.get("message"))


def test_services_take_the_json() -> None:
    bmf, custom = json.loads(to_bencher(MIXED)), json.loads(to_custom_bigger_is_better(MIXED))
    jsonschema.validate(bmf, BMF)
    jsonschema.validate(custom, CUSTOM)
    assert len(bmf) == len(custom) == len({entry["name"] for entry in custom}) == 5
    name = "count/word_sum/cond1 faster/cc-era/revision"
    assert bmf[name]["speed-ratio"] == {"value": 1.2, "lower_value": 1.19, "upper_value": 1.21}
    assert next(entry["value"] for entry in custom if entry["name"] == name) == 1.2


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
    plain = to_markdown(Verdict((finding(Change.SLOWER, 0.9, "x"),), ("variant x crashes",)), "")
    if "\n" not in name and "\r" not in name and not name.isspace() and name.isprintable():
        escaped = to_markdown(verdict, "")
        assert len(escaped.splitlines()) == len(plain.splitlines())
        row = next(line for line in escaped.splitlines() if "cond1 slower | 8" in line)
        assert row.replace("\\|", "").count("|") == 8
        assert "\n- :x: \\<script" in to_markdown(Verdict((), (f"<script{name}",)), "")


@pytest.mark.parametrize("unprintable", ["a\x00b", "a\x1b[2Jb"])
def test_junit_stays_xml_whatever_a_variant_is_called(unprintable: str) -> None:
    ElementTree.fromstring(to_junit(Verdict((finding(Change.SLOWER, 0.9, unprintable),))))


def test_the_answer_comes_first_and_says_it_in_one_sentence() -> None:
    assert to_markdown(MIXED, "").startswith("## dirtyscan gate: 1 variant went astray.")
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
    assert any("is 10.0 % slower than before" in " ".join(lines).replace("  ", " ") for _ in (0,))
