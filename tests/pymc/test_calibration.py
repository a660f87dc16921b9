"""Whether the posteriors of models with a learned density are those of the density's own draws.

Truths and data are drawn from a model. The same model is taken apart, as PyMC compiles it, into the
prior that a sampler would see and the mean of y, and posteriors are drawn from these without a
Markov chain. Planted faults go through the whole model and must fail the same test.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.stats import norm

from symscore.arrays import FloatArray
from symscore.errors import SeparatedModes
from symscore.flow.flow import ScoreFlow
from symscore.flow.kernels import push_log_det_rows, push_rows
from symscore.learn.frame import Whitening
from symscore.mixture import LOG_2PI, GaussianMixture
from symscore.pymc import LearnedScore
from symscore.pymc.kernels import guarded_density_rows, guarded_invert_rows
from symscore.pymc.ops import LogDensity
from symscore.pymc.transforms import FlowTransform, FrameTransform
from tests.calibration import Points, Study, covering, spread_points, standard_normal, uniformity
from tests.flows import make_flow
from tests.tolerances import FALSE_ALARM, dvoretzky, roundoff

REPLICATES = 5000
POINTS = {1: 1500, 2: 8000}
SD = 3.0  # of y: two thirds of the distance between the modes, so that both often stay possible
FORMS = ("latent", "centred", "noise")
# One rank for each parameter and one for the joint log density, of two flows in three forms.
COMPARISONS = len(FORMS) * (2 + 3)


@pytest.fixture(autouse=True)
def by_python() -> Iterator[None]:
    """Run the Ops' own code, which faults are planted in, in slow tests too."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


# ---- models, taken apart


def replicas(flow: ScoreFlow, rows: int, form: str) -> pm.Model:
    """Independent copies of x ~ flow, y ~ N(sum x, SD^2)."""
    with pm.Model() as model, warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparatedModes)  # no chain is run
        x = LearnedScore("x", flow, shape=(rows, flow.dim), latent=form == "latent")
        pm.Normal("y", pm.Deterministic("mean", x.sum(axis=-1)), SD)
    return model


def points_at(model: pm.Model, values: FloatArray) -> Points:
    """Evaluate the model's own graphs at values (rows, d) of its free variable."""
    x = model["x"]
    (log_prior,) = model.logp(vars=[x], sum=False)
    outputs = [*model.replace_rvs_by_values([x, model["mean"]]), log_prior]
    parameters, means, log_prior = pytensor.function([model.rvs_to_values[x]], outputs)(values)
    lost = np.isnan(means)  # a planted fault may leave values without a point
    log_prior = np.where(lost | np.isnan(log_prior), -np.inf, log_prior)
    return Points(parameters, log_prior, np.where(lost, 0.0, means)[:, None])


def of_sampled_x(flow: ScoreFlow, form: str, *, seed: int, replicates: int, fine: int) -> Study:
    """Take a model apart whose x a sampler would move, through z or as x in the frame."""
    model = replicas(flow, replicates, form)
    x, y = pm.draw([model["x"], model["y"]], random_seed=seed)
    transform, parameters = model.rvs_to_transforms[model["x"]], model["x"].owner.inputs
    truths = pytensor.function([], transform.forward(pt.as_tensor(x), *parameters))()
    law = standard_normal(flow.dim) if form == "latent" else covering(flow)
    rng = np.random.default_rng(seed)
    values, log_spread = spread_points(law, fine * POINTS[flow.dim], rng=rng)
    points = points_at(replicas(flow, len(values), form), values)
    return Study(points_at(model, truths), y[:, None], points, log_spread, SD)


def of_noise(flow: ScoreFlow, form: str, *, seed: int, replicates: int, fine: int) -> Study:
    """y = mu + e with mu ~ N(0, SD^2 I) and e ~ flow, by the density of observed e = y - mu.

    For given y the ranks of e are those of mu, counted from above.
    """
    rng = np.random.default_rng(seed)
    e = pm.draw(LearnedScore.dist(flow, size=replicates), random_seed=seed)
    values, log_spread = spread_points(covering(flow), fine * POINTS[flow.dim], rng=rng)
    frame = flow.ladder.frame
    truths, points = (
        Points(p, observed_log_density(flow, p), p) for p in (e, frame.unwhiten(values))
    )
    return Study(truths, e + SD * rng.normal(size=e.shape), points, log_spread, SD)


