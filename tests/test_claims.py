"""Claims: what is said of one, and that it is settled without code."""

import json
from pathlib import Path

import pandas as pd
import pytest

from harness.claims.claim import find_claim, find_claims, read_claims
from harness.cli import main
from harness.kernel.claimed import CLAIMED
from harness.native.variant import built_in_variants
from tests.conftest import Run
from tests.test_guest import METHOD_NAMES
from workloads.conditions import CONDITIONS


def test_the_letters_claims_are_the_letters() -> None:
    ranges = {
        condition: (claim.low, claim.high)
        for claim in read_claims()
        for condition in claim.conditions
        if claim.name.startswith("letter-")
    }
    assert ranges["cond1"] == ranges["cond3"] == (8, 16)
    assert ranges["cond2"] == ranges["cond2-full"] == pytest.approx((0.25, 1 / 3))
    assert ranges["cond4"] == (2, 16)


def test_claims_name_what_exists() -> None:
    for claim in read_claims():
        of_kernel = claim.operation in CLAIMED
        known = METHOD_NAMES if of_kernel else built_in_variants(claim.operation)
        assert claim.original in known
        assert claim.variant in known
        assert set(claim.conditions) <= set(CONDITIONS)
        assert 0 < claim.low <= claim.high


ENTRY = """
[[claim]]
name = "mine"
source = "me"
date = "2026"
operation = "drain"
original = "fetch_and_all"
variant = "skip_clean"
density = 0.1
guest_memory = "64MiB"
figure = 2.0
note = ""
"""
ABOUT_CONDITIONS = ENTRY.replace('density = 0.1\nguest_memory = "64MiB"', 'conditions = ["cond1"]')
BAD = {
    "no TOML": (
        "[[claim]]\nname = \n",
        "claims mine.toml cannot be read: it is no TOML: Invalid value (at line 2",
    ),
    "no tables": ('claim = "x"', "claims mine.toml have no [[claim]] tables"),
    "a field too few": (
        ENTRY.replace('note = ""', ""),
        "mine.toml cannot be used: Object missing required field note;",
    ),
    "a field too many": (
        ENTRY + "colour = 1",
        "mine.toml cannot be used: Object contains unknown field colour;",
    ),
    "operation": (ENTRY.replace('"drain"', '"sort"'), "operation 'sort' is not known"),
    "variant": (ENTRY.replace("skip_clean", "skip_all"), "variant 'skip_all' of operation drain"),
    "other operation": (ENTRY.replace("skip_clean", "per_word"), "variant 'per_word' of operation"),
    "two workloads": (ENTRY + 'conditions = ["cond1"]', "is about conditions and density"),
    "no workload": (ENTRY.replace("density = 0.1", ""), "is about nothing; give one workload"),
    "condition": (ABOUT_CONDITIONS.replace("cond1", "cond9"), "'cond9' is not known"),
    "density": (ENTRY.replace("= 0.1", "= 1.5"), "Expected float <= 1.0 in density"),
    "no number": (ENTRY.replace("= 0.1", "= nan"), "Expected float >= 0.0 in density"),
    "map": (ENTRY.replace("= 0.1", "= 0.9\nmean_run = 2.0"), "give a mean run of at least 9"),
    "figure": (ENTRY.replace("= 2.0", '= "twice"'), "Expected float, got str in figure"),
    "no figure": (ENTRY.replace("figure = 2.0", ""), "needs either a figure, or a range from low"),
    "both": (ENTRY + "low = 1.0", "needs either a figure, or a range from low"),
    "range": (ENTRY.replace("figure = 2.0", "low = 2\nhigh = 1"), "its high is below its low"),
    "only high": (ENTRY + "high = 3.0", "its high is below its low, or without one"),
    "size": (ENTRY.replace('"64MiB"', '"big"'), "'big' is not a size"),
    "toolchain": (ENTRY + 'toolchain = "icc-fast"', "toolchain 'icc-fast' is not known"),
    "beside": (
        ENTRY + 'beside = "cc-distro"',
        "its beside goes with a toolchain, which it has not",
    ),
    "no size": (ENTRY.replace('guest_memory = "64MiB"', ""), "its density needs a guest_memory"),
    "small": (ENTRY.replace('"64MiB"', '"8KiB"'), "guest memory of 8KiB is 2 pages"),
    "scale": (ENTRY + 'scaled_to = "1GiB"', "is scaled to more than its guest_memory"),
    "runs": (ENTRY + "run = 2\nmean_run = 2", "it has both mean_run and run; give one"),
    "run": (ENTRY.replace("density = 0.1", 'run = 2\ntrace = "t"'), "its run goes with a density"),
    "no conditions": (ABOUT_CONDITIONS.replace('"cond1"', ""), "of length >= 1 in conditions"),
    "no claims": ("claim = []", "claims mine.toml have no [[claim]] tables; see"),
    "nothing": ("", "claims mine.toml have no [[claim]] tables; see"),
    "other tables": (ENTRY.replace("[[claim]]", "[[claims]]"), "no [[claim]] tables but 'claims'"),
    "twice": (ENTRY + ENTRY, "claims mine.toml have 2 claims called 'mine'"),
    "itself": (ENTRY.replace("skip_clean", "fetch_and_all"), "compares fetch_and_all with itself"),
    "no name": (ENTRY.replace('"mine"', '""'), "Expected str of length >= 1 in name"),
    "long name": (ENTRY.replace('"mine"', f'"{"x" * 9999}"'), "Expected str of length <= 200"),
    "number for a name": (ENTRY.replace('"mine"', f"0x{'f' * 5000}"), "Expected str, got int in"),
    "control": (ENTRY.replace('"mine"', r'"\u001b[2J"'), "its name has a control character"),
    "NUL": (ENTRY.replace("density = 0.1", r'trace = "a\u0000b"'), "its trace has a control char"),
    "long path": (ENTRY.replace('"skip_clean"', f'"{"x" * 4000}.c"'), "a variant cannot be called"),
    "digits": (
        ENTRY.replace("2.0", "2" * 5000),
        "mine.toml cannot be read: it has a number with too many digits",
    ),
    "deep": ("x = " + "[" * 100_000, "mine.toml cannot be read: it is nested too deeply"),
}


