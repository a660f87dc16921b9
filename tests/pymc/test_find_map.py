"""``pm.find_MAP``: without the Jacobian, what is maximised is the density of x."""

import warnings

import numpy as np
import pymc as pm
import pytest

from symscore.errors import SeparatedModes
from symscore.pymc import LearnedScore
from tests.tolerances import derivative, roundoff

Y, SD = -4.0, 6.0


@pytest.mark.filterwarnings("ignore:.*find_MAP:FutureWarning")  # PyMC 6.4, of later defaults
@pytest.mark.filterwarnings("ignore:.*jitter:FutureWarning")
@pytest.mark.parametrize("latent", [True, False])
@pytest.mark.parametrize("mode", [0, 1])
def test_it_ends_at_a_maximum_of_prior_times_likelihood(flow, latent, mode):
    with pm.Model(), warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparatedModes)  # no chain is run
        start = flow.ladder.frame.unwhiten(flow.ladder.at(0).crude.means)[mode]
        x = LearnedScore("x", flow, latent=latent, initval=start)
        pm.Normal("y", x.sum(), SD, observed=Y)
        options = {"options": {"ftol": 0.0, "gtol": 1e-9}, "progressbar": False}
        found = pm.find_MAP(**options)["x"]

    def gradient(x):
        return flow.score(x) + (Y - x.sum(axis=1, keepdims=True)) / SD**2

    slope = gradient(found[None])[0]
    hessian, error = (part[0] for part in derivative(gradient, found[None]))
    precision = -(hessian + hessian.T) / 2
    assert np.linalg.eigvalsh(precision).min() > 2 * error.max()
    assert np.linalg.norm(found - start) < 3 / np.sqrt(np.linalg.eigvalsh(precision).min())
    # A log density is good to some thousand roundings: it does not rise by more than that over
    # what is left of the way, in units of the peak's own width.
    log_density = flow.log_density(found[None])[0]
    left = np.sqrt(slope @ np.linalg.solve(precision, slope))
    assert left < np.sqrt(2 * roundoff(10_000, 1 + abs(log_density)))
