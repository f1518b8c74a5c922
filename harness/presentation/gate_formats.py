"""What the gate found, as other programs read it: Markdown, JUnit, JSON, annotations."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import jinja2
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.base.errors import BadInput
from harness.gate.finding import Change, Evidence, Finding, Verdict
from harness.native.variant import find_variant
from harness.presentation.gate_words import (
    amount,
    comparisons,
    headline,
    interval,
    remarks,
    summaries,
    values,
)

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    trim_blocks=True,
    autoescape=False,  # Markdown; what comes from outside goes through the filter md
    undefined=jinja2.StrictUndefined,
)


# What GitHub makes a link of after it has rendered the Markdown, telling people and issues of it.
_REFERENCE = re.compile(r"@|#|GH(?=-)|:(?=//)|www(?=\.)", re.IGNORECASE)
_NOTHING = "&#8203;"  # a space of no width


def _escape_markdown(text: str) -> str:
    """Return ``text`` so that GitHub shows it as it is, whatever is in it, and tells nobody."""
    line = re.sub(r"[\r\n]+", " ", _xml(text)).replace("&", "&amp;")
    line = re.sub(r"([\\`*_{}\[\]<>|~])", r"\\\1", line)
    return _REFERENCE.sub(rf"\g<0>{_NOTHING}", line)


_TEMPLATES.filters["md"] = _escape_markdown


def to_markdown(verdict: Verdict, machine: str) -> str:
    """Return the verdict for a pull request; ``machine`` says where it was measured."""
    findings = verdict.findings
    grouped = {e: [f for f in findings if f.evidence is e] for e in Evidence}
    text = _TEMPLATES.get_template("gate.md.jinja").render(
        headline=headline(verdict),
        compared=comparisons(verdict),
        broken=verdict.broken,
        slower=summaries(findings, Change.SLOWER),
        faster=summaries(findings, Change.FASTER),
        undecided=[*summaries(findings, Change.UNDECIDED), *verdict.undecided],
        tables=[(evidence, rows) for evidence, rows in grouped.items() if rows],
        remarks=remarks(verdict),
        machine=machine,
        amount=amount,
        interval=interval,
    )
    # With a line of nothing behind it, for another gate may be added to the same summary.
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n\n"


def to_annotations(verdict: Verdict) -> Iterator[str]:
    """Yield GitHub's workflow commands: errors for what got slower, warnings for what is open.

    The first says what was compared.
    """
    if verdict.empty:
        yield _command("warning", "nothing was compared", comparisons(verdict))
    else:
        yield _command("notice", "compared", comparisons(verdict))
    for (operation, variant), group in itertools.groupby(
        sorted(verdict.having(Change.SLOWER), key=_file_of), _file_of
    ):
        for sentence in summaries(list(group), Change.SLOWER):
            yield _command("error", f"{variant} got slower", sentence, operation, variant)
    for sentence in verdict.broken:
        yield _command("error", "a variant went astray", sentence)
    undecided = summaries(verdict.findings, Change.UNDECIDED)
    for sentence in (*undecided, *verdict.undecided):
        yield _command("warning", "not decided", sentence)


def _file_of(finding: Finding) -> tuple[str, str]:
    return finding.operation, finding.variant


def _command(kind: str, title: str, text: str, operation: str = "", variant: str = "") -> str:
    place = ""
    try:
        source = find_variant(variant, operation).sources[0] if variant else None
        if source and source.resolve().is_relative_to(Path.cwd()):
            place = f"file={source.resolve().relative_to(Path.cwd())},"
    except BadInput:
        pass  # one of a user's own, known by its path alone
    title = re.sub(r"[,:%\s]+", " ", title)
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind} {place}title={title}::{escaped}"


def _xml(text: str) -> str:
    """Return ``text`` without what XML cannot hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


def to_junit(verdict: Verdict) -> str:
    """Return JUnit XML: a test case a row; slower ones are failures, undecided ones are skipped.

    The first case says what was compared, and is skipped if that is nothing.
    """
    document = JUnitXml("dirtyscan gate")
    first = TestCase("compared", classname="gate")
    first.system_out = _xml(comparisons(verdict))
    if verdict.empty:
        first.result = [Skipped(_xml(f"nothing was compared: {comparisons(verdict)}"))]
    others = [_error("failed", sentence, Error) for sentence in verdict.broken]
    others += [_error("undecided", sentence, Skipped) for sentence in verdict.undecided]
    suite = TestSuite("gate")
    suite.add_testcases([first, *others])
    document.add_testsuite(suite)
    for evidence in Evidence:
        rows = [finding for finding in verdict.findings if finding.evidence is evidence]
        if rows:
            suite = TestSuite(evidence.value)
            suite.add_testcases([_test_case(row) for row in rows])
            document.add_testsuite(suite)
    document.update_statistics()
    return str(document.tostring().decode()) + "\n"


def _test_case(finding: Finding) -> TestCase:
    case = TestCase(_xml(finding.trace), classname=_xml(f"{finding.operation}.{finding.variant}"))
    said = f"{values(finding)}: speed {finding.ratio:.3f} ({interval(finding) or 'exact'})"
    if finding.change is Change.SLOWER:
        case.result = [Failure(f"slower: {said}", "slower")]
    elif finding.change is Change.UNDECIDED:
        case.result = [Skipped(finding.reason)]
    case.system_out = f"{said}; {finding.toolchain}"
    return case


def _error(name: str, sentence: str, kind: type[Error] | type[Skipped]) -> TestCase:
    case = TestCase(name, classname="gate")
    case.result = [kind(_xml(sentence))]
    return case


def to_custom_bigger_is_better(verdict: Verdict) -> str:
    """Return the JSON that github-action-benchmark takes as ``customBiggerIsBetter``.

    It is a list of series, so that what was compared stands in each, and nothing compared is none.
    """
    against = {one.evidence: one.against for one in verdict.compared}
    entries = [
        {
            "name": finding.name,
            "unit": "speed after / before",
            "value": round(finding.ratio, 6),
            "range": f"± {(finding.high - finding.low) / 2:.4f}",
            "extra": f"{values(finding)}; {finding.change}; against {against[finding.evidence]}",
        }
        for finding in verdict.findings
    ]
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"


def to_bencher(verdict: Verdict) -> str:
    """Return the JSON that Bencher takes (Bencher Metric Format)."""
    document = {
        finding.name: {
            "speed-ratio": {
                "value": finding.ratio,
                "lower_value": finding.low,
                "upper_value": finding.high,
            },
            **_measure(finding),
        }
        for finding in verdict.findings
    }
    return json.dumps(document, indent=1) + "\n"


def _measure(finding: Finding) -> dict[str, dict[str, float]]:
    slug = {"ns": "latency", "times": "speedup", "instructions": "instructions-per-page"}
    return {slug[finding.unit]: {"value": finding.after}}
