"""Documents from outside, checked by type and range where they are read."""

import tomllib
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def decode_json(data: bytes, kind: type[T]) -> T:
    """Read JSON as ``kind``, a type that msgspec knows: a struct, dataclass or typed mapping.

    Raises:
        ValueError: it is none; the text says where in the document, and what was expected there.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise ValueError(_said(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is no JSON: {error}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def decode_toml(data: bytes) -> dict[str, Any]:
    """Read TOML, whatever it holds.

    Raises:
        ValueError: it is none.
    """
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is no TOML: {error}") from None
    except ValueError:  # a whole number of more digits than Python reads
        raise ValueError("it has a number with too many digits") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def convert(value: object, kind: type[T], strict: bool = True) -> T:
    """Return ``value``, made of plain mappings, lists and numbers, as ``kind``.

    Args:
        strict: whether a number must not be written as text.

    Raises:
        ValueError: see :func:`decode_json`.
    """
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise ValueError(_said(error)) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _said(error: msgspec.ValidationError) -> str:
    # "Expected `int | null`, got `str` - at `$.pages`" says the same without its marks, and null is
    # what leaving a field out comes to.
    said = str(error).replace(" | null", "").replace("`$.", "`")
    return said.replace("`", "").replace(" - at ", " in ")
