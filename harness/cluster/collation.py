"""Collation: the results of many hosts in one table, and how far the hosts agree."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from harness.base.errors import BadInput
from harness.base.files import write_text
from harness.presentation.table import Column, Row, Table, format_number, make_table
from harness.results.hosts import HOSTS

_KEYS: Mapping[str, tuple[str, ...]] = {
    "speedups.csv": ("condition", "origin", "variant", "toolchain"),
    "claims.csv": ("claim", "workload", "variant", "toolchain"),
}
"""What tells the rows of a table apart, on every host alike."""
_COLUMNS = (
    Column("on", lambda row: str(row["trace"])),
    Column("variant", whole=True),
    Column("hosts", right=True),
    Column("median", lambda row: format_number(row["median"]), right=True, whole=True),
    Column("lowest", lambda row: _at(row, "low"), right=True),
    Column("highest", lambda row: _at(row, "high"), right=True),
)


def collate(folder: Path, hosts: Sequence[str], table: str) -> pd.DataFrame:
    """Put ``table`` of every host's folder into one, written to ``hosts.csv`` in ``folder``.

    Returns:
        The rows of all, with the host of each in the first column.

    Raises:
        BadInput: one cannot be read, or the table not be written.
    """
    frames = []
    for host in hosts:
        path = folder / host / table
        try:
            rows = pd.read_csv(path, keep_default_na=False)
        except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
            raise BadInput(f"{path} cannot be read ({error}); measure {host} anew.") from None
        rows.insert(0, "host", host)
        frames.append(rows)
    joined = pd.concat(frames, ignore_index=True)
    write_text(folder / HOSTS, str(joined.to_csv(index=False)))
    return joined


def agreement_table(rows: pd.DataFrame, table: str) -> Table | None:
    """Return how far the speedups of the hosts lie apart; None for a table with other rows."""
    if table not in _KEYS:
        return None
    keys = list(_KEYS[table])
    rows = rows.assign(speedup=pd.to_numeric(rows["speedup"], errors="coerce"))
    rows = rows[rows["speedup"].notna()]
    found = []
    for _, group in rows.groupby(keys, sort=False):
        ordered = group.sort_values("speedup").to_dict("records")
        low, high = ordered[0], ordered[-1]
        found.append(
            {
                "trace": f"{low[keys[0]]} {low[keys[1]]}",
                "variant": low[keys[2]],
                "hosts": len(ordered),
                "median": group["speedup"].median(),
                "low": low["speedup"], "low_host": low["host"],
                "high": high["speedup"], "high_host": high["host"],
            }
        )  # fmt: skip
    return make_table(_COLUMNS, found)


def _at(row: Row, end: str) -> str:
    return f"{format_number(row[end])} on {row[f'{end}_host']}"
