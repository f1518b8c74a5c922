"""How long dirtyscan is tried with random input: in hundreds of ways, and nightly in thousands."""

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")
EXAMPLES = {"ci": 300, "nightly": 20_000}

for profile in EXAMPLES:
    # How fast a machine is says nothing about what is tested, so nothing depends on the clock; and
    # what is tried differs from run to run, also where Hypothesis sees a CI service.
    settings.register_profile(
        profile,
        deadline=None,
        derandomize=False,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(PROFILE)

_many = settings(
    max_examples=EXAMPLES[PROFILE],
    # The examples of a test share its fixtures: a folder, in which each writes its file anew.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def fuzz(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test of a property, above its ``@given``, that nothing random may break."""
    marked: Callable[..., None] = pytest.mark.fuzz(_many(test))
    return marked
