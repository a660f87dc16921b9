"""Random rational mixtures, and their scores in mpmath, for tests of certificates."""

from fractions import Fraction

import mpmath
import numpy as np

from symscore.exact import ExactMixture
from symscore.exact.arithmetic.rational import RationalMixture


def fractions(values: np.ndarray, denominator: int) -> list:
    """Nested lists of multiples of 1/denominator near the values."""
    rounded = np.rint(np.asarray(values) * denominator).astype(int)
    return np.frompyfunc(lambda n: Fraction(int(n), denominator), 1, 1)(rounded).tolist()


def random_mixture(
    rng: np.random.Generator, n_components: int, dim: int, *, shared: bool, spread: float = 2.0
) -> ExactMixture:
    """A mixture with positive weights, means of scale `spread`, well-conditioned covariances."""
    counts = rng.integers(1, 8, size=n_components)
    weights = [Fraction(int(count), int(counts.sum())) for count in counts]
    means = fractions(spread * rng.standard_normal((n_components, dim)), 8)

    def covariance() -> list:
        root = fractions(0.4 * rng.standard_normal((dim, dim)), 8)
        return [
            [
                sum((root[i][m] * root[j][m] for m in range(dim)), Fraction(int(i == j), 2))
                for j in range(dim)
            ]
            for i in range(dim)
        ]

    one = covariance()
    return ExactMixture(weights, means, [one if shared else covariance() for _ in weights])


def mpf(value: object) -> mpmath.mpf:
    """The rational at mpmath's present precision."""
    return mpmath.mpf(int(value.p)) / int(value.q)


def line_parts(mixture: ExactMixture) -> list[tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]]:
    """Weight, mean and variance of every component in one dimension."""
    rational = RationalMixture.of(mixture)
    return [
        (mpf(weight), mpf(mean[0]), mpf(covariance[0][0]))
        for weight, mean, covariance in zip(
            rational.weights, rational.means, rational.covariances, strict=True
        )
    ]


def line_density_and_score(mixture: ExactMixture):
    """The functions p and p'/p of x in one dimension."""
    parts = line_parts(mixture)

    def terms(x: mpmath.mpf) -> list[mpmath.mpf]:
        return [w * mpmath.npdf(x, m, mpmath.sqrt(v)) for w, m, v in parts]

    def density(x: mpmath.mpf) -> mpmath.mpf:
        return mpmath.fsum(terms(x))

    def score(x: mpmath.mpf) -> mpmath.mpf:
        values = terms(x)
        pulls = (value * (m - x) / v for value, (_, m, v) in zip(values, parts, strict=True))
        return mpmath.fsum(pulls) / mpmath.fsum(values)

    return density, score


def line_expectation(mixture: ExactMixture, function, knots: tuple = (), reach: int = 14):
    """E[function(x)] by mpmath's quadrature on pieces, to the digits of its working precision."""
    density, _ = line_density_and_score(mixture)
    parts = line_parts(mixture)
    sd = max(mpmath.sqrt(v) for _, _, v in parts)
    least = min(mpmath.sqrt(v) for _, _, v in parts)
    low, high = (
        min(m for _, m, _ in parts) - reach * sd,
        max(m for _, m, _ in parts) + reach * sd,
    )
    count = int(mpmath.ceil((high - low) / (2 * least)))
    grid = {low + (high - low) * mpmath.mpf(i) / count for i in range(count + 1)}
    points = sorted(grid | {mpmath.mpf(knot) for knot in knots if low < knot < high})
    return mpmath.quad(lambda x: function(x) * density(x), points)
