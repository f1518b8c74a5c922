"""The captured traces that come with dirtyscan, one a condition; ``make capture`` remakes them."""

from pathlib import Path

FOLDER = Path(__file__).parent


def captured_trace(condition: str) -> Path | None:
    """Return the captured trace of ``condition``, or None if there is none."""
    path = FOLDER / f"{condition}.trace"
    return path if path.exists() else None
