"""Least squares within a ball of coefficients (step B3)."""

from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadOption

NEWTON = 100  # far more than are needed: the iteration is quadratic and one-sided


@final
@dataclass(frozen=True, eq=False)
class BallSolution:
    """Coefficients of least loss in a ball, and the multiplier of its constraint.

    Attributes
    ----------
    coef : (F, d) array
    multiplier : float
        The ridge that the ball amounts to; 0 where the ball is wide enough.
    """

    coef: FloatArray
    multiplier: float


def ball_least_squares(gram: FloatArray, cross: FloatArray, radius: float) -> BallSolution:
    r"""Minimise a quadratic over the ball :math:`\|b\|_F \le D`, exactly.

    .. math:: \min_b \; \langle b, G b \rangle - 2 \langle b, c \rangle
        \quad\text{over}\quad \|b\|_F \le D

    By its Karush-Kuhn-Tucker conditions :math:`b = (G + \lambda I)^{-1} c` with the smallest
    :math:`\lambda \ge 0` for which b is in the ball. On the eigenvectors of G its norm is
    :math:`N(\lambda)^2 = \sum_i |c_i|^2 / (g_i + \lambda)^2`; Newton's iteration for
    :math:`1 / N(\lambda) = 1 / D`, a concave function of :math:`\lambda`, rises to the root from
    :math:`\lambda = 0`. Directions in which G is zero to rounding get no coefficient.

    Parameters
    ----------
    gram : (F, F) array
        Symmetric, positive semi-definite.
    cross : (F, d) array
    radius : float
        D > 0; infinite for plain least squares.

    Examples
    --------
    >>> import numpy as np
    >>> found = ball_least_squares(np.eye(2), np.array([[3.0], [4.0]]), 1.0)
    >>> found.coef.round(12).ravel(), round(found.multiplier, 12)
    (array([0.6, 0.8]), 4.0)
    """
    if not radius > 0:
        raise BadOption(f"Expected a ball of radius > 0; got {radius}.")
    values, vectors = np.linalg.eigh(gram)
    seen = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    values, vectors = values[seen], vectors[:, seen]
    along = vectors.T @ cross
    energy = (along**2).sum(axis=1)
    multiplier = 0.0
    for _ in range(NEWTON):
        norm = float(np.sqrt((energy / (values + multiplier) ** 2).sum()))
        if norm <= radius * (1 + 4 * np.finfo(np.float64).eps):
            break
        slope = float((energy / (values + multiplier) ** 3).sum())
        multiplier += norm**2 / slope * (norm / radius - 1)
    coef = vectors @ (along / (values + multiplier)[:, None])
    return BallSolution(coef, multiplier)
