"""Exact linear algebra on symbolic matrices, without pivots and so without zero tests."""

from functools import cache

import sympy
from sympy import Expr, Matrix

LARGEST_TEMPLATE = 4


def adjugate_and_determinant(matrix: Matrix) -> tuple[Matrix, Expr]:
    r"""Return adj(A) and det(A) by the Faddeev-LeVerrier recursion.

    .. math:: B_1 = I, \qquad c_j = -\tfrac1j \operatorname{tr}(A B_j), \qquad
        B_{j+1} = A B_j + c_j I; \qquad
        \det A = (-1)^n c_n, \quad \operatorname{adj} A = (-1)^{n-1} B_n

    It divides by integers only, so it is exact over every commutative ring that contains the
    rationals: no entry has to be proved non-zero, as elimination would need.

    Parameters
    ----------
    matrix : sympy.Matrix
        (n, n), n >= 1.

    Returns
    -------
    adjugate : sympy.Matrix
        (n, n), with ``matrix * adjugate == determinant * I``.
    determinant : sympy.Expr

    Examples
    --------
    >>> adjugate_and_determinant(Matrix([[1, 2], [3, 4]]))
    (Matrix([
    [ 4, -2],
    [-3,  1]]), -2)
    """
    n = matrix.rows
    if n > LARGEST_TEMPLATE or all(entry.is_Rational for entry in matrix):
        return _by_recursion(matrix)
    entries, adjugate, determinant = _template(n)
    values = dict(zip(entries, matrix, strict=True))
    return adjugate.xreplace(values), determinant.xreplace(values)


@cache
def _template(n: int) -> tuple[Matrix, Matrix, Expr]:
    # Entries put into the formulas for n^2 symbols stay as they are; expanded, sums in them would
    # swell the results to hundreds of terms.
    entries = Matrix(n, n, [sympy.Dummy() for _ in range(n * n)])
    return entries, *_by_recursion(entries)


def _by_recursion(matrix: Matrix) -> tuple[Matrix, Expr]:
    n = matrix.rows
    eye = sympy.eye(n)
    power, coef = eye, -matrix.trace()
    for j in range(2, n + 1):
        power = (matrix * power + coef * eye).expand()
        coef = sympy.expand(-(matrix * power).trace() / j)
    return (-1) ** (n - 1) * power, (-1) ** n * coef


def leading_minors(matrix: Matrix) -> list[Expr]:
    """Return the n leading principal minors, the smallest first.

    A symmetric real matrix is positive definite if and only if all of them are positive
    (Sylvester).

    Examples
    --------
    >>> leading_minors(Matrix([[2, 1], [1, 2]]))
    [2, 3]
    """
    return [adjugate_and_determinant(matrix[:i, :i])[1] for i in range(1, matrix.rows + 1)]
