"""Changes to the text of a variant that move its code and do not change what it does."""

from collections.abc import Callable, Mapping

_INCLUDE, _SUMMARY = '#include "dirtyscan.h"\n', '.summary = "'
_FUNCTION = """
__attribute__((used)) static uint64_t not_called(uint64_t times, uint64_t sum)
{
    while (times--) {
        sum = sum * 31 + times;
    }
    return sum;
}
"""
_STRING = '__attribute__((used)) static const char *const unread = "a string that nobody reads";\n'


def _bytes_before(count: int) -> Callable[[str], str]:
    code = f'__asm__(".text\\n\\t.skip {count}, 0x90");\n'
    return lambda text: text.replace(_INCLUDE, _INCLUDE + code)


HARMLESS: Mapping[str, Callable[[str], str]] = {
    "16 bytes before": _bytes_before(16),
    "a function before": lambda text: text.replace(_INCLUDE, _INCLUDE + _FUNCTION),
    "32 bytes before": _bytes_before(32),
    "a longer summary": lambda text: text.replace(_SUMMARY, f"{_SUMMARY}of the same code: "),
    "48 bytes before": _bytes_before(48),
    "a function behind": lambda text: text + _FUNCTION,
    "an unread string": lambda text: text.replace(_INCLUDE, _INCLUDE + _STRING),
}
"""What is done to the text of a variant that changes where it lies and not what it does."""
MOVED = ("word_test", "two_level", "multi_page", "word_sum")
