"""Two Gaussians with one covariance: the score as an affine map plus a tanh."""

import sympy
from sympy import Matrix

from symscore.errors import BadData
from symscore.exact.matrices import adjugate_and_determinant
from symscore.exact.mixture import ExactMixture
from symscore.exact.mixture_checks import Vector
from symscore.exact.numbers import ExactLike, as_exact_vector


def tanh_form(mixture: ExactMixture, x: ExactLike | Vector) -> Vector:
    r"""Return the score of two components with one covariance, without exponentials to divide.

    .. math:: s(x) = -C^{-1} (x - \bar m) + C^{-1} \delta \tanh\Big(
        \delta^T C^{-1} (x - \bar m) + \tfrac12 \log\frac{w_1}{w_2}\Big), \qquad
        \bar m = \frac{m_1 + m_2}{2}, \quad \delta = \frac{m_1 - m_2}{2}

    because the argument u of tanh is half the logarithm of the ratio of both terms of the density,
    so that :math:`r_1 - r_2 = \tanh u`, and :math:`\sum_i r_i m_i = \bar m + (r_1 - r_2) \delta`.

    Parameters
    ----------
    mixture : ExactMixture
        Two components with equal covariances, in any dimension d.
    x : (d,) sequence

    Returns
    -------
    tuple of d sympy.Expr
        Equal to ``mixture.score(x)``.

    Raises
    ------
    BadData
        If there are not two components, or their covariances are not the same.

    Examples
    --------
    >>> from sympy import symbols
    >>> x, m = symbols("x m")
    >>> tanh_form(ExactMixture(["1/2", "1/2"], [m, -m], [1, 1]), x)
    (m*tanh(m*x) - x,)
    """
    if mixture.n_components != 2:
        raise BadData(f"Expected two components; got {mixture.n_components}.")
    first, second = map(Matrix, mixture.covariances)
    if any(entry != 0 for entry in (first - second).expand()):
        raise BadData(
            f"Expected one covariance for both components; got {first.tolist()} and "
            f"{second.tolist()}."
        )
    point = as_exact_vector(x, "x")
    if len(point) != mixture.dim:
        raise BadData(f"Expected x with {mixture.dim} coordinates; got {len(point)}.")
    upper, lower = map(Matrix, mixture.means)
    adjugate, determinant = adjugate_and_determinant(first)
    centred = Matrix(point) - (upper + lower) / 2
    pull = adjugate * (upper - lower) / (2 * determinant)
    weights = mixture.weights
    gap = sympy.tanh(pull.dot(centred) + sympy.log(weights[0] / weights[1]) / 2)
    return tuple(-(adjugate * centred) / determinant + pull * gap)