def observed_log_density(flow: ScoreFlow, rows: FloatArray) -> FloatArray:
    with pm.Model() as model:
        LearnedScore("e", flow, observed=rows)
    return model.compile_logp(sum=False)({})[0]


def take_apart(
    flow: ScoreFlow, form: str, *, seed: int = 1, replicates: int = REPLICATES, fine: int = 1
) -> Study:
    study = of_noise if form == "noise" else of_sampled_x
    return study(flow, form, seed=seed, replicates=replicates, fine=fine)


sound = cache(take_apart)  # for two tests


@pytest.fixture(scope="session")
def on_a_line() -> ScoreFlow:
    """Two modes of masses .35 and .65, one three times as wide: dx/dz differs between them."""
    law = GaussianMixture([0.35, 0.65], [[-1.5], [1.5]], [[[0.04]], [[0.36]]])
    return make_flow(law, degree=1, frame=Whitening(np.ones(1), [[1.5]]), max_ratio=2.0)


@pytest.fixture(params=["on_a_line", "flow"])
def prior(request: pytest.FixtureRequest) -> ScoreFlow:
    """Two separated modes, on a line and, correlated, in the plane."""
    return request.getfixturevalue(request.param)


def family_p_value(study: Study) -> float:
    ranks = study.ranks(rng=np.random.default_rng(1))
    return COMPARISONS * min(uniformity(column) for column in ranks.T)


# ---- the sound model


@pytest.mark.parametrize("form", FORMS)
def test_ranks_are_uniform(prior, form):
    study = sound(prior, form)
    assert np.isfinite(study.truths.log_prior).all()
    assert family_p_value(study) > FALSE_ALARM


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_ranks_of_many_replicates_are_uniform(prior, form):
    """Twice as sharp: sees odds of the modes that are off by a factor of about 1.3."""
    study = take_apart(prior, form, seed=3, replicates=4 * REPLICATES, fine=2)
    assert family_p_value(study) > FALSE_ALARM


@pytest.mark.parametrize("form", FORMS)
def test_the_points_are_enough(prior, form):
    """Others, from another jitter, move no rank by more than a quarter of what the test resolves.

    What they move on average, which is what shifts a distribution of ranks, is far less.
    """
    study, other = sound(prior, form), take_apart(prior, form, seed=2, replicates=1)
    other = replace(study, points=other.points, log_spread=other.log_spread)
    change = study.probabilities(300) - other.probabilities(300)
    assert np.abs(change).max() < dvoretzky(REPLICATES) / 4
    assert np.abs(change.mean(axis=0)).max() < dvoretzky(REPLICATES) / 40


@pytest.mark.parametrize("form", ["latent", "centred"])
def test_the_parts_are_the_whole(flow, form):
    rng = np.random.default_rng(4)
    model, values, y = replicas(flow, 50, form), rng.normal(size=(50, 2)), rng.normal(size=50)
    parts = points_at(model, values)
    whole = model.compile_logp(sum=False)({model.rvs_to_values[model["x"]].name: values, "y": y})
    assert_equal_but_for_a_constant(
        sum(whole), parts.log_prior + norm.logpdf(y, parts.means[:, 0], SD)
    )


def test_the_parts_are_those_of_a_free_shift(flow):
    """What `of_noise` takes for a density of mu is that of a model in which mu is free."""
    y = flow.draw(1, rng=np.random.default_rng(5))
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, SD, shape=2)
        pm.Potential("noise", pm.logp(LearnedScore.dist(flow), y - mu).sum())
    logp, values = model.compile_logp(), np.random.default_rng(6).normal(size=(8, 2))
    want = norm.logpdf(values, 0.0, SD).sum(axis=1) + observed_log_density(flow, y - values)
    assert_equal_but_for_a_constant(np.array([logp({"mu": value}) for value in values]), want)


