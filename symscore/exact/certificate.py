"""A certificate: a claim about exact inputs, an enclosure, and how both can be checked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any, final

from symscore.atomic import atomic_path
from symscore.errors import BadData, NotCertified, ResourceLimit, UnsupportedInstance
from symscore.exact.arithmetic.balls import Enclosure
from symscore.exact.arithmetic.spec import fields, read_json, read_rational, write_rational

FORMAT = "symscore certificate 1"

# From inputs and the greatest width allowed to an enclosure; raises UnsupportedInstance where its
# theorem does not apply, NotCertified where the width cannot be reached.
Route = Callable[[Any, Fraction], Enclosure]


@final
@dataclass(frozen=True, slots=True)
class Claim:
    """A kind of statement that can be certified, and at least two ways to derive it.

    Parameters
    ----------
    name : str
        Such as ``"fisher-information"``.
    statement : str
        What the enclosed number is, as a formula.
    excludes : tuple of str
        What a certificate of this kind does not say.
    read : callable
        From the JSON object of the inputs to the value that routes take.
    write : callable
        Its inverse.
    routes : mapping
        From the name of a method to a :data:`Route`; the first that applies is used to certify,
        and another one to check.
    one_sided : bool
        Whether only the upper end is claimed, of a bound that methods may compute more or less
        sharply.
    """

    name: str
    statement: str
    excludes: tuple[str, ...]
    read: Callable[[Any], Any]
    write: Callable[[Any], dict[str, Any]]
    routes: Mapping[str, Route]
    one_sided: bool = False

    def derive(self, inputs: Any, width: Fraction, but: str = "") -> tuple[str, Enclosure]:
        """Return the first route that applies, other than `but`, and what it encloses.

        Raises
        ------
        UnsupportedInstance
            If none applies.
        ResourceLimit
            If only routes apply that would take too long.
        NotCertified
            If none that applies reaches the width.
        """
        reasons: list[NotCertified | ResourceLimit] = []
        for method, route in self.routes.items():
            if method == but:
                continue
            try:
                enclosure = route(inputs, width)
            except (NotCertified, ResourceLimit) as error:
                reasons.append(error)
                continue
            if not self.one_sided and enclosure.width > width:
                raise NotCertified(
                    f"Expected {self.name} within {shown(width)}; {method} reached "
                    f"{shown(enclosure.width)}."
                )
            return method, enclosure
        # What falls short of a width says more than what does not apply.
        for kind in (ResourceLimit, NotCertified):
            for reason in reasons:
                if isinstance(reason, kind) and not isinstance(reason, UnsupportedInstance):
                    raise reason
        covered = "a second method covers" if but else "a method covers"
        raise UnsupportedInstance(
            f"Expected an instance of {self.name} that {covered}; "
            + " ".join([str(reason) for reason in reasons] or [f"only {but!r} does."])
        )

    def certify(self, inputs: Any, width: Fraction) -> "Certificate":
        """Return a certificate no wider than `width`, its ends short decimal fractions."""
        method, enclosure = self.derive(inputs, width / 2)
        if self.one_sided:
            ends = Enclosure(Fraction(0), raised(enclosure.upper))
        else:
            ends = widened(enclosure, width / 8)
        return Certificate(
            self.name,
            self.statement,
            self.write(inputs),
            method,
            ends.lower,
            ends.upper,
            self.excludes,
        )


@final
@dataclass(frozen=True, slots=True)
class Certificate:
    """A statement about exact inputs: the number it names lies between two rationals.

    Parameters
    ----------
    claim : str
        The kind of statement, such as ``"fisher-information"``.
    statement : str
        What the number is, as a formula.
    inputs : dict
        Everything that it depends on, in JSON, rationals as strings.
    method : str
        How it was derived.
    lower, upper : Fraction
        ``lower <= number <= upper``.
    excludes : tuple of str
        What this certificate does not say.
    """

    claim: str
    statement: str
    inputs: dict[str, Any]
    method: str
    lower: Fraction
    upper: Fraction
    excludes: tuple[str, ...]

    @property
    def enclosure(self) -> Enclosure:
        """Both ends as one value."""
        return Enclosure(self.lower, self.upper)

    @property
    def width(self) -> Fraction:
        """``upper - lower``."""
        return self.upper - self.lower

    @property
    def midpoint(self) -> Fraction:
        """The mean of both ends."""
        return self.enclosure.midpoint

    def __float__(self) -> float:
        """Return the midpoint, rounded."""
        return float(self.midpoint)

    def __str__(self) -> str:
        if self.lower == 0:
            return f"{self.claim} <= {shown(self.upper, 9, ROUND_CEILING)} ({self.method})"
        digits = shared_digits(self.lower, self.upper)
        return f"{self.claim} = {digits} (within {shown(self.width, 2)}, {self.method})"

    def to_json(self) -> dict[str, Any]:
        """Return the record that :meth:`from_json` reads."""
        return {
            "format": FORMAT,
            "claim": self.claim,
            "statement": self.statement,
            "inputs": self.inputs,
            "method": self.method,
            "lower": write_rational(self.lower),
            "upper": write_rational(self.upper),
            "excludes": list(self.excludes),
        }

    def save(self, path: str | Path) -> None:
        """Write the record as a JSON file, as a whole or not at all.

        Raises
        ------
        FileProblem
            If the file cannot be written.
        """
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def from_json(cls, record: object, where: str = "certificate") -> "Certificate":
        """Return the certificate that a record holds; it is read, not checked.

        Raises
        ------
        BadData
            If the record is no certificate, or one of another version.
        """
        names = tuple(cls.__dataclass_fields__)
        found = fields(record, where, ("format", *names))
        if found["format"] != FORMAT:
            raise BadData(f"{where}: expected the format {FORMAT!r}; got {found['format']!r:.60}.")
        for name in ("claim", "statement", "method"):
            if not isinstance(found[name], str):
                raise BadData(f"{where}.{name}: expected a string; got {found[name]!r:.60}.")
        excludes = found["excludes"]
        if not isinstance(excludes, list) or not all(isinstance(text, str) for text in excludes):
            raise BadData(f"{where}.excludes: expected a list of strings.")
        if not isinstance(found["inputs"], dict):
            raise BadData(f"{where}.inputs: expected an object; got {found['inputs']!r:.60}.")
        lower, upper = (read_rational(found[end], f"{where}.{end}") for end in ("lower", "upper"))
        if lower > upper:
            raise BadData(f"{where}: expected lower <= upper; got {lower} and {upper}.")
        return cls(
            found["claim"],
            found["statement"],
            found["inputs"],
            found["method"],
            lower,
            upper,
            tuple(excludes),
        )

    @classmethod
    def load(cls, path: str | Path) -> "Certificate":
        """Return the certificate in a file; it is read, not checked."""
        return cls.from_json(read_json(Path(path)), str(path))


def shown(value: Fraction, digits: int = 3, rounding: str = ROUND_HALF_EVEN) -> str:
    """Return a rational of any size in a few digits.

    Examples
    --------
    >>> shown(Fraction(1, 3) / 10**400)
    '3.33e-401'
    """
    context = Context(digits, rounding, Emin=-(10**9), Emax=10**9)
    quotient = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return str(quotient.normalize(context)).replace("E", "e").replace("e+", "e")


def widened(enclosure: Enclosure, unit: Fraction) -> Enclosure:
    """Return the next multiples of a power of ten, at most `unit`, that lie strictly outside.

    Strictly, so that even an exact number can be confirmed by a method that only encloses it.

    Examples
    --------
    >>> widened(Enclosure(Fraction(1, 3), Fraction(1, 2)), Fraction(1, 50))
    Enclosure(lower=Fraction(33, 100), upper=Fraction(51, 100))
    """
    scale = 10 ** max(0, len(str(ceil(1 / unit) - 1)))
    lower = Fraction(ceil(enclosure.lower * scale) - 1, scale)
    return Enclosure(lower, Fraction(floor(enclosure.upper * scale) + 1, scale))


def raised(bound: Fraction) -> Fraction:
    """Return a bound above, by at most two millionths of itself, of seven significant digits.

    Examples
    --------
    >>> raised(Fraction(1, 3))
    Fraction(666667, 2000000)
    """
    if bound == 0:
        return bound
    places = 7 - len(str(floor(bound))) if bound >= 1 else 6 + len(str(floor(1 / bound)))
    scale = Fraction(10) ** places
    return (floor(bound * scale) + 2) / scale


def shared_digits(lower: Fraction, upper: Fraction) -> str:
    """Return the decimal digits of the midpoint that the width does not put in doubt.

    Examples
    --------
    >>> shared_digits(Fraction(333333, 1000000), Fraction(333334, 1000000))
    '0.33333'
    """
    middle, width = (lower + upper) / 2, upper - lower
    places = 0
    while Fraction(1, 10 ** (places + 1)) >= 2 * width and places < 60:
        places += 1
    scaled = abs(middle) * 10**places
    whole, digits = divmod(round(scaled), 10**places)
    sign = "-" if middle < 0 else ""
    return f"{sign}{whole}.{digits:0{places}d}" if places else f"{sign}{whole}"
