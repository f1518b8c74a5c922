"""What names somebody's machine: it says nothing of a measurement, and is taken out of a result."""

import getpass
import json
import os
import pwd
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PRIVATE = ("hostname", "python_executable", "python_config_args")
"""Names in pyperf's file under which it stands."""
_PATH = re.compile(
    r"""((?:^|(?<=[\s"'`=(\[<{,;:|])|(?<=//))"""
    r"""(?:-(?:I|L|B|F|C|o|isystem|isysroot|idirafter|iquote|imacros|include))?)"""
    r"""((?:~[\w.-]*/|/(?!/))[^\s"'`,;:()\[\]<>{}|]+)"""
)
"""What stands before an absolute path, or one of a home, and the path: at the start of a word, or
behind a compiler's option that takes one."""
_HOME = re.compile(r"(?:/(?:home|Users|root|var/home)(?:/[^/]+)?|~[^/]*)/?")
_SOMEWHERE, SOMEBODY = "somewhere", "somebody"
_NOBODY = ("root", "localhost")
"""Names that are those of everybody."""
_DEEPEST = 50


def own_words() -> tuple[str, ...]:
    """Return what this machine and its user are called."""
    host = os.uname().nodename
    found = [host, host.partition(".")[0], getpass.getuser()]
    try:
        account = pwd.getpwuid(os.getuid())
        found += [account.pw_name, *account.pw_gecos.split(",")[:1]]
    except KeyError:  # of a container whose user has no account
        pass
    unlike = (word for word in found if len(word) > 1 and word not in _NOBODY)
    return tuple(sorted(dict.fromkeys(unlike), key=len, reverse=True))


def scrub(name: str, data: bytes, words: Sequence[str] = ()) -> bytes:
    """Return the content of a member of a result without what names somebody's machine.

    A path keeps its last part, which may be what a variant is called by.

    Args:
        name: of the member; one of JSON is read, others are text.
        words: what is taken out besides.

    Raises:
        ValueError: it is no text, or no JSON.
    """
    text = data.decode("utf-8")
    if not name.endswith(".json"):
        clean = _clean(text, words)
        return data if clean == text else clean.encode()
    document = json.loads(text)
    clean_document = _clean_document(document, words)
    if clean_document == document:
        return data
    return (json.dumps(clean_document, indent=1) + "\n").encode()


def scrub_name(name: str, words: Sequence[str]) -> str:
    """Return a name without ``words``, as :func:`scrub` takes them out of what is called by it."""
    for word in words:
        name = _word(word).sub(SOMEBODY, name)
    return name


def scrub_path(path: str, words: Sequence[str]) -> str:
    """Return the path of a member without ``words`` in the names of its folders.

    The file's own name says which table or document it is.
    """
    folders, slash, file = path.rpartition("/")
    return f"{'/'.join(scrub_name(part, words) for part in folders.split('/'))}{slash}{file}"


def find_word(text: str, words: Sequence[str]) -> str:
    """Return the first of ``words`` in ``text``; empty if there is none."""
    for word in words:
        if match := _word(word).search(text):
            return match.group()
    return ""


def find_private(name: str, data: bytes, words: Sequence[str] = ()) -> str:
    """Return the first thing in a member that :func:`scrub` would take out; empty if nothing.

    Raises:
        ValueError: see :func:`scrub`.
    """
    text = data.decode("utf-8")
    strings = _strings(json.loads(text)) if name.endswith(".json") else iter([text])
    for string in strings:
        if string in PRIVATE:
            return string
        if match := _PATH.search(string):
            return match[2]
        if word := find_word(string, words):
            return word
    return ""


def _clean(text: str, words: Sequence[str]) -> str:
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(f"{home}/", "~/")
    # Again, as what is left of one path may be another; there is a slash less each time.
    while (less := _PATH.sub(lambda match: match[1] + _last_part(match[2]), text)) != text:
        text = less
    return scrub_name(text, words)


def _last_part(path: str) -> str:
    if _HOME.fullmatch(path):
        return _SOMEWHERE
    return path.rstrip("/").rpartition("/")[2] or _SOMEWHERE


def _word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w-])")


def _clean_document(value: Any, words: Sequence[str], depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in PRIVATE}
        clean = {
            _clean(key, words): _clean_document(item, words, depth + 1)
            for key, item in kept.items()
        }
        if len(clean) < len(kept):
            raise ValueError("two of its names are one without what names a machine")
        return clean
    if isinstance(value, list):
        return [_clean_document(item, words, depth + 1) for item in value]
    return _clean(value, words) if isinstance(value, str) else value


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield all texts of a document, names among them."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, depth + 1)
