"""What the gate found, as other programs read it: Markdown, JUnit, JSON, annotations.

To add a format, write a function from the verdict to text, and enter it in :data:`FORMATS`. What
takes long to load is loaded where it is used, since the command's help lists the formats.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from harness.base.errors import BadInput
from harness.gate.finding import Basis, Change, Finding, Verdict
from harness.native.finding import find_variant
from harness.native.manifest_tables import MANIFEST
from harness.presentation import gate_words as words


def _xml(text: str) -> str:
    """Return ``text`` without what XML cannot hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


# What GitHub makes a link of after it has rendered the Markdown, telling people and issues of it.
_REFERENCE = re.compile(r"@|#|GH(?=-)|:(?=//)|www(?=\.)", re.IGNORECASE)
_NOTHING = "&#8203;"  # a space of no width


def _escape_markdown(text: str) -> str:
    """Return ``text`` so that GitHub shows it as it is, whatever is in it, and tells nobody."""
    line = re.sub(r"[\r\n]+", " ", _xml(text)).replace("&", "&amp;")
    line = re.sub(r"([\\`*_{}\[\]<>|~])", r"\\\1", line)
    return _REFERENCE.sub(rf"\g<0>{_NOTHING}", line)


def to_markdown(verdict: Verdict) -> str:
    """Return the verdict for a pull request."""
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        trim_blocks=True,
        autoescape=False,  # Markdown; what comes from outside goes through the filter md
        undefined=jinja2.StrictUndefined,
    )
    templates.filters["md"] = _escape_markdown
    template = templates.get_template("gate.md.jinja")
    text = template.render(verdict=verdict, words=words, Basis=Basis, Change=Change)
    # With a line of nothing behind it, for another gate may be added to the same summary.
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n\n"


def to_annotations(verdict: Verdict) -> Iterator[str]:
    """Yield GitHub's workflow commands: errors for what got slower, warnings for what is open.

    The first says what was compared.
    """
    if verdict.empty:
        yield _command("warning", "nothing was compared", words.comparisons(verdict))
    else:
        yield _command("notice", "compared", words.comparisons(verdict))
    for operation, variant, sentence in _slower(verdict):
        yield _command("error", f"{variant} got slower", sentence, operation, variant)
    for sentence in verdict.broken:
        yield _command("error", "a variant went astray", sentence)
    for sentence in words.undecided(verdict):
        yield _command("warning", "not decided", sentence)


def _slower(verdict: Verdict) -> Iterator[tuple[str, str, str]]:
    """Yield the operation and the variant of what got slower, with a sentence each."""
    for (operation, variant), group in itertools.groupby(
        sorted(verdict.having(Change.SLOWER), key=_file_of), _file_of
    ):
        for sentence in words.summaries(list(group), Change.SLOWER):
            yield operation, variant, sentence


def _file_of(finding: Finding) -> tuple[str, str]:
    return finding.operation, finding.variant


def _source(operation: str, variant: str) -> Path | None:
    """Return the file of a variant from the current folder; None if it is not below that."""
    try:
        source = find_variant(variant, operation).sources[0].resolve()
    except BadInput:  # one of a user's own, known by its path alone
        return None
    here = Path.cwd()
    return source.relative_to(here) if source.is_relative_to(here) else None


def _command(kind: str, title: str, text: str, operation: str = "", variant: str = "") -> str:
    source = _source(operation, variant) if variant else None
    place = f"file={source}," if source else ""
    title = re.sub(r"[,:%\s]+", " ", title)
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind} {place}title={title}::{escaped}"