def assert_equal_but_for_a_constant(got: FloatArray, want: FloatArray) -> None:
    """PyTensor computes the logarithm of a constant in single precision where that holds it."""
    atol = roundoff(64, np.abs(want).max())
    np.testing.assert_allclose(got - got[0], want - want[0], rtol=0, atol=atol)


# ---- planted faults


def log_normal(z: FloatArray) -> FloatArray:
    return -0.5 * ((z**2).sum(axis=1) + z.shape[1] * LOG_2PI)


def wrong_sign_of_jacobian(patch: pytest.MonkeyPatch) -> None:
    right = FlowTransform.log_jac_det
    patch.setattr(FlowTransform, "log_jac_det", lambda self, *args: -right(self, *args))


def no_jacobian(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FlowTransform, "log_jac_det", lambda self, z, *_: pt.zeros_like(z[..., 0]))


def swapped(transform: type) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        forward, backward = transform.forward, transform.backward
        patch.setattr(transform, "forward", backward)
        patch.setattr(transform, "backward", forward)

    return plant


def density(
    wrong: Callable[..., FloatArray],
) -> Callable[[pytest.MonkeyPatch], None]:
    """A log density (rows,) that is `wrong` of (numbers, layout, x), in place of the right one."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        def rows(numbers, layout, x, log_q, score):
            score[:] = 0.0
            log_q[:] = np.nan_to_num(wrong(numbers, layout, x), nan=-np.inf)

        patch.setattr(LogDensity, "rows", staticmethod(rows))

    return plant


def without_log_det(numbers, layout, x):
    z = np.empty_like(x)
    guarded_invert_rows(numbers, layout, x, z)
    return log_normal(z)


def with_log_det_added(numbers, layout, x):
    log_q, score = np.empty(len(x)), np.empty_like(x)
    guarded_density_rows(numbers, layout, x, log_q, score)
    return 2 * without_log_det(numbers, layout, x) - log_q


def of_the_inverse_map(numbers, layout, x):
    image, log_det = np.empty_like(x), np.empty(len(x))
    push_rows(numbers, layout, x, image)
    push_log_det_rows(numbers, layout, x, log_det)
    return log_normal(image) + log_det


FAULTS = {
    ("latent", "no Jacobian"): no_jacobian,
    ("latent", "wrong sign of the log determinant"): wrong_sign_of_jacobian,
    ("latent", "swapped direction"): swapped(FlowTransform),
    ("centred", "swapped direction of the frame"): swapped(FrameTransform),
} | {
    (form, name): density(wrong)
    for form in ("centred", "noise")
    for name, wrong in {
        "no log determinant": without_log_det,
        "wrong sign of the log determinant": with_log_det_added,
        "swapped direction": of_the_inverse_map,
    }.items()
}


@pytest.mark.parametrize(("form", "fault"), FAULTS)
def test_planted_faults_are_caught(on_a_line, form, fault, monkeypatch):
    FAULTS[form, fault](monkeypatch)
    assert family_p_value(take_apart(on_a_line, form)) < FALSE_ALARM


@pytest.mark.slow
@pytest.mark.parametrize(("form", "fault"), FAULTS)
def test_planted_faults_are_caught_in_the_plane(flow, form, fault, monkeypatch):
    FAULTS[form, fault](monkeypatch)
    assert family_p_value(take_apart(flow, form)) < FALSE_ALARM


@pytest.mark.parametrize("form", FORMS)
def test_wrong_masses_are_caught(prior, form):
    """A small fault: the odds of the modes are off by a factor of 2 (seen, mostly, from 1.7)."""

    def tilted(points: Points) -> Points:
        left = prior.ladder.frame.whiten(points.parameters)[:, 0] < 0
        return replace(points, log_prior=points.log_prior + np.log(2) * left)

    study = sound(prior, form)
    wrong = replace(study, truths=tilted(study.truths), points=tilted(study.points))
    assert family_p_value(wrong) < FALSE_ALARM
