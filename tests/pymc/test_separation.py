import warnings

import numpy as np
import pymc as pm
import pytest

from symscore.errors import SeparatedModes
from symscore.flow.charts import Block, Chart
from symscore.flow.flow import ScoreFlow
from symscore.mixture import GaussianMixture
from symscore.pymc import LearnedScalar, LearnedScore
from symscore.pymc.separation import separation
from tests.flows import make_flow, two_modes


def unit_blobs(places, weights=None):
    count, dim = np.shape(places)
    weights = np.full(count, 1 / count) if weights is None else weights
    return GaussianMixture(weights, places, np.tile(np.eye(dim), (count, 1, 1)))


def ring(components=16, radius=2.0, sd=0.3):
    angles = 2 * np.pi * np.arange(components) / components
    places = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return GaussianMixture(
        np.full(components, 1 / components), places, np.tile(sd**2 * np.eye(2), (components, 1, 1))
    )


def banana():
    t = np.linspace(-3, 3, 15)
    weights = np.exp(-0.5 * (t / 1.2) ** 2)
    places = np.column_stack([t, 0.5 * t**2])
    return GaussianMixture(weights / weights.sum(), places, np.tile(0.1 * np.eye(2), (15, 1, 1)))


GRID = [[7.0 * i, 7.0 * j] for i in range(5) for j in range(5)]
APART = {
    "7 sd": two_modes(7.0),
    "7 sd, one column": two_modes(7.0, dim=1),
    "7 sd, five columns": two_modes(7.0, dim=5),
    "7 sd, masses .97 and .03": unit_blobs([[0.0, 0.0], [7.0, 0.0]], [0.97, 0.03]),
    "grid": unit_blobs(GRID),
}
CONNECTED = {
    "one": unit_blobs([[0.0, 0.0]]),
    "one, five columns": unit_blobs([[0.0] * 5]),
    "4 sd": two_modes(4.0),
    "4 sd, one column": two_modes(4.0, dim=1),
    "a chain of 3.5 sd": unit_blobs([[0.0, 0.0], [3.5, 0.0], [7.0, 0.0]]),
    "masses .998 and .002": unit_blobs([[0.0, 0.0], [7.0, 0.0]], [0.998, 0.002]),
    "ring": ring(),
    "banana": banana(),
}


@pytest.mark.parametrize("name", APART)
def test_modes_apart(name):
    found = separation(make_flow(APART[name]))
    weights = np.sort(APART[name].weights)[::-1]
    if name == "grid":
        assert len(found.masses) > 12
    else:
        # Five standard errors of a share of 1000 draws: false alarm 6e-7 each.
        error = 5 * np.sqrt(weights * (1 - weights) / 1000)
        assert np.all(np.abs(found.masses - weights) <= error)
        assert abs(found.gap - 7) < 1


@pytest.mark.parametrize("name", CONNECTED)
def test_connected(name):
    assert len(separation(make_flow(CONNECTED[name])).masses) == 1


def test_bounds_do_not_part_what_is_one():
    """A density that piles up at both ends of an interval has one mode in its coordinates."""
    free = make_flow(unit_blobs([[0.0]]))
    wide = ScoreFlow(free.ladder, Chart((Block("interval", free.names, 0.0, 1.0),)))
    assert len(separation(wide).masses) == 1
    modes = make_flow(two_modes(7.0, dim=1))
    bounded = ScoreFlow(modes.ladder, Chart((Block("lower", modes.names, 0.0),)))
    assert len(separation(bounded).masses) == 2


def test_the_warning_says_masses_and_what_to_do(line):
    flow = make_flow(two_modes(7.0))
    text = r"x0, x1 has 2 groups .* masses 0\.5\d, 0\.4\d, at least 7 .* latent=True.*sample_smc"
    with pm.Model(), pytest.warns(SeparatedModes, match=text) as caught:
        LearnedScore("x", flow, latent=False)
    assert caught[0].filename == __file__
    with pm.Model(), pytest.warns(SeparatedModes, match="x0 has 2 groups") as caught:
        LearnedScalar("x", make_flow(two_modes(7.0, dim=1)), latent=False)
    assert caught[0].filename == __file__


def test_it_is_said_only_where_it_matters():
    flow = make_flow(two_modes(7.0))
    with pm.Model(), warnings.catch_warnings():
        warnings.simplefilter("error")
        LearnedScore("free", flow)
        LearnedScore("seen", flow, latent=False, observed=np.zeros((1, 2)))
        LearnedScore("near", make_flow(two_modes(4.0)), latent=False)
