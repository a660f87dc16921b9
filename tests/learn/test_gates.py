"""Kernels of many rows at once: their exponential, and that rows do not see each other."""

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from symscore.arrays import FloatArray
from symscore.learn import gates, gram, reference
from symscore.learn.batch import denoise_batch
from symscore.learn.gates import LOWEST, exponentiate, fill_gates
from symscore.learn.gram import GATE_FLOOR, add_moments, add_normal_equations, sort_by_cell
from symscore.learn.kernels import denoise, field_scratch
from symscore.learn.packed import pack_mixture
from tests.flows import random_blend, random_field, random_mixture
from tests.tolerances import EPS, roundoff

ULPS = 2.0  # what `exponentiate` promises
FIELDS = {
    False: random_field(random_mixture(2, 7, 1), 3.0, 2, 0.3, 1),
    True: random_blend(3.0, 2, [(4, 1, 3.0), (7, 2, 2.0)], amplitude=0.3),
}


def exponentials(values: FloatArray) -> FloatArray:
    found = values.copy()
    exponentiate(found, len(found), np.empty_like(found))
    return found


# ---- exponentials


def test_exponentials_are_right_to_two_ulp():
    rng = np.random.default_rng(0)
    near_ties = np.log(2) * (np.arange(-900, 900) + 0.5)  # where the power of two changes
    values = np.concatenate(
        [-rng.exponential(10.0, 5000), rng.uniform(LOWEST, 700, 5000), near_ties, [0.0, LOWEST]]
    )
    values = values[(values >= LOWEST) & (values <= 700)]
    want = np.exp(values.astype(np.longdouble))
    error = np.abs(exponentials(values) / want - 1)
    assert np.finfo(np.longdouble).eps < EPS / 100  # so that the oracle is better
    assert error.max() <= ULPS * EPS


def test_exponentials_at_the_ends():
    values = np.array([0.0, -0.0, LOWEST - 1, -1e300, -np.inf, np.nan])
    lowest = exponentials(np.array([LOWEST]))[0]
    assert np.array_equal(
        exponentials(values), [1.0, 1.0, lowest, lowest, lowest, np.nan], equal_nan=True
    )


@pytest.mark.parametrize("n", range(1, 20))
def test_an_exponential_is_the_same_in_any_company(n):
    values = -np.random.default_rng(n).exponential(5.0, n)
    alone = np.concatenate([exponentials(values[k : k + 1]) for k in range(n)])
    assert (exponentials(values) == alone).all()


def test_kernels_that_sum_in_any_order_call_no_others():
    # Called from one of them first, another kernel is compiled with its flags, which undo the
    # rounding in `exponentiate`.
    kernels = {
        name: kernel
        for module in (gates, gram)
        for name, kernel in vars(module).items()
        if isinstance(kernel, Dispatcher)
    }
    free = {n: k for n, k in kernels.items() if k.targetoptions.get("fastmath")}
    assert len(free) == 4
    for name, kernel in free.items():
        assert not set(kernel.py_func.__code__.co_names) & set(kernels), name


# ---- gates and denoisers


@pytest.mark.parametrize(("dim", "cells"), [(1, 1), (2, 5), (5, 3)])
def test_gates_are_the_responsibilities(dim, cells):
    mixture = random_mixture(dim, cells, seed=3)
    x = mixture.draw(50, rng=np.random.default_rng(0))
    y, u = np.ascontiguousarray(x.T), np.empty((dim, 50))
    gate, square = np.empty((cells, 50)), np.empty((cells, 50))
    top, total = np.empty(50), np.empty(50)
    fill_gates(*pack_mixture(mixture), 0, y, 50, u, gate, square, top, total)
    # A gate's relative error is the absolute one of its log, a sum of squares |u|^2 of u.
    limit = roundoff(32 * dim, 1 + square.max(axis=0))
    assert np.all(np.abs(gate.T - mixture.responsibilities(x)) <= limit[:, None])
    log_density = top + np.log(total) - 0.5 * dim * np.log(2 * np.pi)
    assert np.all(np.abs(log_density - mixture.log_density(x)) <= limit + roundoff(8, np.abs(top)))


@pytest.mark.parametrize("blended", [False, True])
def test_a_denoiser_does_not_see_the_other_rows(blended):
    field = FIELDS[blended]
    y = 3.0 * np.random.default_rng(2).normal(size=(300, 2))
    whole = denoise_batch(field.packed, y)
    for n in (1, 2, 3, 7, 65):
        assert (denoise_batch(field.packed, y[:n]) == whole[:n]).all()
    order = np.random.default_rng(3).permutation(len(y))
    assert (denoise_batch(field.packed, y[order]) == whole[order]).all()


