"""The small solver against NumPy's, with the a-priori error bounds of Gaussian elimination."""

import numpy as np
import pytest

from symscore.flow.dense import factor, norm, solve, solve_transposed
from tests.tolerances import EPS, roundoff

SIZES = [1, 2, 3, 5, 8]
each_size = pytest.mark.parametrize("d", SIZES)


def packed(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in parts])


def matrices(d: int) -> list[np.ndarray]:
    """Random, ill-conditioned, needing a pivot at once, and a cyclic permutation."""
    rng = np.random.default_rng(d)
    random = rng.normal(size=(d, d))
    graded = random * 10.0 ** np.arange(d)
    late = random.copy()
    late[0, 0] = 1e-30
    return [random, graded, late, np.roll(np.eye(d), 1, axis=0)]


@each_size
def test_determinant_is_numpys(d):
    for a in matrices(d):
        work = packed(a, np.zeros(d))
        sign, log_det = factor(work, 0, d * d, d)
        want_sign, want = np.linalg.slogdet(a)
        # Backward error d^3 growth u |A|, relative to the smallest singular value.
        assert sign == want_sign
        assert abs(log_det - want) <= roundoff(4 * d**3, np.linalg.cond(a) + abs(want))


@each_size
@pytest.mark.parametrize("transposed", [False, True])
def test_solution_is_numpys(d, transposed):
    for a in matrices(d):
        b = np.random.default_rng(9).normal(size=d)
        work = packed(a, np.zeros(d), b)
        factor(work, 0, d * d, d)
        (solve_transposed if transposed else solve)(work, 0, d * d, d, d * d + d)
        want = np.linalg.solve(a.T if transposed else a, b)
        limit = roundoff(8 * d**3, np.linalg.cond(a) * np.abs(want).max())
        assert np.abs(work[d * d + d :] - want).max() <= limit


@each_size
def test_solving_changes_only_its_own_places(d):
    a, b = matrices(d)[0], np.ones(d)
    work = packed([7.0], a, np.zeros(d), b, [7.0])
    factor(work, 1, 1 + d * d, d)
    solve(work, 1, 1 + d * d, d, 1 + d * d + d)
    assert (work[0], work[-1]) == (7.0, 7.0)


@pytest.mark.parametrize(
    "a", [[[0.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 4.0]], [[np.nan, 1.0], [1.0, 1.0]]]
)
def test_a_singular_matrix_says_so(a):
    assert factor(packed(np.array(a), np.zeros(2)), 0, 4, 2) == (0.0, -np.inf)


def test_an_infinite_pivot_is_no_determinant():
    assert factor(np.array([np.inf, 0.0]), 0, 1, 1) == (0.0, -np.inf)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_norm_neither_overflows_nor_underflows(scale):
    vector = scale * np.array([3.0, -4.0, 12.0])
    assert abs(norm(vector, 0, 3) - 13 * scale) <= 8 * EPS * 13 * scale


def test_norm_of_nothing_and_of_what_is_no_number():
    assert norm(np.zeros(3), 0, 3) == 0
    assert norm(np.array([1.0, np.nan]), 0, 2) == np.inf
    assert norm(np.array([1.0, -np.inf]), 0, 2) == np.inf
