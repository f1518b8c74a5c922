"""The disk that a captured guest reads: gigabytes of real data in less than a megabyte.

A qcow2 image says for every cluster of the disk where its data lie in the file. Here all clusters
lie in the same place, so a file of one cluster of data is a disk of any size. It is written for
reading only: its table of reference counts is there, as it must be, and empty. (QEMU:
docs/interop/qcow2.txt.)
"""

import struct
from pathlib import Path

import numpy as np

CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
_COPIED = 1 << 63


def make_disk(path: Path, size: int) -> None:
    """Write a qcow2 image of ``size`` bytes whose pages all hold data without a pattern."""
    clusters = -(-size // CLUSTER)
    per_table = CLUSTER // 8
    tables = -(-clusters // per_table)
    # In clusters from the start of the file, the header being cluster 0.
    references, table_of_tables = 1, 2
    first_table = table_of_tables + -(-tables * 8 // CLUSTER)
    data = first_table + tables
    header = struct.pack(
        ">4sIQIIQIIQQIIQ",
        b"QFI\xfb",
        2,  # version
        0, 0,  # no backing file
        CLUSTER_BITS,
        size,
        0,  # not encrypted
        tables,
        table_of_tables * CLUSTER,
        references * CLUSTER, 1,
        0, 0,  # no snapshots
    )  # fmt: skip
    with path.open("wb") as file:
        file.write(header)
        file.seek(table_of_tables * CLUSTER)
        for number in range(tables):
            file.write(struct.pack(">Q", (first_table + number) * CLUSTER | _COPIED))
        file.seek(first_table * CLUSTER)
        file.write(struct.pack(">Q", data * CLUSTER) * clusters)
        file.seek(data * CLUSTER)
        file.write(np.random.PCG64(1).random_raw(CLUSTER // 8).astype("<u8").tobytes())
