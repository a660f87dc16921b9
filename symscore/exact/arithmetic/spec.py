"""The one JSON schema of mixtures and rationals, read strictly."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from symscore.errors import BadData, FileProblem, ResourceLimit
from symscore.exact.arithmetic.balls import as_fraction
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.mixture import ExactMixture
from symscore.exact.numbers import as_exact
from symscore.strict_json import parse_object

MOST_BYTES = 1 << 22
MOST_DIGITS = 4000
MOST_COMPONENTS = 64
MOST_DIMENSIONS = 16

Record = Mapping[str, Any]


def read_json(path: Path) -> Record:
    """Return the object in a JSON file; what readers of JSON disagree on is refused.

    Raises
    ------
    FileProblem
        If the file cannot be read.
    BadData
        If it holds no object that :func:`symscore.strict_json.parse_object` accepts.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise FileProblem(f"Expected a file that can be read; {path}: {error.strerror}.") from None
    try:
        return parse_object(content, MOST_BYTES)
    except ValueError as error:
        raise BadData(f"Expected a JSON object in {path}; got {error}.") from None


def fields(
    record: object, where: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Record:
    """Return `record` if it is an object with these keys and no others.

    Raises
    ------
    BadData
        Naming the first key that is missing or unknown.

    Examples
    --------
    >>> fields({"degree": 3}, "spec", ("degree",))
    {'degree': 3}
    """
    if not isinstance(record, Mapping):
        raise BadData(f"{where}: expected an object; got {_shown(record)}.")
    known = (*required, *optional)
    for name in record:
        if name not in known:
            raise BadData(f"{where}: expected only {', '.join(known)}; got {name!r:.60}.")
    for name in required:
        if name not in record:
            raise BadData(f"{where}: expected the key {name!r}; it is missing.")
    return record


def items(values: object, where: str) -> list[Any]:
    """Return `values` if it is a list."""
    if not isinstance(values, list):
        raise BadData(f"{where}: expected a list; got {_shown(values)}.")
    return values


def read_count(value: object, where: str, least: int, most: int) -> int:
    """Return `value` if it is an integer between `least` and `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadData(f"{where}: expected an integer from {least} to {most}; got {_shown(value)}.")
    return value


def read_rational(value: object, where: str) -> Fraction:
    """Return the rational that an integer or a string such as ``"1/3"`` stands for.

    Examples
    --------
    >>> read_rational("0.1", "x")
    Fraction(1, 10)
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise BadData(f'{where}: expected a string such as "1/3"; got {_shown(value)}.')
    if isinstance(value, str) and len(value) > 2 * MOST_DIGITS:
        raise BadData(f"{where}: expected numbers of at most {MOST_DIGITS} digits.")
    exact = as_exact(value, where)
    return Fraction(int(exact.p), int(exact.q))


def read_rationals(values: object, where: str) -> tuple[Fraction, ...]:
    """Return a list of rationals."""
    return tuple(
        read_rational(value, f"{where}[{i}]") for i, value in enumerate(items(values, where))
    )


def read_mixture(record: object, where: str = "mixture") -> RationalMixture:
    """Return the mixture that ``{"weights": [...], "means": [...], "covariances": [...]}`` names.

    Every entry is an integer or a string such as ``"1/3"``; where d = 1, a mean and a variance may
    be bare. Their meaning and what is refused are those of :class:`symscore.exact.ExactMixture`.

    Raises
    ------
    BadData
        On anything but such a mixture.
    ResourceLimit
        Beyond 64 components or 16 dimensions.

    Examples
    --------
    >>> record = {"weights": ["1/2", "1/2"], "means": [-1, 1], "covariances": [1, 1]}
    >>> read_mixture(record).means
    ((-1,), (1,))
    """
    record = fields(record, where, ("weights", "means", "covariances"))
    parts = [_nested(record[name], f"{where}.{name}", depth) for name, depth in _DEPTHS.items()]
    sizes = {len(part) for part in parts}
    width = max((len(mean) for mean in parts[1] if isinstance(mean, list)), default=1)
    if max(sizes) > MOST_COMPONENTS or width > MOST_DIMENSIONS:
        raise ResourceLimit(
            f"{where}: expected at most {MOST_COMPONENTS} components in {MOST_DIMENSIONS} "
            f"dimensions; got {max(sizes)} in {width}."
        )
    return RationalMixture.of(ExactMixture(*parts))


_DEPTHS = {"weights": 1, "means": 2, "covariances": 3}


def write_mixture(mixture: RationalMixture) -> dict[str, Any]:
    """Return the JSON object that :func:`read_mixture` reads."""
    return {
        "weights": [write_rational(weight) for weight in mixture.weights],
        "means": [[write_rational(entry) for entry in mean] for mean in mixture.means],
        "covariances": [
            [[write_rational(entry) for entry in row] for row in covariance]
            for covariance in mixture.covariances
        ],
    }


def write_rational(value: Any) -> str:
    """Return a rational as the string that :func:`read_rational` reads."""
    return str(value if isinstance(value, int | Fraction) else as_fraction(value))


def _nested(values: object, where: str, depth: int) -> Any:
    """Read rationals in lists of at most `depth` levels; the outermost must be a list."""
    return [
        _nested(value, f"{where}[{i}]", depth - 1)
        if isinstance(value, list) and depth > 1
        else read_rational(value, f"{where}[{i}]")
        for i, value in enumerate(items(values, where))
    ]


def _shown(value: object) -> str:
    if isinstance(value, int) and abs(value) > 10**60:
        return f"an integer of {value.bit_length()} bits"  # Python refuses to print the longest
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