def to_junit(verdict: Verdict) -> str:
    """Return JUnit XML: a test case a row; slower ones are failures, undecided ones are skipped.

    The first case says what was compared, and is skipped if that is nothing. A class is named after
    the evidence, the operation, the variant and the toolchain, so that no two cases are the same to
    who keeps their history. It is what Jenkins' junit-10.xsd takes.
    """
    from xml.etree import ElementTree

    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

    document = JUnitXml("dirtyscan gate")

    def add_suite(name: str, cases: list[TestCase]) -> None:
        suite = TestSuite(name)
        suite.add_testcases(cases)
        document.add_testsuite(suite)

    def of_gate(name: str, result: Error | Skipped) -> TestCase:
        case = TestCase(name, classname="gate")
        case.result = [result]
        return case

    def of_row(row: Finding) -> TestCase:
        names = f"{row.basis}.{row.operation}.{row.variant} ({row.toolchain})"
        case = TestCase(_xml(row.trace), classname=_xml(names))
        speed = f"speed {row.ratio:.3f} ({words.interval(row) or 'exact'})"
        said = f"{words.values(row)}: {speed}"
        if row.change is Change.SLOWER:
            case.result = [Failure(f"slower: {said}", "slower")]
        elif row.change is Change.UNDECIDED:
            case.result = [Skipped(row.reason)]
        case.system_out = said
        return case

    compared = _xml(words.comparisons(verdict))
    first = TestCase("compared", classname="gate")
    first.system_out = compared
    if verdict.empty:
        first.result = [Skipped(f"nothing was compared: {compared}")]
    failed = [of_gate("failed", Error(_xml(sentence))) for sentence in verdict.broken]
    undecided = [of_gate("undecided", Skipped(_xml(sentence))) for sentence in verdict.undecided]
    add_suite("gate", [first, *failed, *undecided])
    for basis in Basis:
        if rows := verdict.of(basis):
            add_suite(basis.value, [of_row(row) for row in rows])
    document.update_statistics()
    root = ElementTree.fromstring(document.tostring())
    root.attrib.pop("skipped", None)  # which Jenkins' schema has for a suite alone
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def to_custom_bigger_is_better(verdict: Verdict) -> str:
    """Return the JSON that github-action-benchmark takes as ``customBiggerIsBetter``.

    It is a list of series, so that what was compared stands in each, and nothing compared is none.
    Beside each ratio, in which a slow drift is lost, stand the speeds of both sides by themselves.
    """
    against = {one.basis: one.against for one in verdict.compared}
    entries: list[dict[str, object]] = []
    for row in verdict.findings:
        beside = row.against or against[row.basis]
        entries.append(
            {
                "name": row.name,
                "unit": "speed after / before",
                "value": round(row.ratio, 6),
                "range": f"± {(row.high - row.low) / 2:.4f}",
                "extra": f"{words.values(row)}; {row.change}; against {beside}",
            }
        )
        entries += [
            {
                "name": f"{row.name}/{side}",
                "unit": "calls a second",
                "value": float(f"{1e9 / nanoseconds:.6g}"),
                "extra": f"{nanoseconds:.6g} ns a call",
            }
            for side, nanoseconds in zip(_SIDES, row.nanoseconds or (), strict=False)
        ]
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"


_SIDES = ("beside", "variant")
"""What the two of :attr:`harness.gate.finding.Finding.nanoseconds` are called."""


def to_code_quality(verdict: Verdict) -> str:
    """Return GitLab's code quality report: an issue for each variant that got slower."""
    issues = []
    for operation, variant, sentence in _slower(verdict):
        names = f"{operation} {variant} {sentence.partition(' is ')[0]}"
        path = str(_source(operation, variant) or MANIFEST)
        issues.append(
            {
                "description": f"{variant} got slower: {sentence}",
                "check_name": "dirtyscan",
                "fingerprint": hashlib.sha256(names.encode(errors="replace")).hexdigest(),
                "severity": "major",
                "location": {"path": path, "lines": {"begin": 1}},
            }
        )
    return json.dumps(issues, indent=1) + "\n"


_BENCHER_MEASURES = {"ns": "latency", "times": "speedup", "instructions": "instructions-per-page"}


def to_bencher(verdict: Verdict) -> str:
    """Return the JSON that Bencher takes (Bencher Metric Format): ratios, and both sides in ns."""
    document = {
        row.name: {
            "speed-ratio": {"value": row.ratio, "lower_value": row.low, "upper_value": row.high},
            _BENCHER_MEASURES[row.unit]: {"value": row.after},
            **{
                f"latency-{side}": {"value": nanoseconds}
                for side, nanoseconds in zip(_SIDES, row.nanoseconds or (), strict=False)
            },
        }
        for row in verdict.findings
    }
    return json.dumps(document, indent=1) + "\n"


class Format(NamedTuple):
    """A file that the gate can write."""

    what: str
    """For the help."""
    write: Callable[[Verdict], str]


FORMATS: Mapping[str, Format] = {
    "markdown": Format("Markdown, for a pull request", to_markdown),
    "junit": Format("JUnit XML", to_junit),
    "json": Format(
        "JSON for github-action-benchmark (customBiggerIsBetter)", to_custom_bigger_is_better
    ),
    "bmf": Format("JSON for Bencher (BMF)", to_bencher),
    "code-quality": Format("a code quality report for GitLab", to_code_quality),
}
"""By the option that asks for it."""
