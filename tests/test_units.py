import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput
from harness.base.units import format_size, parse_size


@given(st.integers(0, 2**60))
def test_a_size_that_was_written_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MiB", 2**29), ("1 GiB", 2**30), ("4096", 4096), ("2t", 2**41), (" 64k ", 2**16)],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1.5GiB", "512MB", "1e9", "0x10", "12 apples"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a size"):
        parse_size(text)
