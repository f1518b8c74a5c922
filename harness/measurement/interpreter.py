"""An interpreter's work before each snapshot, in place of the stopwatch's own.

A migration counts its dirty pages once in 100 ms. What else the CPU has run by then is in its
caches and its branch predictor, and what it knew of the last count is not. The stopwatch has other
work of its own for that (``harness/native/other_work.c``), made for it and short. This here is
work as programs do it, and takes as long as one likes: what shows whether the other is enough.
"""

import json
import random
import re
import time
import zlib

_WORDS = [
    "page",
    "dirty",
    "guest",
    "memory",
    "migration",
    "tick",
    "bitmap",
    "flag",
    "snapshot",
    "round",
    "host",
    "vector",
]
_PAIR = re.compile(r"([a-m]\w+) ([n-z]\w+)|(\d+)\.(\d)")


class InterpreterWork:
    """Work of an interpreter that is another each time, for as long as is asked for."""

    def __init__(self, milliseconds: float, seed: int) -> None:
        self._seconds = milliseconds * 1e-3
        self._random = random.Random(seed)

    def __call__(self) -> None:
        """Do it."""
        end = time.perf_counter() + self._seconds
        while time.perf_counter() < end:
            words = self._random.choices(_WORDS, k=200)
            numbers = [self._random.random() for _ in words]
            text = " ".join(
                f"{word} {number:.3f}" for word, number in zip(words, numbers, strict=True)
            )
            read = json.loads(json.dumps({"text": text, "numbers": numbers}))
            found = _PAIR.findall(read["text"])
            zlib.compress(text.encode())
            sorted(read["numbers"], key=lambda number: number * len(found) % 1)
