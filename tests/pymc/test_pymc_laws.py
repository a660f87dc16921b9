"""What PyMC and PyTensor ask of any distribution and any Op, by their own test helpers."""

from typing import ClassVar

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.testing import BaseTestDistributionRandom, assert_support_point_is_expected
from pytensor.gradient import verify_grad
from scipy.special import ndtr
from scipy.stats import kstwo

from symscore.pymc import LearnedScalar, LearnedScore
from symscore.pymc.ops import from_latent, latent_log_det, log_density, to_latent
from symscore.pymc.parameters import anchor
from tests.pymc.conftest import build

FALSE_ALARM = 1e-6
BACKENDS = ["FAST_COMPILE", *(["CVM"] if pytensor.config.cxx else []), "NUMBA"]
SLOW_BACKENDS = [
    pytest.param(mode, marks=[] if mode == "FAST_COMPILE" else pytest.mark.slow)
    for mode in BACKENDS
]


class TestLearnedScoreRandom(BaseTestDistributionRandom):
    flow = build([[-1.5, 0.5], [1.5, -0.5]], ("a", "b"), seed=1)
    loc, scale_tril = np.array([1.0, 2.0]), np.array([[2.0, 0.0], [0.5, 1.0]])
    pymc_dist = LearnedScore
    pymc_dist_params: ClassVar = {"flow": flow, "loc": loc, "scale_tril": scale_tril}
    expected_rv_op_params: ClassVar = {
        "numbers": flow.packed.numbers,
        "layout": flow.packed.layout,
        "anchor": anchor(flow),
        "loc": loc,
        "scale_tril": scale_tril,
    }
    sizes_to_check: ClassVar = [None, (), 1, (1,), 5, (4, 5), (2, 4, 2)]
    sizes_expected: ClassVar = [(2,), (2,), (1, 2), (1, 2), (5, 2), (4, 5, 2), (2, 4, 2, 2)]
    reference_dist_params: ClassVar = {}
    checks_to_run: ClassVar = [
        "check_pymc_params_match_rv_op",
        "check_pymc_draws_match_reference",
        "check_rv_size",
    ]

    def reference_dist(self):
        def draw(size):
            z = self.get_random_state().standard_normal((size, 2))
            return self.loc + self.flow.from_latent(z) @ self.scale_tril.T

        return draw


class TestLearnedScalarRandom(BaseTestDistributionRandom):
    flow = build([[-1.5], [1.5]], ("a",), seed=3)
    pymc_dist = LearnedScalar
    pymc_dist_params: ClassVar = {"flow": flow, "loc": 1.0, "scale": 2.0}
    expected_rv_op_params: ClassVar = {
        "numbers": flow.packed.numbers,
        "layout": flow.packed.layout,
        "anchor": anchor(flow)[0],
        "loc": 1.0,
        "scale": 2.0,
    }
    reference_dist_params: ClassVar = {}
    checks_to_run: ClassVar = [
        "check_pymc_params_match_rv_op",
        "check_pymc_draws_match_reference",
        "check_rv_size",
    ]

    def reference_dist(self):
        def draw(size):
            z = self.get_random_state().standard_normal((size, 1))
            return 1.0 + 2.0 * self.flow.from_latent(z)[:, 0]

        return draw


@pytest.mark.parametrize("size", [None, 3, (2, 3)])
def test_support_points(flow, line, size):
    leading = () if size is None else tuple(np.atleast_1d(size))
    with pm.Model() as model:
        LearnedScore("x", flow, size=size)
    assert_support_point_is_expected(model, np.broadcast_to(anchor(flow), (*leading, 2)))
    with pm.Model() as model:
        LearnedScalar("x", line, size=size)
    assert_support_point_is_expected(model, np.broadcast_to(anchor(line)[0], leading))


OPS = {
    "FromLatent": lambda z, flow: from_latent(z, *flow.packed),
    "LatentLogDet": lambda z, flow: latent_log_det(z, *flow.packed),
    "LogDensity": lambda z, flow: log_density(z, *flow.packed)[0],
    "ToLatent": lambda z, flow: to_latent(z, *flow.packed),
}


# The inverse has a derivative in one column only.
PAIRS = [
    (name, which)
    for name in OPS
    for which in ("flow", "line", "bounded", "shares")
    if name != "ToLatent" or which == "line"
]


@pytest.mark.parametrize(("name", "which"), PAIRS)
def test_gradients_by_pytensors_own_check(name, which, request):
    flow = request.getfixturevalue(which)
    rng = np.random.default_rng(3)
    z = rng.normal(size=(3, flow.latent_dim))
    points = flow.from_latent(z) if name in ("LogDensity", "ToLatent") else z
    verify_grad(lambda p: OPS[name](p, flow), [points], rng=rng)


@pytest.mark.parametrize("mode", SLOW_BACKENDS)
def test_every_backend_gives_the_flows_density(flow, bounded, line, mode):
    z = np.random.default_rng(4).normal(size=(20, 2))
    for one in (flow, bounded):
        x, value = one.from_latent(z), pt.dmatrix()
        run = pytensor.function([value], pm.logp(LearnedScore.dist(one), value), mode=mode)
        np.testing.assert_allclose(run(x), one.log_density(x), rtol=0, atol=1e-10)
    both, value = [flow, bounded], pt.dtensor3()
    x = np.stack([one.from_latent(z) for one in both], axis=1)
    run = pytensor.function([value], pm.logp(LearnedScore.dist(both), value), mode=mode)
    want = np.stack([one.log_density(x[:, i]) for i, one in enumerate(both)], axis=1)
    np.testing.assert_allclose(run(x), want, rtol=0, atol=1e-10)
    x, value = line.from_latent(z[:, :1])[:, 0], pt.dvector()
    run = pytensor.function([value], pm.logcdf(LearnedScalar.dist(line), value), mode=mode)
    np.testing.assert_allclose(run(x), np.log(ndtr(z[:, 0])), rtol=0, atol=1e-10)


@pytest.mark.parametrize("mode", SLOW_BACKENDS)
def test_draws_of_every_backend_follow_the_distribution_function(line, flow, mode):
    n = 3000

    def check(p):
        p = np.sort(p)
        gaps = np.maximum(p - np.arange(n) / n, np.arange(1, n + 1) / n - p)
        assert gaps.max() < kstwo.isf(FALSE_ALARM, n)

    draws = pm.draw(LearnedScalar.dist(line, loc=1.0, scale=2.0, size=n), random_seed=1, mode=mode)
    check(ndtr(line.to_latent((draws[:, None] - 1) / 2)[:, 0]))
    both = LearnedScore.dist([flow, flow], loc=np.ones(2), scale_tril=2 * np.eye(2), size=(n, 2))
    draws = pm.draw(both, random_seed=1, mode=mode)
    for i in range(2):
        z = flow.to_latent((draws[:, i] - 1) / 2)
        for direction in ([1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.8, -0.6]):
            check(ndtr(z @ direction))


def test_repr_names_the_flow(flow, line):
    with pm.Model() as model:
        x = LearnedScore("x_1", flow)
        y = LearnedScore("y", [flow, flow])
    assert x.str_repr() == "x_1 ~ LearnedScore(flow of a, b)"
    assert y.str_repr() == "y ~ LearnedScore(2 flows of a, b)"
    latex = r"$\text{x\_1} \sim \operatorname{LearnedScore}(\text{flow of a, b})$"
    assert x._repr_latex_() == latex
    assert x.str_repr(include_params=False) == "x_1 ~ LearnedScore"
    assert "LearnedScore(" in model.str_repr()
