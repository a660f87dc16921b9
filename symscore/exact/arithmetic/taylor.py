r"""Taylor polynomials in one or two variables, carried by power series in one.

Substitute :math:`y_k \to y_k + t^{e_k}`. With (e_1, e_2) = (2, 3) modulo t^4, or (3, 4) modulo
t^9, all monomials up to the order have exponents of their own and all higher ones vanish:

.. math:: \text{order 2:}\quad
    t^3, t^4 \mid t^6, t^7, t^8 \mid t^9 \dots \qquad \text{order 1:}\quad t^2, t^3 \mid t^4 \dots

so that arithmetic of series is arithmetic of Taylor polynomials.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from flint import arb, arb_series, ctx

from symscore.errors import UnsupportedInstance

# (dimension, order) -> exponents of the variables, and the first power of t that is dropped.
_GRADES = {
    (1, 1): ((1,), 2),
    (1, 2): ((1,), 3),
    (2, 1): ((2, 3), 4),
    (2, 2): ((3, 4), 9),
}


@contextmanager
def taylor_order(dim: int, order: int) -> Iterator[None]:
    """Truncate series after this order inside the block; to be used inside ``precision``.

    Raises
    ------
    UnsupportedInstance
        Beyond two dimensions or order two.
    """
    length = _grade(dim, order)[1]
    before = ctx.cap
    ctx.cap = length
    try:
        yield
    finally:
        ctx.cap = before


def variables(point: Sequence[arb], order: int) -> list[arb_series]:
    """Return the coordinates of `point`, each with its own increment.

    Examples
    --------
    >>> with taylor_order(2, 2):
    ...     x, y = variables([arb(5), arb(7)], 2)
    ...     product = x * y
    ...     parts(product, 2, 2)
    ([7.00000000000000, 5.00000000000000], [[0, 1.00000000000000], [1.00000000000000, 0]])
    """
    exponents, _ = _grade(len(point), order)
    return [
        arb_series([value, *[0] * (e - 1), 1]) for value, e in zip(point, exponents, strict=True)
    ]


def increment(series: arb_series) -> arb_series:
    """Return the series without its value: exactly zero at the point, which ``s - s[0]`` is not."""
    return arb_series([0, *(series[k] for k in range(1, ctx.cap))])


def parts(series: arb_series, dim: int, order: int) -> tuple[list[Any], list[list[Any]]]:
    """Return the first derivatives (d,) and, of order 2, the second ones (d, d)."""
    exponents, _ = _grade(dim, order)
    first = [series[e] for e in exponents]
    if order == 1:
        return first, []
    second = [
        [series[e + f] * (2 if j == k else 1) for k, f in enumerate(exponents)]
        for j, e in enumerate(exponents)
    ]
    return first, second


@cache
def _grade(dim: int, order: int) -> tuple[tuple[int, ...], int]:
    if (dim, order) not in _GRADES:
        raise UnsupportedInstance(
            f"Expected one or two dimensions; got {dim}: Taylor polynomials are not kept in more."
        )
    return _GRADES[dim, order]
