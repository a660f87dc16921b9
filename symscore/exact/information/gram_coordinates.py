r"""Coordinates in which components with one covariance are told apart, from a Gram matrix.

With :math:`G_{ij} = (m_i - m_1)^T C^{-1} (m_j - m_1) = L \operatorname{diag}(\delta) L^T` of rank
r, component i has mean :math:`(L_{i1}, \ldots, L_{ir})` and variances :math:`1 / \delta_j` in r
independent coordinates, and the ratios of the components' densities are functions of these.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import final

Vector = tuple[Fraction, ...]
Matrix = list[list[Fraction]]


@final
@dataclass(frozen=True, slots=True)
class Components:
    """Components in the coordinates of the module's text.

    Parameters
    ----------
    weights : (k,) tuple of Fraction
    means : (k, r) tuple of tuples of Fraction
    precisions : (r,) tuple of Fraction
        ``1 / variance`` of every coordinate.
    gaps : (k, k) tuple of tuples of Fraction
        ``|C^-1 (m_i - m_j)|^2``.
    """

    weights: tuple[Fraction, ...]
    means: tuple[tuple[Fraction, ...], ...]
    precisions: tuple[Fraction, ...]
    gaps: tuple[tuple[Fraction, ...], ...]

    def squared_distance(self, i: int, j: int) -> Fraction:
        """Return the squared distance of two means in standard deviations."""
        shifts = (a - b for a, b in zip(self.means[i], self.means[j], strict=True))
        return sum(
            (d * d * delta for d, delta in zip(shifts, self.precisions, strict=True)), Fraction(0)
        )

    @property
    def prior_spread(self) -> Fraction:
        """``1/2 sum_ij gaps_ij w_i w_j``."""
        return _dot(self.weights, [_dot(self.weights, row) for row in self.gaps]) / 2


def components(
    weights: tuple[Fraction, ...], means: tuple[tuple[Fraction, ...], ...], inverse: Matrix
) -> Components:
    """Find coordinates from the Gram matrix of the means, by its pivots."""
    pulls = [[_dot(row, mean) for row in inverse] for mean in means]
    gaps = tuple(tuple(_squared_distance(one, two) for two in pulls) for one in pulls)
    shifts = [[a - b for a, b in zip(mean, means[0], strict=True)] for mean in means]
    forces = [[a - b for a, b in zip(pull, pulls[0], strict=True)] for pull in pulls]
    gram = [[_dot(shift, force) for force in forces] for shift in shifts]
    columns, pivots = [], []
    for i in range(len(means)):
        pivot = gram[i][i]
        if pivot == 0:
            continue
        column = [row[i] / pivot for row in gram]
        columns.append(column)
        pivots.append(pivot)
        gram = [
            [entry - a * pivot * b for entry, b in zip(row, column, strict=True)]
            for row, a in zip(gram, column, strict=True)
        ]
    located = tuple(tuple(column[i] for column in columns) for i in range(len(means)))
    return Components(weights, located, tuple(pivots), gaps)


def _dot(left: Iterable[Fraction], right: Iterable[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _squared_distance(one: Iterable[Fraction], two: Iterable[Fraction]) -> Fraction:
    return sum(((a - b) ** 2 for a, b in zip(one, two, strict=True)), Fraction(0))


def inverse(matrix: tuple[tuple[Fraction, ...], ...]) -> Matrix:
    """Invert a positive definite matrix by elimination; its pivots are positive."""
    n = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(n))] for i, row in enumerate(matrix)]
    for i in range(n):
        pivot = rows[i][i]
        rows[i] = [entry / pivot for entry in rows[i]]
        for j in range(n):
            if j != i:
                factor = rows[j][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [row[n:] for row in rows]


def squared_diameter(parts: Components) -> Fraction:
    """Return the largest squared distance of two means, in standard deviations."""
    count = range(len(parts.weights))
    return max(parts.squared_distance(i, j) for i in count for j in count)
