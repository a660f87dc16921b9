r"""Least squares without fractions: elimination that never leaves an integral domain.

Bareiss' elimination of a Gram matrix G beside right-hand sides B replaces entries by minors of
``[G | B]``, so every division below is exact, in integers as in polynomials.
"""

from collections.abc import Callable, Sequence
from typing import Any

Rows = list[list[Any]]


def eliminated(
    gram: Sequence[Sequence[Any]],
    rights: Sequence[Sequence[Any]],
    watch: Callable[[Rows], None] | None = None,
) -> Rows:
    r"""Return the upper triangle of the fraction-free elimination of ``[G | B]``.

    .. math:: u_{ij} = \frac{u_{kk} u_{ij} - u_{ki} u_{kj}}{u_{k-1,k-1}}, \qquad
        k = 0, 1, \ldots; \quad i, j > k

    After it ``u_kk`` is the leading minor of order k + 1 and ``u_kj`` that minor with its last
    column replaced by column j of ``[G | B]`` (Bareiss 1968). Remainders of a symmetric matrix stay
    symmetric, so only ``j >= i`` is computed.

    Parameters
    ----------
    gram : (n, n) nested sequences
        Symmetric, with entries of an integral domain whose ``//`` is exact where it can be, and no
        leading minor zero; what lies below the diagonal is not read.
    rights : (n, m) nested sequences
    watch : callable, optional
        Called before each step with the rows that are left, the pivot's first; it may raise.

    Returns
    -------
    list of lists
        Row k holds ``u_kk, ..., u_k,n-1`` and the m entries of its right-hand side.

    Examples
    --------
    >>> eliminated([[2, 1], [1, 3]], [[1], [4]])
    [[2, 1, 1], [5, 7]]
    """
    rows = [[*gram[i][i:], *rights[i]] for i in range(len(gram))]
    previous = 1
    for k, top in enumerate(rows):
        pivot = top[0]
        if watch is not None:
            watch(rows[k:])
        for i in range(k + 1, len(rows)):
            factor, rest = top[i - k], top[i - k :]
            rows[i] = [
                (pivot * entry - factor * above) // previous
                for entry, above in zip(rows[i], rest, strict=True)
            ]
        previous = pivot
    return rows


def solution(rows: Rows, n_rights: int) -> tuple[Rows, Any]:
    r"""Return the numerators and the common denominator of ``G^{-1} B``.

    .. math:: y_{i} = \frac{\Delta u_{i,B} - \sum_{j > i} u_{ij} y_j}{u_{ii}}, \qquad
        G^{-1} B = y / \Delta, \quad \Delta = \det G

    By Cramer's rule every y is a determinant, so the division is exact.

    Examples
    --------
    >>> solution(eliminated([[2, 1], [1, 3]], [[1], [4]]), 1)
    ([[-1], [7]], 5)
    """
    determinant = rows[-1][0]
    numerators: Rows = []
    for row in reversed(rows):
        across = row[1 : len(row) - n_rights]
        numerators.insert(
            0,
            [
                (determinant * right - _dot(across, [y[j] for y in numerators])) // row[0]
                for j, right in enumerate(row[len(row) - n_rights :])
            ],
        )
    return numerators, determinant


def _dot(left: list[Any], right: list[Any]) -> Any:
    return sum((a * b for a, b in zip(left, right, strict=True)), 0)
