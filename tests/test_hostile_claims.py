"""Files of claims made of the known fields with any values: listed, or refused in one sentence."""

import contextlib
import io
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main
from tests.fuzz import fuzz

GOOD = {
    "name": '"mine"', "source": '"me"', "date": '"2026"', "operation": '"count"',
    "original": '"page_by_page"', "variant": '"multi_page"', "note": '""', "figure": "2.0",
    "conditions": '["cond1"]',
}  # fmt: skip
MAPS = {"density": "0.1", "guest_memory": '"64MiB"', "scaled_to": '"1MiB"', "mean_run": "2"}
FIELDS = (*GOOD, *MAPS, "low", "high", "run", "trace", "colour")
VALUES = st.sampled_from(
    (
        '""', '" "', '"x"', r'"\u0000"', r'"\u001b[31m"', '"[/b]"', "'''a\nb'''", '"count"',
        '"word_sum"', '"/no/such.c"', '"/etc"', '"."', f'"{"x" * 3000}.c"', '"12TiB"', '"9KiB"',
        '"mark"', '"99999999999999999999TiB"', "0", "1", "-1", "1.5", "-0.0", "1e308", "inf",
        "-inf", "nan", "9" * 4000, "9" * 5000, "0x" + "f" * 5000, "true", "2026-11-25", "07:30:00",
        "[]", "[1]", '["cond1", "cond1"]', '["cond9"]', "[[[]]]", "{}", "{a = 1}", "",
    )
)  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Draw claims that are good but for a few fields, which are left out or have any value."""
    tables = []
    for _ in range(draw(st.integers(1, 2))):
        fields = dict(GOOD)
        if draw(st.booleans()):
            del fields["conditions"]
            fields |= MAPS
        for name in draw(st.lists(st.sampled_from(FIELDS), max_size=3)):
            fields[name] = draw(VALUES)
            if draw(st.booleans()):
                del fields[name]
        lines = (f"{name} = {value}" for name, value in fields.items())
        tables.append("\n".join(("[[claim]]", *lines)))
    return "\n".join(tables)


@fuzz
@given(documents())
def test_claims_of_any_values(text: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.toml"
        path.write_text(text)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["claims", "list", "--claims", str(path)])
    said = err.getvalue()
    if status == 0:
        assert not said
        assert "page_by_page" in out.getvalue() or "count" in out.getvalue()
    else:
        assert status == 2
        assert said.startswith("dirtyscan: claim")
        assert said.endswith(".\n")
        assert said[:-1].isprintable()
        assert len(said) < 1000 + len(folder)
