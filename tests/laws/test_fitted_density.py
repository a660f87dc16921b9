"""The default estimator's density, learned from draws of two modes, is normalised.

Its mass is one on a lattice that resolves the modes and the bridge between
them, and draws of either side give one total variation distance.
"""

import numpy as np
import pytest

from symscore import GaussianMixture, ScoreDensity
from symscore.compare.metrics import total_variation
from tests.flows import lattice, two_modes

Z_LIMIT = 5.0  # standard errors: one false alarm in 1.7 million


@pytest.fixture(scope="module", params=[4.0, 30.0], ids=lambda distance: f"{distance:g} sd apart")
def learned(request: pytest.FixtureRequest) -> tuple[GaussianMixture, ScoreDensity]:
    truth = two_modes(request.param)
    data = truth.draw(1500, rng=np.random.default_rng(0))
    return truth, ScoreDensity(random_state=0).fit(data)


@pytest.mark.slow
def test_mass_is_one(learned: tuple[GaussianMixture, ScoreDensity]) -> None:
    truth, density = learned
    step = 0.2
    points = lattice(truth.means.min(axis=0) - 8, truth.means.max(axis=0) + 8, step)
    mass = np.exp(density.score_samples(points)).sum() * step**truth.dim
    assert abs(mass - 1) <= 1e-3


@pytest.mark.slow
def test_twin_distances_agree(learned: tuple[GaussianMixture, ScoreDensity]) -> None:
    truth, density = learned
    rng = np.random.default_rng(1)
    distance = total_variation(
        truth.log_density,
        density.score_samples,
        draws_p=truth.draw(4000, rng=rng),
        draws_q=density.flow_.draw(4000, rng=rng),
    )
    error = np.hypot(distance.from_p.standard_error, distance.from_q.standard_error)
    assert abs(distance.from_p.value - distance.from_q.value) <= Z_LIMIT * error
    assert distance.from_p.value < 0.1
