r"""A mixture's score seen through the statistic that tells its components apart.

With ``t = T x`` of :mod:`symscore.exact.information.statistic`, the posterior of the component
depends on t alone, so the law of x given t is one Gaussian for all components, its mean affine in t
and its covariance constant. Hence

.. math:: s(x) = T^T s_t(t) + \rho(x), \qquad \rho = \nabla_x \log p(x \mid t), \qquad
    E[\rho \mid t] = 0,

with the score s_t of the law of t and an affine rho of constant conditional second moment. The
conditional mean given t of a polynomial in x is a polynomial in t of no higher degree, also on
cells that are unions of level sets of t. So (own derivation) for a degree D of at least 1

.. math:: \min_{\deg q \le D} E_M |s - q|^2
    = \min_{\deg q \le D} E |T^T (s_t - q)|^2
    = J - E|\rho|^2 - \sum_{jl} (T T^T)_{jl} \langle P_D s_{t,j}, P_D s_{t,l} \rangle,

and for degree 0, which rho is orthogonal to, without :math:`E|\rho|^2`: least squares in d
variables become least squares in r of them.
"""

from dataclasses import dataclass
from typing import final

from flint import fmpq, fmpq_mat

from symscore.exact.arithmetic.rational import RationalMixture, trace
from symscore.exact.information.statistic import statistic


@final
@dataclass(frozen=True, slots=True)
class Reduction:
    """A mixture in the coordinates of the module's text.

    Parameters
    ----------
    law : RationalMixture
        The law of t.
    rows : (r, d) fmpq_mat
        T.
    metric : (r, r) fmpq_mat
        ``T T^T``.
    affine : fmpq
        ``E|rho|^2``, which any polynomial of degree at least 1 captures.
    """

    law: RationalMixture
    rows: fmpq_mat
    metric: fmpq_mat
    affine: fmpq


def reduced(mixture: RationalMixture) -> Reduction | None:
    r"""Reduce a mixture, or return None if its components are all the same.

    :math:`E|\rho|^2 = \operatorname{tr} C_i^{-1} - \operatorname{tr}(T T^T (T C_i T^T)^{-1})` for
    every i: under component i alone, s and s_t are those of one Gaussian.

    Examples
    --------
    >>> from symscore.exact.mixture import ExactMixture
    >>> square = [[1, 0], [0, 1]]
    >>> two = ExactMixture(["1/2", "1/2"], [[-1, 0], [1, 0]], [square, square])
    >>> found = reduced(RationalMixture.of(two))
    >>> found.rows, found.affine
    ([1, 0], 1)
    """
    found = statistic(mixture)
    if found.law is None:
        return None
    # Slopes and offsets of all g_i - g_j span S, and a row space has one reduced echelon form.
    spanning = [
        list(vector) for gap in found.gaps for vector in (*zip(*gap.slope, strict=True), gap.offset)
    ]
    echelon, rank = fmpq_mat(spanning).rref()
    rows = fmpq_mat(echelon.tolist()[:rank])
    metric = rows * rows.transpose()
    seen = metric * found.law.precision(0)
    return Reduction(found.law, rows, metric, trace(mixture.precision(0)) - trace(seen))
