"""Quadratic forms in Gaussians: moments, tails and leading subspaces against NumPy and SciPy."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from flint import arb, fmpq, fmpq_mat
from scipy import stats

from symscore.errors import NotCertified
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import (
    chi_square_tail,
    flattened_moment,
    form_deviation,
    form_exponent,
    form_variance,
    is_semidefinite,
    normal_tail,
    projection_defect,
    scaled_identity,
    square_tail,
)
from symscore.exact.bounds.crude_covariances import (
    recentring_errors,
    signal_errors,
    squared_defect,
)
from symscore.exact.bounds.nearest_centre import wrong_side, wrong_side_bound
from symscore.exact.proofs.signs import is_nonnegative


def _symmetric(size: int, seed: int, largest: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    entries = rng.integers(-largest, largest + 1, (size, size))
    return entries + entries.T


def _exact(matrix: np.ndarray) -> fmpq_mat:
    return fmpq_mat([[int(x) for x in row] for row in matrix])


@pytest.mark.parametrize("seed", range(6))
def test_semidefinite_as_by_eigenvalues(seed):
    square = np.random.default_rng(seed).integers(-3, 4, (4, 3))
    gram = square @ square.T  # of rank three, so with an eigenvalue of exactly zero
    assert is_semidefinite(_exact(gram))
    assert not is_semidefinite(_exact(gram) - scaled_identity(4, fmpq(1, 1000)))
    indefinite = _symmetric(4, seed)
    assert is_semidefinite(_exact(indefinite)) == (np.linalg.eigvalsh(indefinite)[0] > -1e-9)


def test_asymmetric_is_not_semidefinite():
    assert not is_semidefinite(fmpq_mat([[1, 1], [0, 1]]))


@pytest.mark.parametrize("seed", range(4))
def test_variance_of_a_form_from_fourth_moments(seed):
    rng = np.random.default_rng(seed)
    root = rng.integers(-2, 3, (3, 3))
    covariance, form = _exact(root @ root.T), _exact(rng.integers(-3, 4, (3, 3)))
    mean = tuple(fmpq(int(x), 2) for x in rng.integers(-3, 4, 3))
    moment = flattened_moment(mean, covariance)
    flat = fmpq_mat(9, 1, form.entries())
    second = fmpq_mat(3, 3)
    for i in range(3):
        for j in range(3):
            second[i, j] = covariance[i, j] + mean[i] * mean[j]
    first = sum((a * b for a, b in zip(form.entries(), second.entries(), strict=True)), fmpq(0))
    square = (flat.transpose() * moment * flat)[0, 0]
    assert form_variance(form, mean, covariance) == square - first**2


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [1, 2, 4])
def test_defect_as_by_eigenvectors(seed, count):
    matrix = _symmetric(5, seed)
    vector = np.arange(1, 6)
    basis = np.linalg.eigh(matrix)[1][:, ::-1][:, :count]
    expected = (vector**2).sum() - ((basis.T @ vector) ** 2).sum()
    with precision(100):
        found = projection_defect(_exact(matrix), tuple(map(fmpq, map(int, vector))), count)
    assert found.rad() < 1e-20
    # Rounding of the eigenvectors: 1e-16 over the gaps, which are above 1e-2 here.
    assert float(found) == pytest.approx(expected, abs=1e-10)


def test_defect_of_multiple_eigenvalues():
    matrix = fmpq_mat([[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    vector = tuple(map(fmpq, (1, 2, 3, 4)))
    assert projection_defect(matrix, vector, 2).overlaps(arb(25))
    assert projection_defect(matrix, vector, 4) == 0
    with pytest.raises(NotCertified, match="a gap after 1"):
        projection_defect(matrix, vector, 1)


def test_tails_as_scipy_has_them():
    for t in (-1.0, 0.0, 2.5):
        assert float(normal_tail(arb(t))) == pytest.approx(stats.norm.sf(t), rel=1e-12)
    for freedom, level in ((2, 3.0), (10, 25.0), (40, 20.0)):
        expected = stats.chi2.sf(level, freedom)
        assert float(chi_square_tail(freedom, arb(level))) == pytest.approx(expected, rel=1e-11)
    expected = stats.ncx2.sf(9.0 / 2, 1, 0.5)
    found = square_tail(arb(1), arb(2).sqrt(), arb(9))
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_deviation_and_exponent_are_inverse():
    for frobenius, operator, x in ((3, 1, 2), (5, 4, Fraction(1, 7))):
        f, b, at = ball_of(frobenius), ball_of(operator), ball_of(x)
        assert form_exponent(f, b, form_deviation(f, b, at)).overlaps(at)


@pytest.mark.parametrize("eigenvalues", [(1, -1, 2), (3, 1, 0), (-2, -2, -1)])
def test_deviation_bounds_the_generating_function(eigenvalues):
    b = np.array(eigenvalues, dtype=float)
    frobenius, operator = np.sqrt((b**2).sum()), np.abs(b).max()
    for x in (0.1, 1.0, 9.0):
        s = np.sqrt(x) / (frobenius + 2 * operator * np.sqrt(x))
        logarithm = -0.5 * np.log1p(-2 * s * b).sum() - s * b.sum()
        level = float(form_deviation(arb(frobenius), arb(operator), arb(x)))
        assert logarithm - s * level <= -x + 1e-12


def test_errors_about_the_nearest_centre():
    assert recentring_errors(2, fmpq(1), fmpq(3)) == (75, 60, 0)
    assert signal_errors(2, fmpq(1), fmpq(3)) == (89, 74, 14)
    assert squared_defect(2, fmpq(1), fmpq(3), fmpq(1, 2)) == 4 * (89 + 148 + 14)


def test_recentring_bounds_hold_in_simulation():
    # Three crude means on a line in three dimensions, the first of them the component's own. The
    # bounds are several times what is found, so chance cannot break this: 1e5 rows, 1 % error.
    rng = np.random.default_rng(5)
    root = np.array([[1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, -0.5, 0.8]])
    mean, centres = np.array([0.4, 0.3, -0.2]), np.array([0.0, 1.0, -0.5])
    beta, upsilon = np.linalg.eigvalsh(root @ root.T)[-1], (mean**2).sum()
    x = mean + rng.standard_normal((100_000, 3)) @ root.T
    near = centres[np.abs(x[:, :1] - centres).argmin(axis=1)]
    along, across = x[:, 0] - near, x[:, 1:]
    r00, r01, _ = recentring_errors(1, beta, upsilon)
    assert abs((along**4).mean() - (x[:, 0] ** 4).mean()) < r00
    before = (x[:, 0] ** 2)[:, None, None] * across[:, :, None] * across[:, None]
    after = (along**2)[:, None, None] * across[:, :, None] * across[:, None]
    change = np.linalg.eigvalsh((after - before).mean(axis=0))
    assert 0.05 * r01 < np.abs(change).max() < r01


def test_wrong_side_of_a_skew_bisector():
    covariance = fmpq_mat([[2, 1], [1, 1]])
    mean, own, other = ((fmpq(a), fmpq(b)) for a, b in ((0, 0), (1, 0), (3, 2)))
    # The normal is (2, 2), the midpoint (2, 1): mean -6, variance 20.
    found = wrong_side(mean, covariance, own, other)
    assert float(found) == pytest.approx(stats.norm.sf(6 / np.sqrt(20)), rel=1e-12)
    bound = float(wrong_side_bound(arb(10), arb(1), arb(2)))
    assert bound == pytest.approx(np.exp(-9 / 4) / 2, rel=1e-12)


def test_signs_of_shifted_polynomials():
    x, y = sympy.symbols("x y")
    assert is_nonnegative((x - 1) * y + x**2 - 1, {x: 1, y: 0})
    assert not is_nonnegative((x - 1) * y + x**2 - 1, {x: 0, y: 0})
    assert not is_nonnegative(x * y - sympy.Rational(1, 2), {x: 0, y: 0})
