"""Effective sample sizes and R-hat, column by column, against laws that are known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from symscore.arrays import FloatArray
from symscore.io.draws import Draws
from symscore.io.mixing import mixing_of


def autoregression(shape: tuple[int, int], lag_one: float, *, rng: np.random.Generator):
    """Stationary chains, (chains, draws), of variance 1 and autocorrelation lag_one ** k."""
    noise = rng.normal(size=shape)
    noise[:, 1:] *= np.sqrt(1 - lag_one**2)
    return lfilter([1.0], [1.0, -lag_one], noise, axis=1)


def draws_of(*columns: FloatArray) -> Draws:
    chains, length = columns[0].shape
    values = np.stack(columns, axis=2).reshape(chains * length, len(columns))
    names = tuple(f"x[{j}]" for j in range(len(columns)))
    return Draws(values, names, np.repeat(np.arange(chains), length))


@pytest.mark.parametrize("chains", [1, 4])
def test_effective_size_of_an_autoregression(chains: int) -> None:
    n, lag_one = 40_000, 0.9
    rng = np.random.default_rng(0)
    shape = (chains, n // chains)
    found = mixing_of(draws_of(autoregression(shape, lag_one, rng=rng), rng.normal(size=shape)))
    truth = n * np.array([(1 - lag_one) / (1 + lag_one), 1])
    # Sokal's relative variance of an autocorrelation time summed up to lag M, 2 (2 M + 1) / n:
    # correlations are lost in noise before lag 50 here, and before lag 5 of independent draws.
    error = 5 * np.sqrt(2 * (2 * np.array([50, 5]) + 1) / n)
    assert np.all(np.abs(truth / found.effective - 1) <= error)
    assert found.smallest == found.effective[0]


def test_rhat_tells_shifted_chains() -> None:
    rng = np.random.default_rng(1)
    same, shifted = rng.normal(size=(2, 4, 1000))
    shifted[0] += 1
    found = mixing_of(draws_of(same, shifted))
    # One of four means off by 1: B / m = 1/4 + noise of 1 / m; ranks lose a little of it.
    assert found.rhat[0] < 1.01
    assert abs(found.rhat[1] - np.sqrt(1.25)) < 0.03
    assert found.largest_rhat == found.rhat[1]


def test_what_cannot_be_computed_is_nan() -> None:
    rng = np.random.default_rng(2)
    one_chain = mixing_of(draws_of(rng.normal(size=(1, 100))))
    assert np.isfinite(one_chain.effective).all()
    assert np.isnan(one_chain.largest_rhat)
    short = mixing_of(draws_of(rng.normal(size=(5, 3))))
    assert np.isnan(short.smallest)
    assert np.isnan(short.largest_rhat)
    constant = mixing_of(draws_of(np.ones((2, 50)), rng.normal(size=(2, 50))))
    assert np.isnan(constant.rhat[0])
    assert constant.largest_rhat == constant.rhat[1]


def test_chains_with_shares_are_taken_alone() -> None:
    rng = np.random.default_rng(3)
    n = 2000
    draws = draws_of(rng.normal([[-9.0], [9.0]], size=(2, n)))
    assert mixing_of(draws).smallest < 10
    found = mixing_of(draws.weighted([1, 3]))
    alone = [mixing_of(draws.weighted([1 - k, k])).smallest for k in (0, 1)]
    # Of a mean with shares 1/4 and 3/4: p^2 / S summed over both chains.
    expected = 1 / (0.0625 / alone[0] + 0.5625 / alone[1])
    np.testing.assert_allclose(found.smallest, expected, rtol=1e-14)
    assert found.n_draws == round(n / (0.0625 + 0.5625))
    assert np.isnan(found.largest_rhat)
    assert found.thinning == 1
    assert mixing_of(draws.weighted([5, 5])).n_draws == 2 * n
