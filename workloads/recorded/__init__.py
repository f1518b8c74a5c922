"""The recorded traces that come with dirtyscan, one a condition; ``make record`` remakes them."""

from pathlib import Path

FOLDER = Path(__file__).parent


def recorded_trace(condition: str) -> Path | None:
    """Return the recorded trace of ``condition``, or None if there is none."""
    path = FOLDER / f"{condition}.trace"
    return path if path.exists() else None