@pytest.mark.parametrize("what", BAD)
def test_claims_that_cannot_be_read(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, sentence = BAD[what]
    (tmp_path / "mine.toml").write_text(text)
    for action in ("list", "run"):
        assert main(["claims", action, "--claims", str(tmp_path / "mine.toml")]) == 2
        said = capsys.readouterr()
        assert sentence in said.err
        assert len(said.err.splitlines()) == 1
        assert not said.out


def test_names_are_not_markup_and_texts_may_have_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = ENTRY.replace('"mine"', '"[/b]"').replace('note = ""', 'note = """a\n [bold]b"""')
    (tmp_path / "mine.toml").write_text(entry.replace('"2026"', "2026-11-25"))
    assert main(["claims", "list", "--claims", str(tmp_path / "mine.toml")]) == 0
    (line,) = capsys.readouterr().out.splitlines()[1:]
    assert line.startswith("[/b]  2026-11-25 ")
    assert line.rstrip().endswith("a [bold]b")


def test_a_claim_that_is_not_known(dirtyscan: Run) -> None:
    done = dirtyscan("claims", "run", "letter-cond9")
    assert done.returncode == 2
    assert "claim 'letter-cond9' is not known; choose from letter-cond1" in done.stderr


def test_a_claim_is_found_once_however_often_it_is_named() -> None:
    found = find_claims(["letter-cond2", "letter-cond1", "letter-cond2"])
    assert [claim.name for claim in found] == ["letter-cond2", "letter-cond1"]


def test_claims_are_listed(dirtyscan: Run) -> None:
    done = dirtyscan("claims")
    assert done.returncode == 0
    assert {claim.name for claim in read_claims()} <= set(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.usefixtures("short_runs")
def test_a_claim_of_ones_own_is_settled_without_code(dirtyscan: Run, tmp_path: Path) -> None:
    entry = ENTRY.replace('"fetch_and_all"', '"skip_lines_vector"')
    entry = entry.replace('"skip_clean"', '"mine.c"').replace("figure = 2.0", "low = 0.001")
    source = built_in_variants("drain")["skip_lines_vector"].sources[0]
    (tmp_path / "mine.c").write_text(source.read_text(encoding="utf-8"))
    (tmp_path / "mine.toml").write_text(entry)
    options = ["--claims", "mine.toml", "--precision", "50%", "--budget", "600"]
    done = dirtyscan("claims", "run", "mine", *options)
    if "which this CPU lacks" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    (row,) = pd.read_csv(tmp_path / "results/claims/claims.csv").to_dict("records")
    assert row["verdict"] == "reproduced"
    assert row["guest_memory_bytes"] == 64 * 2**20
    assert row["captured_low"] <= row["captured_high"]
    assert (tmp_path / "plots/claims.png").stat().st_size > 5000
    environment = json.loads((tmp_path / "results/claims/environment.json").read_text())
    assert environment["toolchains"]


def test_a_pair_without_a_claim_has_none() -> None:
    assert find_claim("count", "page_by_page", "multi_page", "cond1")
    assert find_claim("count", "page_by_page", "page_by_page", "cond1") is None
    assert find_claim("count", "page_by_page", "multi_page", None) is None


def test_names_may_follow_options(dirtyscan: Run) -> None:
    said = dirtyscan("claims", "run", "--budget", "5", "no-such-claim")
    assert (said.returncode, said.stdout) == (2, "")
    assert "no-such-claim" in said.stderr
