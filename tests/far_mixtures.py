"""Mixtures far out in their tails: values from 50 digits, and what float64 may lose of them."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import mpmath
import numpy as np
from sympy import Expr, Matrix, Rational, Symbol, diff

from symscore.arrays import FloatArray
from symscore.exact import ExactMixture

DIGITS = 50
UNIT = float(np.finfo(np.float64).eps) / 2


def random_mixture(k: int, dim: int, *, rng: np.random.Generator) -> ExactMixture:
    """Rational parameters, most of them no floats."""
    parts = rng.integers(1, 10, size=k)
    covariances = []
    for _ in range(k):
        factor = Matrix(dim, dim, [Rational(int(n), 3) for n in rng.integers(-4, 5, size=dim**2)])
        covariances.append(factor * factor.T + Matrix.eye(dim) / 2)
    means = [[Rational(int(n), 7) for n in rng.integers(-20, 21, size=dim)] for _ in range(k)]
    return ExactMixture([Rational(int(p), int(parts.sum())) for p in parts], means, covariances)


def jacobian(mixture: ExactMixture, x: list[Symbol]) -> list[list[Expr]]:
    """The score's, by SymPy's differentiation."""
    return [[diff(entry, symbol) for symbol in x] for entry in mixture.score(tuple(x))]


@dataclass(frozen=True)
class Truth:
    """A mixture at one point, to 50 digits by the definitions of its density and score."""

    mixture: ExactMixture
    point: FloatArray

    @cached_property
    def parts(self) -> list[tuple[mpmath.mpf, mpmath.matrix, mpmath.matrix]]:
        """For each component w_i N(x; m_i, C_i), the score g_i = -P_i (x - m_i), and P_i."""
        found = []
        for weight, mean, covariance in zip(
            self.mixture.weights, self.mixture.means, self.mixture.covariances, strict=True
        ):
            centred = mpmath.matrix(
                [exact(x) - exact(m) for x, m in zip(self.point, mean, strict=True)]
            )
            rows = mpmath.matrix([[exact(entry) for entry in row] for row in covariance])
            precision = rows**-1
            pull = precision * centred
            form = (centred.T * pull)[0]
            scale = exact(weight) / mpmath.sqrt(mpmath.det(2 * mpmath.pi * rows))
            found.append((scale * mpmath.exp(-form / 2), -pull, precision))
        return found

    @cached_property
    def gates(self) -> list[mpmath.mpf]:
        total = sum(term for term, _, _ in self.parts)
        return [term / total for term, _, _ in self.parts]

    def log_density(self) -> mpmath.mpf:
        return mpmath.log(sum(term for term, _, _ in self.parts))

    def score(self) -> mpmath.matrix:
        zero = mpmath.matrix(self.mixture.dim, 1)
        return sum((r * g for r, (_, g, _) in zip(self.gates, self.parts, strict=True)), zero)

    def jacobian(self) -> mpmath.matrix:
        """E[g g^T - P] - s s^T over the components' posterior."""
        total = -self.score() * self.score().T
        for gate, (_, pull, precision) in zip(self.gates, self.parts, strict=True):
            total += gate * (pull * pull.T - precision)
        return total

    @property
    def lost_in_exponents(self) -> float:
        """The largest error of a logarithm of a component.

        A quadratic form of d^2 terms, each of a few roundings with those of its coefficients, and
        of x - m: relative to the sum of absolute terms.
        """
        d = self.mixture.dim
        worst = 0.0
        for mean, (_, _, precision) in zip(self.mixture.means, self.parts, strict=True):
            centred = np.abs(self.point - np.array([float(m) for m in mean]))
            sizes = np.abs(self.point) + np.abs(np.array([float(m) for m in mean]))
            # The adjugate's entries are multiplied out in SymPy's way, each exact coefficient
            # rounded once; |x| + |m| in place of |x - m| covers where that multiplies out.
            entries = np.abs(as_floats(precision))
            worst = max(worst, float((centred + sizes) @ entries @ sizes))
        return UNIT * ((2 * d * d + 10) * worst + 20)

    def tolerance_of_log_density(self) -> float:
        return self.lost_in_exponents + 4 * UNIT * abs(float(self.log_density()))

    def tolerance_of_score(self) -> FloatArray:
        """Gates off by a factor exp(2e) move their mean by at most that times its spread."""
        d, error = self.mixture.dim, self.lost_in_exponents
        spread, sums = np.zeros(d), np.zeros(d)
        score = as_floats(self.score())[:, 0]
        for gate, mean, (_, pull, precision) in zip(
            self.gates, self.mixture.means, self.parts, strict=True
        ):
            sizes = np.abs(self.point) + np.abs(np.array([float(m) for m in mean]))
            spread += float(gate) * np.abs(as_floats(pull)[:, 0] - score)
            sums += float(gate) * (np.abs(as_floats(precision)) @ sizes)
        return np.expm1(2 * error) * spread + UNIT * (4 * d + 10 + len(self.gates)) * sums

    def tolerance_of_jacobian(self) -> FloatArray:
        """Second moments of the components' scores, which cancel in the covariance."""
        d, error = self.mixture.dim, self.lost_in_exponents
        first, second = np.zeros(d), np.zeros((d, d))
        for gate, mean, (_, _, precision) in zip(
            self.gates, self.mixture.means, self.parts, strict=True
        ):
            entries = np.abs(as_floats(precision))
            pull = entries @ (np.abs(self.point) + np.abs(np.array([float(m) for m in mean])))
            first += float(gate) * pull
            second += float(gate) * (np.outer(pull, pull) + entries)
        spread = 0.0 if len(self.gates) == 1 else np.expm1(4 * error)
        return (spread * self.mixing + UNIT * (8 * d + 40)) * (second + np.outer(first, first))

    @property
    def mixing(self) -> float:
        """The mass outside the largest component, times two: no gate moves by a larger factor."""
        return min(1.0, 2 * float(1 - max(self.gates)))


def exact(value: object) -> mpmath.mpf:
    """A float or SymPy rational to 50 digits."""
    if isinstance(value, Rational):
        return mpmath.mpf(int(value.p)) / int(value.q)
    fraction = Fraction(float(value))
    return mpmath.mpf(fraction.numerator) / fraction.denominator


def as_floats(matrix: mpmath.matrix) -> FloatArray:
    return np.array([[float(entry) for entry in row] for row in matrix.tolist()])


def far_points(mixture: ExactMixture, *, rng: np.random.Generator) -> FloatArray:
    """Points between the means, and 10, 1e3 and 1e6 standard deviations from all components."""
    means = np.array([[float(m) for m in mean] for mean in mixture.means])
    variances = [float(row[j]) for c in mixture.covariances for j, row in enumerate(c)]
    points = [means.mean(axis=0)]
    for distance in (10.0, 1e3, 1e6):
        direction = rng.normal(size=mixture.dim)
        direction /= np.linalg.norm(direction)
        points.append(means.mean(axis=0) + (distance + 10) * max(variances) ** 0.5 * direction)
    return np.array(points)
