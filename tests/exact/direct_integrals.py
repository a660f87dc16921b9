"""Oracles for certificates: the integral of (s - g)^2 p itself, by quadrature without proof.

Nothing of symscore is used but the numbers of a mixture. On the line mpmath integrates to thirty
digits; in the plane a tensor Gauss-Legendre rule does to about thirteen.
"""

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random

import mpmath
import numpy as np
from flint import fmpq

from symscore.exact import ExactMixture

DIGITS = 30
REACH = 13  # standard deviations; mpmath's sums stop where the density is below 1e-36
Field = Callable[[mpmath.mpf], mpmath.mpf]


def number(value) -> mpmath.mpf:
    """An exact number of any library in mpmath."""
    p, q = (value.p, value.q) if hasattr(value, "p") else value.as_integer_ratio()
    return mpmath.mpf(int(p)) / int(q)


def line_parts(mixture: ExactMixture) -> list[tuple[mpmath.mpf, ...]]:
    return [
        (number(w), number(m[0]), number(c[0][0]))
        for w, m, c in zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    ]


def density_and_score(parts: Sequence[tuple[mpmath.mpf, ...]], x: mpmath.mpf):
    logs = [
        mpmath.log(w / mpmath.sqrt(2 * mpmath.pi * v)) - (x - m) ** 2 / (2 * v) for w, m, v in parts
    ]
    top = max(logs)
    shares = [mpmath.exp(value - top) for value in logs]
    pulls = [(m - x) / v for _, m, v in parts]
    total = mpmath.fsum(shares)
    return mpmath.exp(top) * total, mpmath.fdot(shares, pulls) / total


def line_error(mixture: ExactMixture, fields: Sequence[Field], knots: Sequence[Fraction] = ()):
    """E|s - g|^2 with fields[c] between knots c-1 and c, and an estimate of its own error."""
    with mpmath.workdps(DIGITS):
        parts = line_parts(mixture)
        reach = REACH * max(mpmath.sqrt(v) for _, _, v in parts)
        low = min(m for _, m, _ in parts) - reach
        high = max(m for _, m, _ in parts) + reach
        ends = [low, *map(number, knots), high]
        value, error = mpmath.mpf(0), mpmath.mpf(10) ** (2 - DIGITS)
        for field, left, right in zip(fields, ends[:-1], ends[1:], strict=True):
            inside = sorted(m for _, m, _ in parts if left < m < right)
            points = [left, *inside, right]
            steps = [
                a + (b - a) * mpmath.mpf(k) / 12
                for a, b in itertools.pairwise(points)
                for k in range(12)
            ]

            def integrand(x: mpmath.mpf, field: Field = field) -> mpmath.mpf:
                p, s = density_and_score(parts, x)
                return (s - field(x)) ** 2 * p

            piece, estimate = mpmath.quad(
                integrand, [*steps, right], error=True, method="gauss-legendre", maxdegree=5
            )
            value, error = value + piece, error + estimate
        return value, error


def agrees(certificate, oracle: tuple[mpmath.mpf, mpmath.mpf], least: int = 15) -> bool:
    """Whether the oracle lies in the enclosure, up to the error that it estimates of itself."""
    with mpmath.workdps(DIGITS):
        value, error = oracle
        assert error < mpmath.mpf(10) ** -least, "the oracle is too inaccurate to say anything"
        lower, upper = number(certificate.lower), number(certificate.upper)
        return bool(lower - error <= value <= upper + error)


def polynomial_on_line(coefficients: Sequence[Fraction]) -> Field:
    """The polynomial with these coefficients, ascending, in mpmath."""
    with mpmath.workdps(DIGITS):
        exact = [number(c) for c in reversed(coefficients)]
    return lambda x: mpmath.polyval(exact, x)


def as_field(coefficients: Sequence[Fraction]):
    """The same polynomial as the exact layer has it."""
    return ({(j,): fmpq(c.numerator, c.denominator) for j, c in enumerate(coefficients)},)


def plane_nodes(low: float, high: float, panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Composite Gauss-Legendre nodes and weights."""
    x, w = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(low, high, panels + 1)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (x + 1)).ravel(), (half * w).ravel()


def density_and_score_in_plane(mixture: ExactMixture, points: np.ndarray):
    """Density (n,) and score (n, 2) in float64."""
    density, pull = np.zeros(len(points)), np.zeros(points.shape)
    for w, m, c in zip(mixture.weights, mixture.means, mixture.covariances, strict=True):
        mean = np.array([float(entry) for entry in m])
        covariance = np.array([[float(e) for e in row] for row in c])
        centred = points - mean
        solved = np.linalg.solve(covariance, centred.T).T
        height = float(w) * np.exp(-(centred * solved).sum(axis=1) / 2)
        height /= 2 * np.pi * np.sqrt(np.linalg.det(covariance))
        density += height
        pull -= height[:, None] * solved
    return density, pull / density[:, None]


def random_line_mixture(random: Random, most: int = 3) -> ExactMixture:
    """A mixture of up to `most` components of different variances."""
    k = random.randint(1, most)
    parts = [random.randint(1, 5) for _ in range(k)]
    return ExactMixture(
        [Fraction(part, sum(parts)) for part in parts],
        [Fraction(random.randint(-12, 12), 4) for _ in range(k)],
        [Fraction(random.randint(2, 10), 4) for _ in range(k)],
    )


def random_polynomial(random: Random, degree: int) -> list[Fraction]:
    return [Fraction(random.randint(-20, 20), 10 ** (j + 1)) for j in range(degree + 1)]