def test_one_row_and_many_agree():
    field = FIELDS[False]
    y = 3.0 * np.random.default_rng(2).normal(size=(60, 2))
    numbers, layout = field.packed
    one = np.empty_like(y)
    for row, point in enumerate(y):
        work = np.concatenate([point, np.full(2 + field_scratch(layout), np.nan)])
        denoise(numbers, layout, 0, work, 0, 2, 4)
        one[row] = work[2:4]
    many = denoise_batch(field.packed, y)
    # Log gates as large as |y|^2 round; two routes, each with as many operations as cells.
    size = (1 + (y**2).sum(axis=1).max()) * (1 + np.abs(one).max())
    assert np.abs(many - one).max() <= roundoff(2 * 64 * 7, size)
    assert np.abs(many - reference.denoise(field, y)).max() <= roundoff(2 * 64 * 7, size)


def test_a_row_that_is_not_a_number_stays_alone():
    field = FIELDS[False]
    y = np.random.default_rng(2).normal(size=(9, 2))
    broken = y.copy()
    broken[4, 1] = np.nan
    found = denoise_batch(field.packed, broken)
    assert np.isnan(found[4]).all()
    others = np.arange(9) != 4
    assert (found[others] == denoise_batch(field.packed, y)[others]).all()


# ---- sums


def test_rows_are_sorted_by_their_largest_gate():
    gate = np.random.default_rng(0).random((5, 83))
    best, order = np.empty(83, dtype=np.int64), np.empty(83, dtype=np.int64)
    starts = np.empty(6, dtype=np.int64)
    sort_by_cell(gate, 5, 83, best, order, starts)
    want = gate.argmax(axis=0)
    assert (best == want).all()
    assert (order == want.argsort(kind="stable")).all()
    assert (np.diff(starts) == np.bincount(want, minlength=5)).all()


@pytest.mark.parametrize("n", [5, 700, 1500])
def test_moments_are_those_of_the_responsibilities(n):
    mixture = random_mixture(3, 4, 2)
    rng = np.random.default_rng(1)
    x, weights = mixture.draw(n, rng=rng), rng.dirichlet(np.ones(n))
    mass, first, second = np.zeros(4), np.zeros((4, 3)), np.zeros((4, 3, 3))
    total = add_moments(*pack_mixture(mixture), x, weights, mass, first, second)
    share = weights[:, None] * mixture.responsibilities(x)
    limit = roundoff(n + 200, 1 + np.abs(x).max()) * (1 + np.abs(x).max()) ** 3
    assert np.abs(mass - share.sum(axis=0)).max() <= limit
    assert np.abs(first - share.T @ x).max() <= limit
    want = np.tril(np.einsum("nc,ni,nj->cij", share, x, x))
    assert np.abs(second - want).max() <= limit
    log_density = weights @ mixture.log_density(x) + 1.5 * np.log(2 * np.pi)
    assert abs(total - log_density) <= limit


def test_what_the_floor_leaves_out_is_bounded():
    """Entries differ from sums over all features by at most the floor times the largest feature."""
    crude, kappa, n, degree = random_mixture(2, 12, 4), 6.0, 400, 2
    field = random_field(crude, kappa, degree, 0.0, 0)
    rng = np.random.default_rng(0)
    x, noise, weights = crude.draw(n, rng=rng), rng.normal(size=(n, 2)), np.full(n, 1 / n)
    width = 12 * field.size
    sums, cross = np.zeros((width, width)), np.zeros((width, 2))
    add_normal_equations(*field.packed, kappa, x, noise, weights, sums, cross)
    y = np.concatenate([kappa * x + noise, kappa * x - noise])
    phi, own = reference.features(crude, kappa, field.rho, degree, y)
    # The first polynomial is 1, so that the first feature is gate times damping.
    dropped = (phi[:, :, 0] <= GATE_FLOOR) & (phi[:, :, 0] > 0)
    reach = np.abs(phi[dropped] / phi[dropped][:, :1]).max()
    phi = phi.reshape(2 * n, -1)
    want = np.tril(phi.T @ phi) / (2 * n)
    lost = np.abs(np.tril(sums) - want).max()
    bound = GATE_FLOOR * reach * np.abs(phi).max() * 2
    assert 0 < lost <= bound + roundoff(256 * n, np.abs(want).max())
    residual = np.abs(np.tile(x, (2, 1)) - own).max()
    missing = np.abs(cross - phi.T @ (np.tile(x, (2, 1)) - own) / (2 * n)).max()
    assert missing <= GATE_FLOOR * reach * residual + roundoff(256 * n, residual)
