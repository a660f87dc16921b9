"""Certificates of random instances, held against quadrature of the direct integral.

The quadrature (mpmath in one dimension, sums over a fine grid in two and three) knows nothing of
certificates: it integrates |grad log p|^2 p, and |grad log p - q|^2 p for a random polynomial q, as
they stand. It is no proof, so the digits compared are those that it reaches.
"""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from symscore.exact import ExactMixture, fisher_information, projection_error
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.expansions.projection import projected_field
from symscore.mixture import GaussianMixture
from tests.exact.mixtures import line_density_and_score, line_expectation, mpf, random_mixture

LINE_DIGITS = 16


def as_mpf(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def floats(mixture: ExactMixture) -> GaussianMixture:
    rational = RationalMixture.of(mixture)

    def array(values: object) -> np.ndarray:
        return np.vectorize(lambda q: int(q.p) / int(q.q), otypes=[float])(
            np.array(values, dtype=object)
        )

    return GaussianMixture(
        array(rational.weights), array(rational.means), array(rational.covariances)
    )


def compare_on_the_line(seed: int) -> None:
    rng = np.random.default_rng([1, seed])
    n_components = int(rng.integers(1, 5))
    mixture = random_mixture(rng, n_components, 1, shared=bool(seed % 2), spread=3.0)
    degree = int(rng.integers(0, 8))
    information = fisher_information(mixture, digits=LINE_DIGITS)
    error = projection_error(mixture, degree, digits=LINE_DIGITS)
    field = projected_field(RationalMixture.of(mixture), degree)[0]
    with mpmath.workdps(24):
        tolerance = 2 * mpmath.mpf(10) ** -LINE_DIGITS
        _, score = line_density_and_score(mixture)
        coefficients = [
            mpf(field.get((n,), 0)) if field.get((n,)) else mpmath.mpf(0)
            for n in reversed(range(degree + 1))
        ]

        def missed(x: mpmath.mpf) -> mpmath.mpf:
            return (score(x) - mpmath.polyval(coefficients, x)) ** 2

        direct = line_expectation(mixture, lambda x: score(x) ** 2)
        assert abs(direct - as_mpf(information.midpoint)) < tolerance * max(1, direct)
        assert abs(line_expectation(mixture, missed) - as_mpf(error.midpoint)) < tolerance * max(
            1, direct
        )


@pytest.mark.parametrize("seed", range(4))
def test_a_few_instances_on_the_line(seed):
    compare_on_the_line(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 304))
def test_instances_on_the_line(seed):
    compare_on_the_line(seed)


def test_one_instance_in_the_plane():
    compare_on_grid(0, 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_instances_in_the_plane(seed):
    compare_on_grid(seed, 2)


def compare_on_grid(seed: int, dim: int) -> None:
    """Sum the direct integrand over a fine grid, in floats.

    The error falls exponentially with the inverse spacing: at a fifth of the least deviation
    it is far below the digits compared, for components that overlap.
    """
    rng = np.random.default_rng([3, dim, seed])
    mixture = random_mixture(
        rng, int(rng.integers(2, 5)), dim, shared=dim == 3 or seed % 2 == 0, spread=0.8
    )
    digits = 6 if dim == 2 else 5
    certificate = fisher_information(mixture, digits=digits)
    oracle = floats(mixture)
    least = float(np.sqrt(min(np.linalg.eigvalsh(c)[0] for c in oracle.covariances)))
    reach = 7 * float(np.sqrt(max(np.linalg.eigvalsh(c)[-1] for c in oracle.covariances)))
    step = least / 5
    axes = [
        np.arange(low - reach, high + reach, step)
        for low, high in zip(oracle.means.min(axis=0), oracle.means.max(axis=0), strict=True)
    ]
    total = 0.0
    for first in axes[0]:
        rest = np.stack(np.meshgrid(*axes[1:], indexing="ij"), axis=-1).reshape(-1, dim - 1)
        points = np.column_stack([np.full(len(rest), first), rest])
        density = np.exp(oracle.log_density(points))
        total += float(np.sum(np.sum(oracle.score(points) ** 2, axis=1) * density))
    direct = total * step**dim
    assert abs(direct - float(certificate)) < 2 * 10.0**-digits * max(1.0, direct)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_instances_in_space(seed):
    compare_on_grid(seed, 3)
