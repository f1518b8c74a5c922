"""Studies: questions over a range of maps, of sizes, of compilers, of operations.

Each is one module here, with a ``QUESTION`` and a :class:`~harness.studies.study.Study` that
answers it. What needs them (the command line, the page, the tests) takes them from this registry.
"""

import ast
import dataclasses
import functools
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.studies.study import Study

_SHARED = ("__init__", "study")
"""Modules here that are no study."""


@dataclasses.dataclass(frozen=True)
class Question:
    """What a study asks, and what may be chosen of it.

    It is written in literals alone, so that it can be read without loading what answers it.
    """

    text: str
    place: int
    """Among the other studies, in the help and on the page."""
    options: tuple[str, ...] = (
        *("variant", "toolchain", "precision", "budget", "plots", "resume", "seed"),
    )
    """Of its command, beside ``--output``."""
    sizes: str = ""
    """What the help says of ``--guest-memory``."""
    variants: str = "a name or path, as for 'dirtyscan bench'"
    """What the help says of ``--variant``."""
    budget: float = 0.0
    """Seconds that measuring takes at most, unless a user says otherwise."""
    budget_for: str = ""
    """What has so much time each, if it is not all that is measured."""
    command: str = ""
    """What asks it, if that is not ``dirtyscan study``."""


@functools.cache
def questions() -> Mapping[str, Question]:
    """Return the question of every study by the name of its module, in their places.

    Raises:
        ValueError: a module in this package has none.
    """
    paths = Path(__file__).parent.glob("*.py")
    found = {path.stem: _read_question(path) for path in paths if path.stem not in _SHARED}
    return dict(sorted(found.items(), key=lambda item: (item[1].place, item[0])))


def _read_question(path: Path) -> Question:
    """Read the ``QUESTION`` of a module from its source: loading what computes takes a second."""
    for line in ast.parse(path.read_text(encoding="utf-8")).body:
        match line:
            case ast.Assign(targets=[ast.Name(id="QUESTION")], value=ast.Call() as call):
                given = [ast.literal_eval(value) for value in call.args]
                named = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
                return Question(*given, **named)
    raise ValueError(f"{path.name} is no study: it has no QUESTION")


def load_study(name: str) -> "Study":
    """Load the study that answers the question called ``name``."""
    study: Study = importlib.import_module(f"harness.studies.{name}").STUDY
    return study
