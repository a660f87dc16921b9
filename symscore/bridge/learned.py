r"""Learned float models as exact ones: every float64 is a rational number.

**What a field becomes.** The compiled kernels evaluate a denoiser from numbers that were rounded
when the field was packed. The exact field is the same formula in real arithmetic, with these
numbers as the rationals they are: the signal-to-noise ratio, the means, the whitening matrices
:math:`W = L^{-1}`, the damping rates, the shares, the coefficients and the square roots in the
Hermite recurrence. Only what W and the weights imply is not read from the kernels' numbers but
derived exactly: the heights of the gates :math:`w \det W`, the centres :math:`\kappa m` and the
gains :math:`(I - W^T W) / \kappa`. So the part without coefficients is the denoiser of a Gaussian
mixture to the last bit, that of components with covariances :math:`\kappa^{-2} ((W^T W)^{-1} - I)`,
which differ from the crude mixture's by rounding.

**What that costs** is measured, not proved: :attr:`ExactField.rounding` is the largest difference
between the kernels' value and the exact one at up to 60 points in and around the cells.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import final

import numpy as np
from flint import arb, fmpq

from symscore.arrays import FloatArray
from symscore.errors import BadOption
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import as_fmpq, precision
from symscore.exact.arithmetic.polynomial import Polynomial, PolynomialField, product
from symscore.exact.bijections.field_values import denoised
from symscore.exact.bijections.learned_field import LearnedBlock, LearnedCell, LearnedField
from symscore.learn.batch import denoise_batch
from symscore.learn.blend import BlendedScore, SoftScore
from symscore.learn.field import PiecewiseScore
from symscore.learn.hermite import hermite_tables
from symscore.learn.packed import carry
from symscore.mixture import GaussianMixture

BITS = 160  # gates of cells hundreds of standard deviations apart keep 100 of them
MOST_PROBES = 60
PROBES = (0.0, 1.0, -1.0, 3.0, -3.0)  # standard deviations of a cell along its axes


@final
@dataclass(frozen=True, slots=True, eq=False)
class ExactedMixture:
    """A mixture over the rationals and how far it is from the float64 one it was made of.

    Parameters
    ----------
    mixture : ExactMixture
    rounding : Fraction
        The largest ``|exact - float|`` over all weights and covariances, itself exact: weights
        that sum to one only up to rounding were divided by their sum, and covariances that are
        symmetric only up to rounding were averaged with their transposes.
    """

    mixture: ExactMixture
    rounding: Fraction


@final
@dataclass(frozen=True, slots=True, eq=False)
class ExactField:
    """A learned denoiser over the rationals, and what rounding costs its float64 kernel.

    Parameters
    ----------
    field : LearnedField
    rounding : float
        The largest difference between the kernel's value and the exact one, in whitened units, at
        `n_points` points in and around the cells: measured, not proved.
    n_points : int
    """

    field: LearnedField
    rounding: float
    n_points: int


def to_exact_mixture(mixture: GaussianMixture) -> ExactedMixture:
    r"""Return a float64 mixture as the exact one that its numbers stand for.

    .. math:: w_i \to \frac{w_i}{\sum_j w_j}, \qquad C_i \to \frac{C_i + C_i^T}{2}

    in rational arithmetic; both are identities where the numbers fit exactly.

    Parameters
    ----------
    mixture : GaussianMixture
        Its noise level is part of its covariances and not looked at.

    Returns
    -------
    ExactedMixture

    Raises
    ------
    BadData
        If a covariance is positive definite in float64 only.

    Examples
    --------
    >>> exact = to_exact_mixture(GaussianMixture([0.25, 0.75], [[0.0], [1.5]], [[[1.0]], [[2.0]]]))
    >>> exact.mixture.means, exact.rounding
    (((0,), (3/2,)), Fraction(0, 1))
    """
    weights = [Fraction(w) for w in mixture.weights.tolist()]
    shares = tuple(w / sum(weights) for w in weights)
    given = [[[Fraction(v) for v in row] for row in c] for c in mixture.covariances.tolist()]
    even = tuple(
        tuple(
            tuple((v + matrix[j][i]) / 2 for j, v in enumerate(row)) for i, row in enumerate(matrix)
        )
        for matrix in given
    )
    moved = [abs(w - s) for w, s in zip(weights, shares, strict=True)]
    moved += [
        abs(a - b)
        for one, two in zip(given, even, strict=True)
        for left, right in zip(one, two, strict=True)
        for a, b in zip(left, right, strict=True)
    ]
    means = tuple(tuple(Fraction(v) for v in mean) for mean in mixture.means.tolist())
    return ExactedMixture(ExactMixture(shares, means, even), max(moved))


def to_exact_field(score: SoftScore) -> ExactField:
    r"""Return the learned denoiser of one noise level over the rationals.

    .. math:: D(y) = \sum_b \beta_b \sum_{c \in b} r_{b,c}(y) \bigl( o_c(y)
        + e^{-|u_c|^2 / 2 \rho_b^2} \, T_c(u_c) \bigr), \qquad u_c = W_c (y - \kappa m_c)

    in the coordinate ``y = x_t / sigma``; this module says which numbers it is made of.

    Parameters
    ----------
    score : PiecewiseScore or BlendedScore

    Returns
    -------
    ExactField

    Raises
    ------
    BadOption
        If `score` is neither.

    Examples
    --------
    >>> from symscore.schedule import NoiseLevel
    >>> crude = GaussianMixture([1.0], [[0.0]], [[[1.0]]])
    >>> score = PiecewiseScore(crude, NoiseLevel.from_kappa(0.75), np.zeros((1, 0, 1)))
    >>> exact = to_exact_field(score)
    >>> round(float(exact.field.cells[0].precision[0, 0]), 12)
    0.64
    """
    if not isinstance(score, PiecewiseScore | BlendedScore):
        raise BadOption(f"Expected a PiecewiseScore or a BlendedScore; got {type(score).__name__}.")
    kappa = rational(score.level.kappa)
    blocks = [
        _block(member, share)
        for member, share in zip(score.members, score.shares.tolist(), strict=True)
    ]
    field = LearnedField(kappa, tuple(blocks))
    points = _probes(score)
    return ExactField(field, _rounding(score, field, points), len(points))


def _block(member: PiecewiseScore, share: float) -> LearnedBlock:
    _, whiten, _ = carry(member.crude, member.level.kappa)
    basis = _hermite(member.dim, member.degree)
    cells = [
        LearnedCell(
            rational(weight),
            tuple(map(rational, mean)),
            tuple(tuple(map(rational, row)) for row in matrix),
            _combined(basis, coef),
        )
        for weight, mean, matrix, coef in zip(
            member.crude.weights.tolist(),
            member.crude.means.tolist(),
            whiten.tolist(),
            member.coef,
            strict=True,
        )
    ]
    return LearnedBlock(rational(share), rational(member.rho**-2), tuple(cells))


def _hermite(dim: int, degree: int) -> list[Polynomial]:
    """Return the Hermite polynomials as the kernels' recurrence has them, root for root."""
    if degree < 0:
        return []
    tables = hermite_tables(dim, degree)
    rates = [[rational(rate) for rate in row] for row in tables.rate.tolist()]
    found: list[Polynomial] = [{(0,) * dim: fmpq(1)}]
    for j in range(1, len(rates)):
        k = int(tables.lead[j])
        one = int(tables.down[j, k])
        two = int(tables.down[one, k])
        axis = {tuple(int(i == k) for i in range(dim)): fmpq(1)}
        value = dict(product(axis, found[one]))
        if two >= 0:
            for a, c in found[two].items():
                value[a] = value.get(a, fmpq(0)) - rates[one][k] * c
        found.append({a: c / rates[j][k] for a, c in value.items()})
    return found


