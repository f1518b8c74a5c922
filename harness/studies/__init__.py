"""Questions over a range of maps, of sizes, of compilers, of operations."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Question:
    """What a study asks, which is known without loading what answers it."""

    name: str
    """That of its module in this package."""
    text: str
    budget: float
    """Seconds that measuring takes at most, unless a user says otherwise; 0 if it is not timed."""
    sizes: str = ""
    """What the help says of ``--guest-memory``; empty if it cannot be chosen."""


QUESTIONS: Mapping[str, Question] = {
    question.name: question
    for question in (
        Question(
            "density", "When does checking several pages at once pay?", 120.0, "default: 512MiB"
        ),
        Question(
            "size",
            "How long does a count take in guests of up to terabytes?",
            300.0,
            "may be given several times",
        ),
        Question("toolchains", "How do the letter's ratios depend on the compiler?", 150.0, ""),
        Question(
            "tick",
            "What does a design of the dirty map cost over a whole tick?",
            150.0,
            "may be given several times",
        ),
        Question(
            "assumptions",
            "How much of the letter's ratios do the models of its guests decide?",
            90.0,
            "default: 512MiB",
        ),
        Question("instructions", "Why is a variant faster on one map than on another?", 0.0),
        Question("operations", "Which variant of each operation is never far from the best?", 30.0),
    )
}
