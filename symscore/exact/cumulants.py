"""Cumulants from moments, as sums over set partitions."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from math import factorial, prod

import sympy
from sympy import Expr

from symscore.errors import ResourceLimit
from symscore.exact.arithmetic.moments import Exponent, exponents

# So many set partitions are summed over within about a second.
MOST_PARTITIONS = 50_000
MOST_ORDER = 10  # one exponent of order 11 alone has more partitions


def cumulants(table: Mapping[Exponent, Expr]) -> dict[Exponent, Expr]:
    r"""Return the cumulants that belong to a table of moments.

    .. math:: \kappa_a = \sum_{\pi} (-1)^{|\pi| - 1} (|\pi| - 1)! \prod_{B \in \pi} \mu_B

    over the set partitions of the \|a\| factors of :math:`x^a`; equal products are counted.

    Parameters
    ----------
    table : mapping
        From exponent to moment; with an exponent it has all lower ones.

    Examples
    --------
    >>> from sympy import symbols
    >>> m1, m2 = symbols("m1 m2")
    >>> cumulants({(0,): 1, (1,): m1, (2,): m2})
    {(1,): m1, (2,): -m1**2 + m2}
    """
    return {
        a: sympy.Add(
            *(
                count
                * (-1) ** (len(blocks) - 1)
                * factorial(len(blocks) - 1)
                * prod(table[block] for block in blocks)
                for blocks, count in _block_counts(a).items()
            )
        )
        for a in table
        if any(a)
    }


def check_partitions(dim: int, degree: int) -> None:
    """Raise ResourceLimit where all cumulants up to a degree have too many set partitions."""
    count = None
    if degree <= MOST_ORDER:
        bell = _bell_numbers(degree)
        count = sum(bell[sum(a)] for a in exponents(dim, degree))
    if count is None or count > MOST_PARTITIONS:
        raise ResourceLimit(
            f"Expected cumulants with at most {MOST_PARTITIONS:,} set partitions in all; those of "
            f"order {degree} in {dim} dimensions have more: lower the degree."
        )


def _bell_numbers(highest: int) -> list[int]:
    """Count the set partitions of 0, 1, ..., highest elements, by Bell's triangle."""
    row, bell = [1], [1]
    for _ in range(highest):
        row = list(accumulate([row[-1], *row]))
        bell.append(row[0])
    return bell


def _block_counts(a: Exponent) -> Counter[tuple[Exponent, ...]]:
    """Count the set partitions of the factors of x^a by the exponents of their blocks."""
    factors = [j for j, power in enumerate(a) for _ in range(power)]
    return Counter(
        tuple(sorted(tuple(block.count(j) for j in range(len(a))) for block in blocks))
        for blocks in _set_partitions(factors)
    )


def _set_partitions(items: list[int]) -> Iterator[list[tuple[int, ...]]]:
    if not items:
        yield []
        return
    for blocks in _set_partitions(items[:-1]):
        yield [*blocks, (items[-1],)]
        for i, block in enumerate(blocks):
            yield [*blocks[:i], (*block, items[-1]), *blocks[i + 1 :]]