def _combined(basis: list[Polynomial], coef: FloatArray) -> PolynomialField:
    """Return ``sum_p coef_p h_p``, one polynomial a column."""
    fields = []
    for column in coef.T.tolist():
        total: dict[tuple[int, ...], fmpq] = {}
        for factor, polynomial in zip(column, basis, strict=True):
            for a, c in polynomial.items():
                total[a] = total.get(a, fmpq(0)) + rational(factor) * c
        fields.append({a: c for a, c in total.items() if c != 0})
    return tuple(fields)


def _probes(score: SoftScore) -> FloatArray:
    """Return points (n, d) of y in and around the cells of all members."""
    kappa, eye = score.level.kappa, np.eye(score.dim)
    steps = np.unique(np.concatenate([s * eye for s in PROBES]), axis=0)
    points = [
        kappa * mean + np.linalg.solve(whiten, steps.T).T
        for member in score.members
        for mean, whiten in zip(member.crude.means, carry(member.crude, kappa)[1], strict=True)
    ]
    every = np.concatenate(points)
    return every[:: -(-len(every) // MOST_PROBES)]


def _rounding(score: SoftScore, field: LearnedField, points: FloatArray) -> float:
    values = denoise_batch(score.packed, points)
    exact_points = [[rational(entry) for entry in point] for point in points.tolist()]
    with precision(BITS):
        return max(
            float(abs(exact - arb(value)))
            for exacts, row in zip(denoised(field, exact_points), values.tolist(), strict=True)
            for exact, value in zip(exacts, row, strict=True)
        )


def rational(value: float) -> fmpq:
    """Return the rational number that a float64 stands for."""
    return as_fmpq(Fraction(value))
