"""Coprime factors, the signs that are known of them, and rational relations among vectors."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from flint import fmpq, fmpq_mat

Exponent = tuple[int, ...]


def coprime_base(items: Iterable[Any], gcd: Callable, divide: Callable, unit: Any) -> list[Any]:
    """Return pairwise coprime factors such that each item is a product of their powers.

    Two factors with a common divisor g are replaced by g and the two cofactors until none is
    left; it needs no prime factorisation. Factors equal to `unit` are left out.

    Examples
    --------
    >>> from math import gcd
    >>> coprime_base([12, 18], gcd, lambda a, b: a // b, 1)
    [2, 3]
    """
    base: list[Any] = []
    waiting = list(items)
    while waiting:
        item = waiting.pop()
        for i, other in enumerate(base):
            common = gcd(item, other)
            if common != unit:
                del base[i]
                waiting += [common, divide(item, common), divide(other, common)]
                break
        else:
            if item != unit:
                base.append(item)
    return base


def multiplicity(item: Any, factor: Any, divide: Callable) -> tuple[int, Any]:
    """Return how often a factor divides an item, and what remains; divide gives None if not."""
    count = 0
    while (smaller := divide(item, factor)) is not None:
        item, count = smaller, count + 1
    return count, item


class Signs:
    """Which products of atoms are known to be non-negative, as vectors over two elements.

    A vector is an integer: bit 0 stands for a minus sign, bit i + 1 for an odd power of atom i.
    A product of non-negative numbers is non-negative and so is every square, so that the known
    vectors form a linear space.
    """

    def __init__(self) -> None:
        self._echelon: list[int] = []

    def learn(self, vector: int) -> None:
        """Record that the product is non-negative."""
        vector = self._rest(vector)
        if vector:
            self._echelon.append(vector)

    def of_atom(self, i: int) -> int:
        """Return 1 or -1 where the sign of atom i follows from what is known, else 0."""
        if self._rest(2 << i) == 0:
            return 1
        return -1 if self._rest(2 << i | 1) == 0 else 0

    def _rest(self, vector: int) -> int:
        for row in self._echelon:
            vector = min(vector, vector ^ row)
        return vector


def dependencies(vectors: list[dict[Exponent, fmpq]]) -> dict[int, dict[int, Fraction]]:
    """Write each vector that depends on earlier ones over the rationals by the independent ones.

    Returns
    -------
    dict
        ``{i: {j: c}}`` with ``vectors[i] = sum_j c * vectors[j]`` for each dependent i; the
        vectors whose index is no key are independent.

    Examples
    --------
    >>> dependencies([{(1,): fmpq(2)}, {(1,): fmpq(3)}, {(2,): fmpq(1)}])
    {1: {0: Fraction(3, 2)}}
    """
    rows = sorted({exponent for vector in vectors for exponent in vector})
    if not rows:
        return {i: {} for i in range(len(vectors))}
    table = fmpq_mat([[vector.get(row, fmpq(0)) for vector in vectors] for row in rows])
    reduced, rank = table.rref()
    lines = [reduced.table()[i] for i in range(rank)]
    pivots = [next(j for j, entry in enumerate(line) if entry != 0) for line in lines]
    return {
        i: {
            pivot: Fraction(int(line[i].p), int(line[i].q))
            for pivot, line in zip(pivots, lines, strict=True)
            if line[i] != 0
        }
        for i in range(len(vectors))
        if i not in pivots
    }


def is_positive_termwise(terms: dict[Exponent, fmpq], positive: list[bool]) -> bool:
    """Whether all terms are non-negative: positive coefficients, odd powers of positives only.

    Examples
    --------
    >>> is_positive_termwise({(2, 1): fmpq(1), (0, 0): fmpq(3)}, [False, True])
    True
    """
    return all(
        coefficient > 0
        and all(power % 2 == 0 or known for power, known in zip(exponent, positive, strict=True))
        for exponent, coefficient in terms.items()
    )
