"""Polynomials and polynomial vector fields with rational coefficients."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from flint import fmpq

from symscore.errors import BadData
from symscore.exact.arithmetic.balls import as_fmpq
from symscore.exact.arithmetic.coercion import RationalLike, as_rational
from symscore.exact.arithmetic.moments import Exponent, Moments, added, lowered
from symscore.exact.arithmetic.spec import (
    fields,
    items,
    read_count,
    read_rational,
    write_rational,
)

# From exponent to coefficient; what is missing is zero.
Polynomial = Mapping[Exponent, fmpq]
PolynomialField = tuple[Polynomial, ...]
# What users write: coefficients in any exact form.
FieldLike: TypeAlias = Sequence[Mapping[Exponent, RationalLike]]

MOST_DEGREE = 200


def as_field(values: FieldLike, dim: int, name: str = "field") -> PolynomialField:
    """Return a field whose coefficients were given in any exact form.

    Parameters
    ----------
    values : (dim,) sequence of mappings
        From exponent, a tuple of `dim` powers, to an int, Fraction, fmpq, SymPy rational or string.

    Raises
    ------
    BadData
        On a float, another number of polynomials, or exponents of another length.

    Examples
    --------
    >>> as_field([{(1,): "-1/2"}], 1)
    ({(1,): -1/2},)
    """
    if len(values) != dim:
        raise _bad(name, f"{dim} polynomials", str(len(values)))
    for i, polynomial in enumerate(values):
        for a in polynomial:
            if not isinstance(a, tuple) or len(a) != dim or not all(map(_is_power, a)):
                raise _bad(f"{name}[{i}]", f"exponents, tuples of {dim} powers", repr(a)[:60])
    return tuple(
        {a: as_rational(value, f"{name}[{i}]") for a, value in polynomial.items()}
        for i, polynomial in enumerate(values)
    )


def degree(polynomial: Polynomial) -> int:
    """Return the total degree; that of the zero polynomial is 0."""
    return max((sum(a) for a, value in polynomial.items() if value != 0), default=0)


def field_degree(field: PolynomialField) -> int:
    """Return the highest degree among the entries of a field."""
    return max(map(degree, field))


def partial(polynomial: Polynomial, j: int) -> dict[Exponent, fmpq]:
    r"""Return the derivative by ``x_j``.

    Examples
    --------
    >>> partial({(3,): fmpq(2)}, 0)
    {(2,): 6}
    """
    return {lowered(a, j): a[j] * value for a, value in polynomial.items() if a[j]}


def product(left: Polynomial, right: Polynomial) -> dict[Exponent, fmpq]:
    """Return the product of two polynomials."""
    result: dict[Exponent, fmpq] = {}
    for a, one in left.items():
        for b, two in right.items():
            both = added(a, b)
            result[both] = result.get(both, fmpq(0)) + one * two
    return result


def expectation(polynomial: Polynomial, table: Moments) -> Any:
    """Return ``sum_a c_a mu_a``, the expectation under moments in any ring.

    Examples
    --------
    >>> expectation({(0,): fmpq(1), (2,): fmpq(3)}, {(0,): fmpq(1), (2,): fmpq(5)})
    16
    """
    return sum((value * table[a] for a, value in polynomial.items()), fmpq(0))


def read_field(values: object, dim: int, where: str) -> PolynomialField:
    r"""Return a vector field of `dim` polynomials in `dim` variables from JSON.

    Each entry is a list of ``{"powers": [...], "coefficient": "p/q"}``, one for each monomial.

    Raises
    ------
    BadData
        On anything else, a monomial given twice, or a degree beyond 200.

    Examples
    --------
    >>> read_field([[{"powers": [1], "coefficient": "-1/2"}]], 1, "field")
    ({(1,): -1/2},)
    """
    entries = items(values, where)
    if len(entries) != dim:
        raise _bad(where, f"{dim} polynomials", str(len(entries)))
    return tuple(_read_polynomial(entry, dim, f"{where}[{i}]") for i, entry in enumerate(entries))


def write_field(field: PolynomialField) -> list[Any]:
    """Return the JSON that :func:`read_field` reads."""
    return [
        [
            {"powers": list(a), "coefficient": write_rational(value)}
            for a, value in sorted(polynomial.items())
        ]
        for polynomial in field
    ]


def _read_polynomial(terms: object, dim: int, where: str) -> dict[Exponent, fmpq]:
    polynomial: dict[Exponent, fmpq] = {}
    for i, term in enumerate(items(terms, where)):
        place = f"{where}[{i}]"
        record = fields(term, place, ("powers", "coefficient"))
        powers = items(record["powers"], f"{place}.powers")
        a = tuple(read_count(power, f"{place}.powers", 0, MOST_DEGREE) for power in powers)
        if len(a) != dim or sum(a) > MOST_DEGREE or a in polynomial:
            raise _bad(place, f"{dim} powers, of total at most {MOST_DEGREE} and new", str(a))
        coefficient = read_rational(record["coefficient"], f"{place}.coefficient")
        polynomial[a] = as_fmpq(coefficient)
    return polynomial


def _is_power(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_DEGREE


def _bad(where: str, expected: str, got: str) -> BadData:
    return BadData(f"{where}: expected {expected}; got {got}.")
