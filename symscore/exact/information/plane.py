"""A mixture in the plane of two statistics, and coordinates that suit an integral over it."""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import sqrt
from typing import final

from flint import fmpq, fmpq_mat

from symscore.errors import UnsupportedInstance
from symscore.exact.arithmetic.balls import as_fmpq
from symscore.exact.arithmetic.rational import RationalMixture, column, entries
from symscore.exact.information.statistic import Gap, statistic


@final
@dataclass(frozen=True, slots=True)
class Plane:
    r"""What an integral of the posterior spread over two statistics is made of.

    .. math:: \int_{R^2} f, \qquad f(t) = \sum_{i<j} \frac{p_i(t) \, p_j(t)}{p(t)} \,
        |\Delta_{ij}(t)|^2

    Parameters
    ----------
    law : RationalMixture
        The law of t, in two dimensions; p_i is its i-th component with its weight.
    gaps : tuple of Gap
        :math:`\Delta_{ij}`, for every pair i < j.
    """

    law: RationalMixture
    gaps: tuple[Gap, ...]

    def image(self, rows: fmpq_mat) -> "Plane":
        """Return the same integral in the coordinates ``u = A t``, A regular."""
        back = rows.inv()
        gaps = (replace(gap, slope=_rows(fmpq_mat(gap.slope) * back)) for gap in self.gaps)
        return Plane(self.law.image(rows), tuple(gaps))

    def tilts(self) -> tuple[Gap, ...]:
        r"""Return the gradients of :math:`\log (p_i / p_j)`, affine too, for the same pairs."""
        law = self.law
        precisions = [law.precision(i) for i in range(law.n_components)]
        pulls = [matrix * law.mean(i) for i, matrix in enumerate(precisions)]
        return tuple(
            Gap(
                gap.first,
                gap.second,
                _rows(precisions[gap.second] - precisions[gap.first]),
                entries(pulls[gap.first] - pulls[gap.second]),
            )
            for gap in self.gaps
        )

    def levelled(self) -> "Plane":
        r"""Return the integral in coordinates in which no logarithm of densities is steep.

        Afterwards :math:`\sum_i A_i + \sum_{i<j} (E_i + E_j)[\delta_{ij} \delta_{ij}^T]` is about
        the identity, A_i the precisions and delta the tilts. How near depends on rounding; that the
        integral is the same does not.
        """
        law, total = self.law, fmpq_mat(2, 2)
        for i in range(law.n_components):
            total += law.precision(i)
        for tilt in self.tilts():
            slope, offset = fmpq_mat(tilt.slope), column(tilt.offset)
            for i in (tilt.first, tilt.second):
                at_mean = slope * law.mean(i) + offset
                total += slope * law.covariance(i) * slope.transpose()
                total += at_mean * at_mean.transpose()
        return self.image(_upper_root(total))

    def whitened(self) -> "Plane":
        """Return the integral in coordinates in which t has about the identity as covariance."""
        law, count = self.law, self.law.n_components
        centre, total = fmpq_mat(2, 1), fmpq_mat(2, 2)
        for i in range(count):
            centre += law.mean(i) * law.weights[i]
        for i in range(count):
            lag = law.mean(i) - centre
            total += (law.covariance(i) + lag * lag.transpose()) * law.weights[i]
        return self.image(_upper_root(total.inv()))


def plane_of(mixture: RationalMixture) -> tuple[Plane, fmpq]:
    r"""Return the integral and the trace whose difference is the Fisher information.

    Raises
    ------
    UnsupportedInstance
        If not exactly two linear statistics tell the components apart.
    """
    found = statistic(mixture)
    if found.law is None or found.rank != 2:
        raise UnsupportedInstance(
            f"expected components that two linear statistics tell apart, these need {found.rank}."
        )
    return Plane(found.law, found.gaps), found.trace


def _upper_root(matrix: fmpq_mat) -> fmpq_mat:
    """Return about the upper triangular R with ``R^T R = matrix``, in rationals."""
    a, b, c = (matrix[i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
    first, last = _root(a), _root(c - b * b / a)
    return fmpq_mat([[first, b / first], [fmpq(0), last]])


def _root(value: fmpq) -> fmpq:
    return as_fmpq(Fraction(sqrt(int(value.p) / int(value.q))))


def _rows(matrix: fmpq_mat) -> tuple[tuple[fmpq, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
