"""Bounds on the smallest eigenvalue of matrices of balls, of order one or two."""

from flint import arb

from symscore.errors import UnsupportedInstance
from symscore.exact.bijections.cell_balls import Matrix


def negativity(matrix: Matrix) -> arb:
    r"""Return a bound from above of ``-lambda_min`` of the symmetric part, for all matrices inside.

    .. math:: -\lambda_{\min} = \sqrt{\bigl(\tfrac{a-d}{2}\bigr)^2 + \bigl(\tfrac{b+c}{2}\bigr)^2}
        - \tfrac{a+d}{2}

    Raises
    ------
    UnsupportedInstance
        Beyond two rows.

    Examples
    --------
    >>> negativity([[arb(1), arb(0)], [arb(0), arb(-2)]])
    2.00000000000000
    """
    if len(matrix) == 1:
        return (-matrix[0][0]).upper()
    a, b, c, d = _entries(matrix)
    half, skew = ((a - d) / 2).abs_upper(), ((b + c) / 2).abs_upper()
    return ((half * half + skew * skew).sqrt() - (a + d) / 2).upper()


def defect_at_least(matrix: Matrix) -> arb:
    """Return a bound from below of ``-lambda_min`` of the symmetric part, for all matrices inside.

    Examples
    --------
    >>> defect_at_least([[arb(1), arb(0)], [arb(0), arb(-2)]])
    2.00000000000000
    """
    if len(matrix) == 1:
        return (-matrix[0][0]).lower()
    a, b, c, d = _entries(matrix)
    half, skew = ((a - d) / 2).abs_lower(), ((b + c) / 2).abs_lower()
    return ((half * half + skew * skew).sqrt() - (a + d) / 2).lower()


def _entries(matrix: Matrix) -> tuple[arb, arb, arb, arb]:
    if len(matrix) > 2:
        raise UnsupportedInstance(
            f"Expected one or two dimensions; got {len(matrix)}: boxes would be too many."
        )
    (a, b), (c, d) = matrix
    return a, b, c, d
