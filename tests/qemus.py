"""The QEMUs that tests run: the distribution's, and a newer one beside it."""

import pytest

from tests.needs import needs

OLD, NEW = "qemu-system-x86_64", "qemu10-system-x86_64"
"""``.ci/packages`` takes the second from bookworm-backports."""

each_qemu = pytest.mark.parametrize(
    "qemu", [pytest.param(program, marks=needs(program)) for program in (OLD, NEW)]
)
