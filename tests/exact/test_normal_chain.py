"""The sampler on a normal target: exact laws against simulation by hand and joint normal laws."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import arb, fmpq

from symscore.errors import BadOption, NotCertified
from symscore.exact.arithmetic.balls import precision
from symscore.exact.bounds.normal_chain import Normal, NormalChain, keeps_rule, schedule

TARGET = Normal(fmpq(2), fmpq(1, 4))
CHAINS = [
    NormalChain(TARGET, [fmpq(4), fmpq(3), fmpq(2), fmpq(3, 2)]),
    NormalChain(TARGET, [fmpq(5), fmpq(7, 2), fmpq(11, 10)], fmpq(1, 20), fmpq(-1)),
]


def joint(chain: NormalChain) -> tuple[np.ndarray, ...]:
    """Return means and covariances of the forward path and of the sampler's, noisiest first."""
    roots = np.array([float(r) for r in chain.roots])
    t = roots**2 - 1
    m, v = float(chain.target.mean), float(chain.target.variance)
    forward = v + np.minimum.outer(t, t)
    a, b = float(chain.slope), float(chain.shift)
    mean, covariance = [0.0], np.array([[roots[0] ** 2]])
    for before, after in pairwise(roots):
        c = 2 * before * (before - after)
        spread = v + before**2 - 1
        slope = 1 + c * (a - 1 / spread)
        mean.append(slope * mean[-1] + c * (b + m / spread))
        cross = slope * covariance[-1:]
        corner = slope**2 * covariance[-1:, -1:] + before**2 - after**2
        covariance = np.block([[covariance, cross.T], [cross, corner]])
    return np.full(len(roots), m), forward, np.array(mean), covariance


def divergence(mean, covariance, other_mean, other):
    ratio = np.linalg.solve(other, covariance)
    shift = other_mean - mean
    quadratic = shift @ np.linalg.solve(other, shift)
    return (np.trace(ratio) - len(mean) + quadratic - np.linalg.slogdet(ratio)[1]) / 2


@pytest.mark.parametrize("chain", CHAINS)
def test_paths_and_draws_are_those_of_joint_normal_laws(chain):
    mean, covariance, other_mean, other = joint(chain)
    # Float linear algebra of order 4 with condition numbers below 100: a hundred roundings.
    assert float(chain.path_divergence()) == pytest.approx(
        divergence(mean, covariance, other_mean, other), rel=1e-11
    )
    draws = chain.sampled()
    assert float(draws.mean) == pytest.approx(other_mean[-1], rel=1e-13)
    assert float(draws.variance) == pytest.approx(other[-1, -1], rel=1e-13)


@pytest.mark.parametrize("chain", CHAINS)
def test_the_formula_in_fisher_informations(chain):
    with precision(128):
        total = chain.level(chain.roots[0]).divergence(chain.start)
        v = chain.target.variance
        for before, after in chain.steps:
            t, u = after**2 - 1, before**2 - 1
            delta, c = u - t, 2 * before * (before - after)
            information = 1 / (v + u)
            grown = arb((v + u) / (v + t)).log()
            total += (grown - arb(delta * information)) / 2
            # (delta - c) s - c e, with s = (m - y) / (v + u).
            lag = delta - c
            slope = -lag * information - c * chain.slope
            shift = lag * information * chain.target.mean - c * chain.shift
            total += arb(chain.level(before).square(slope, shift) / (2 * delta))
        assert total.overlaps(chain.path_divergence())


def test_a_law_has_no_divergence_from_itself():
    assert float(TARGET.divergence(TARGET)) == 0
    with pytest.raises(BadOption, match="variance of at least 0"):
        Normal(fmpq(0), fmpq(-1))


@pytest.mark.parametrize("kappa", [Fraction(1, 2), Fraction(1, 7)])
def test_schedules_keep_the_rule_and_reach_the_end(kappa):
    roots = schedule(50, Fraction(1, 20), kappa)
    assert all(after < before for before, after in pairwise(roots))
    assert abs(float(roots[0] ** 2) - 51) < 0.01
    assert 0 <= float(roots[-1] ** 2) - 1.05 < 0.001
    logs = np.log([float(r) for r in roots])
    steps, cleaner = logs[:-1] - logs[1:], logs[1:]
    assert (steps <= float(kappa) * np.minimum(1, cleaner) + 1e-12).all()
    # Longest steps, but for roundings to 2^-12 and the last one.
    assert (steps[:-1] >= float(kappa) * np.minimum(1, cleaner[:-1]) - 2**-10).all()


def test_a_step_too_long_is_told():
    assert not keeps_rule(fmpq(2), fmpq(5, 4), Fraction(1, 10))
    assert keeps_rule(fmpq(2), fmpq(31, 16), Fraction(1, 10))


def test_a_schedule_whose_steps_rounding_swallows_is_refused():
    with pytest.raises(NotCertified, match=r"longer than 2\^-12"):
        schedule(1, Fraction(1, 1000), Fraction(1, 10))
