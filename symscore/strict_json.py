"""JSON from files nobody vouches for."""

import json
import math
import re
from itertools import accumulate
from typing import Any

_MAX_DEPTH = 32
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def parse_object(text: bytes, max_bytes: int) -> dict[str, Any]:
    """Parse a JSON object that means the same to every reader of JSON.

    Refused beyond broken syntax: text longer than `max_bytes`, nesting deeper than 32, keys that
    occur twice, NaN and infinities (written out or by overflow), strings that are not Unicode.

    Raises
    ------
    ValueError
        With the reason.

    Examples
    --------
    >>> parse_object(b'{"kind": "toy", "size": 3}', 100)
    {'kind': 'toy', 'size': 3}
    """
    if len(text) > max_bytes:
        raise ValueError(f"JSON of {len(text)} bytes, more than {max_bytes}")
    # Before parsing, because the parser's own limit is the stack of the moment.
    structure = _STRING.sub(b"", text)
    if max(accumulate(_STEP.get(byte, 0) for byte in structure), default=0) > _MAX_DEPTH:
        raise ValueError(f"JSON nested deeper than {_MAX_DEPTH}")
    value = json.loads(
        text.decode("utf-8"),
        parse_constant=_finite,
        parse_float=_finite,
        object_pairs_hook=_without_repeats,
    )
    if type(value) is not dict:
        raise ValueError(f"JSON of a {type(value).__name__}, not an object")
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # fails for half a surrogate pair
    return value


def _finite(token: str) -> float:
    value = float(token)
    if not math.isfinite(value):
        raise ValueError(f"a number that is not finite in JSON: {token[:40]}")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"a key that occurs twice in JSON: {repeated[:40]!r}")
    return value
