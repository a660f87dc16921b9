"""Mixtures whose parameters are rational numbers: what certificates are about."""

from dataclasses import dataclass
from fractions import Fraction
from typing import final

from flint import fmpq, fmpq_mat
from sympy import Expr

from symscore.errors import BadData
from symscore.exact.mixture import ExactMixture

Row = tuple[fmpq, ...]


@final
@dataclass(frozen=True, slots=True)
class RationalMixture:
    r"""A Gaussian mixture over the rationals, in flint's numbers.

    .. math:: p(x) = \sum_i w_i \, N(x; m_i, C_i)

    It is made by :meth:`of`, which refuses symbols; its arithmetic is exact.

    Parameters
    ----------
    weights : (k,) tuple of fmpq
    means : (k, d) tuple of tuples of fmpq
    covariances : (k, d, d) nested tuples of fmpq
        Symmetric positive definite.
    """

    weights: Row
    means: tuple[Row, ...]
    covariances: tuple[tuple[Row, ...], ...]

    @classmethod
    def of(cls, mixture: "ExactMixture | RationalMixture") -> "RationalMixture":
        """Return the same mixture in flint's numbers.

        Raises
        ------
        BadData
            If a parameter is a symbol or irrational.

        Examples
        --------
        >>> RationalMixture.of(ExactMixture(["1/3", "2/3"], [0, 1], [1, 1])).weights
        (1/3, 2/3)
        """
        if isinstance(mixture, RationalMixture):
            return mixture
        return cls(
            _row(mixture.weights, "weights"),
            tuple(_row(mean, "means") for mean in mixture.means),
            tuple(
                tuple(_row(row, "covariances") for row in covariance)
                for covariance in mixture.covariances
            ),
        )

    @property
    def dim(self) -> int:
        """Dimension d."""
        return len(self.means[0])

    @property
    def n_components(self) -> int:
        """Number of components k."""
        return len(self.weights)

    @property
    def shares_covariance(self) -> bool:
        """Whether all components have one and the same covariance."""
        return len(set(self.covariances)) == 1

    def covariance(self, i: int) -> fmpq_mat:
        """Return C_i, (d, d)."""
        return fmpq_mat(self.covariances[i])

    def precision(self, i: int) -> fmpq_mat:
        """Return the inverse of C_i, (d, d)."""
        return self.covariance(i).inv()

    def mean(self, i: int) -> fmpq_mat:
        """Return m_i as a column, (d, 1)."""
        return column(self.means[i])

    def at(self, alpha: Fraction) -> "RationalMixture":
        r"""Return the law of ``alpha x + sqrt(1 - alpha^2) z`` with z standard normal."""
        factor = fmpq(alpha.numerator, alpha.denominator)
        noise = 1 - factor * factor
        return RationalMixture(
            self.weights,
            tuple(tuple(factor * entry for entry in mean) for mean in self.means),
            tuple(
                tuple(
                    tuple(factor * factor * entry + noise * (i == j) for j, entry in enumerate(row))
                    for i, row in enumerate(covariance)
                )
                for covariance in self.covariances
            ),
        )

    def centred(self) -> "RationalMixture":
        """Return the mixture moved so that the first mean is the origin."""
        first = self.means[0]
        means = tuple(
            tuple(entry - origin for entry, origin in zip(mean, first, strict=True))
            for mean in self.means
        )
        return RationalMixture(self.weights, means, self.covariances)

    def image(self, rows: fmpq_mat) -> "RationalMixture":
        r"""Return the law of ``A x``: means ``A m_i``, covariances ``A C_i A^T``.

        Parameters
        ----------
        rows : (r, d) fmpq_mat
            A, of rank r.
        """
        covariances = (
            rows * self.covariance(i) * rows.transpose() for i in range(self.n_components)
        )
        return RationalMixture(
            self.weights,
            tuple(entries(rows * self.mean(i)) for i in range(self.n_components)),
            tuple(tuple(tuple(row) for row in matrix.tolist()) for matrix in covariances),
        )


def column(values: Row) -> fmpq_mat:
    """Return a vector as an (n, 1) matrix."""
    return fmpq_mat(len(values), 1, list(values))


def entries(matrix: fmpq_mat) -> Row:
    """Return all entries of a matrix, row by row."""
    return tuple(matrix.entries())


def dot(left: Row, right: Row) -> fmpq:
    """Return the sum of the products of the entries."""
    return sum((a * b for a, b in zip(left, right, strict=True)), fmpq(0))


def trace(matrix: fmpq_mat) -> fmpq:
    """Return the sum of the diagonal."""
    return sum((matrix[i, i] for i in range(matrix.nrows())), fmpq(0))


def _row(values: tuple[Expr, ...], name: str) -> Row:
    return tuple(_rational(value, name) for value in values)


def _rational(value: Expr, name: str) -> fmpq:
    if not value.is_Rational:
        raise BadData(
            f"Expected rational {name}; got {value}: put rational numbers in its place first."
        )
    return fmpq(int(value.p), int(value.q))
