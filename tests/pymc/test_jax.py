"""The flow in JAX against the compiled kernels, which tests of the flow hold to formulas."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.stats import norm

import symscore
from symscore.flow.charts import Block, Chart
from symscore.flow.flow import ScoreFlow
from symscore.pymc import LearnedScalar, LearnedScore
from symscore.pymc.frames import pack_frame
from symscore.pymc.kernels import guarded_density_rows, guarded_invert_rows
from symscore.pymc.ops import (
    from_latent,
    latent_log_det,
    latent_pullback,
    log_density,
    to_latent,
)
from tests.flows import (
    make_blended_ladder,
    make_flow,
    make_ladder,
    random_frame,
    random_mixture,
    two_modes,
)
from tests.tolerances import EPS, derivative, dvoretzky, roundoff

jax = pytest.importorskip("jax")

# Some hundreds of roundings in each of about twenty steps, and as many again in solving them.
OPERATIONS = 20_000
EVERY_KIND = Chart(
    [
        Block("free", ("a",)),
        Block("lower", ("b",), lower=1.0),
        Block("upper", ("c",), upper=-2.0),
        Block("interval", ("d",), lower=-1.0, upper=3.0),
        Block("circle", ("e",), lower=-np.pi, upper=np.pi, cut=1.0),
        Block("ordered", ("f", "g", "h")),
        Block("simplex", ("i", "j", "k")),
    ]
)
IGNORED = (
    "ignore:There are not enough devices:UserWarning",
    "ignore:.*will not be used in the compiled JAX graph:UserWarning",
)


def plane():
    """Blends of two fields of unlike cells, degrees and damping, in bounds."""
    members = [(3, 1, 2.0), (5, 2, 3.0), (2, -1, 3.0)]
    ladder = make_blended_ladder(2, members, frame=random_frame(2, 1))
    blocks = [Block("lower", ("x0",), lower=-1.0), Block("circle", ("x1",), 0.0, 6.0, 2.0)]
    return ScoreFlow(ladder, Chart(blocks))


def charted(*blocks):
    """A flow of three coordinates."""
    chart = Chart(blocks)
    ladder = make_ladder(random_mixture(3, 4, 1), degree=2)
    return ScoreFlow(replace(ladder, names=chart.free_names), chart)


FLOWS = {
    "line": lambda: make_flow(random_mixture(1, 3, 1), degree=3),
    "plane": plane,
    "far": lambda: make_flow(two_modes(30.0)),
    "farther": lambda: make_flow(two_modes(100.0)),
    "space": lambda: make_flow(random_mixture(3, 4, 1), degree=2, frame=random_frame(3, 1)),
    "simplex": lambda: charted(
        Block("simplex", ("p", "q", "r")), Block("upper", ("s",), upper=1.0)
    ),
    "ordered": lambda: charted(Block("ordered", ("p", "q", "r"))),
    "degree 4": lambda: make_flow(random_mixture(2, 2, 1), degree=4, amplitude=0.005),
}
QUICK = {"line", "plane"}
NAMED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FLOWS]


def latent_points(dim):
    """Points near, far out, and close to the latent boundary between modes."""
    rng = np.random.default_rng(3)
    near, middle = rng.normal(size=(12, dim)), 1e-3 * rng.normal(size=(6, dim))
    return np.concatenate([near, 5.0 * near[:6], middle, np.zeros((1, dim))])


def all_maps(z, cotangent, x, packed):
    """What each Op makes of its points, by name."""
    value, score = log_density(x, *packed)
    return {
        "x": from_latent(z, *packed),
        "pulled": latent_pullback(z, cotangent, *packed),
        "log det": latent_log_det(z, *packed),
        "z": to_latent(x, *packed),
        "log density": value,
        "score": score,
    }


def in_jax(function, *points):
    """Values of a graph of points under the JAX backend, and how long compiling took."""
    shapes = [tuple(1 if n == 1 else None for n in np.shape(p)) for p in points]
    variables = [pt.tensor(shape=shape, dtype="float64") for shape in shapes]
    outputs = function(*variables)
    start = time.perf_counter()
    run = pytensor.function(variables, list(outputs.values()), mode="JAX")
    values = [np.asarray(v) for v in run(*points)]
    print(f"compiled in {time.perf_counter() - start:.1f} s")
    return dict(zip(outputs, values, strict=True))


def by_kernels(flow, z, cotangent, x):
    """The same from the flow's own methods."""
    log_q, score = np.empty(len(x)), np.empty_like(x)
    guarded_density_rows(*flow.packed, x, log_q, score)
    back = np.empty_like(z)
    guarded_invert_rows(*flow.packed, x, back)
    log_det = latent_log_det(z, *flow.packed).eval()
    return {
        "x": flow.from_latent(z),
        "pulled": flow.latent_pullback(z, cotangent),
        "log det": log_det,
        "z": back,
        "log density": log_q,
        "score": score,
    }


@pytest.mark.parametrize("name", NAMED)
def test_every_map_is_that_of_the_kernels(name):
    flow = FLOWS[name]()
    z = latent_points(flow.latent_dim)
    x = flow.from_latent(z)
    cotangent = np.random.default_rng(4).normal(size=x.shape)
    got = in_jax(lambda *points: all_maps(*points, flow.packed), z, cotangent, x)
    for what, want in by_kernels(flow, z, cotangent, x).items():
        tolerance = roundoff(OPERATIONS, 1.0 + np.abs(want))
        assert np.all(np.abs(got[what] - want) <= tolerance), what
        assert np.isfinite(want).all(), what


def test_charts_of_every_kind():
    """A flow of no steps, of which only frame and chart are left."""
    ladder = make_ladder(random_mixture(10, 1, 1), frame=random_frame(10, 2))
    ladder = replace(ladder, names=EVERY_KIND.free_names)
    packed = pack_frame(ScoreFlow(ladder, EVERY_KIND))
    rng = np.random.default_rng(5)
    z = rng.normal(size=(9, 10))
    x = from_latent(z, *packed).eval()
    cotangent = rng.normal(size=x.shape)

    def maps(*points):
        graphs = all_maps(*points, packed)
        return {name: graphs[name] for name in ("x", "pulled", "log det", "z")}

    got = in_jax(maps, z, cotangent, x)
    for what, graph in maps(z, cotangent, x).items():
        want = graph.eval()
        # No step's roundings here, but logarithms of differences of nearly equal numbers.
        scale = (1.0 + np.abs(want)) * np.abs(x).max() ** 2
        assert np.all(np.abs(got[what] - want) <= roundoff(OPERATIONS, scale)), what


def test_outside_the_support_and_out_of_reach():
    flow = FLOWS["plane"]()
    x = np.repeat(flow.from_latent(np.zeros((1, 2))), 5, axis=0)
    x[:4, 0] = -1.5, np.nan, -np.inf, np.inf
    value, score = in_jax(lambda v: dict(enumerate(log_density(v, *flow.packed))), x).values()
    np.testing.assert_array_equal(value[:4], -np.inf)
    np.testing.assert_array_equal(score[:4], 0.0)
    assert np.isfinite(value[4])
    z = in_jax(lambda v: {"z": to_latent(v, *flow.packed)}, x)["z"]
    assert np.isnan(z[:4]).all()
    assert np.isfinite(z[4]).all()


@pytest.mark.parametrize(
    "leading", [(), (1,), (2, 3), pytest.param((0,), id="none")], ids=lambda shape: str(shape)
)
def test_any_leading_axes(line, leading):
    z = np.random.default_rng(6).normal(size=(*leading, 1))
    got = in_jax(lambda v: {"x": from_latent(v, *line.packed)}, z)["x"]
    want = from_latent(z, *line.packed).eval()
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=roundoff(OPERATIONS, 1.0), atol=OPERATIONS * EPS)


def test_batches_of_flows():
    """Of unlike structure, whose axes are broadcast against those of the points."""
    flows = [make_flow(random_mixture(1, 2, 1)), make_flow(random_mixture(1, 3, 2), degree=1)]
    numbers, layout = LearnedScore.dist(flows).owner.inputs[2:4]
    z = np.random.default_rng(7).normal(size=(4, 2, 1))
    got = in_jax(lambda v: {"x": from_latent(v, numbers, layout)}, z)["x"]
    for i, flow in enumerate(flows):
        want = flow.from_latent(z[:, i])
        np.testing.assert_allclose(got[:, i], want, rtol=0, atol=roundoff(OPERATIONS, 10.0))
    one = np.zeros((1, 1))
    got = in_jax(lambda v: {"x": from_latent(v, numbers, layout)}, one)["x"]
    assert got.shape == (2, 1)


def test_numbers_may_be_shared_but_not_the_layout(line):
    z = np.random.default_rng(8).normal(size=(3, 1))
    numbers, layout = line.packed
    shared, points = pytensor.shared(numbers), pt.dmatrix()
    run = pytensor.function([points], from_latent(points, shared, layout), mode="JAX")
    np.testing.assert_allclose(run(z), line.from_latent(z), rtol=0, atol=roundoff(OPERATIONS, 10.0))
    moved = numbers.copy()
    moved[line.packed.layout[symscore.learn.packed.LOC]] += 1.0
    shared.set_value(moved)
    np.testing.assert_allclose(
        run(z), line.from_latent(z) + 1.0, rtol=0, atol=roundoff(OPERATIONS, 10.0)
    )
    with pytest.raises(NotImplementedError, match="whose layout is a constant"):
        pytensor.function(
            [points], from_latent(points, numbers, pytensor.shared(layout)), mode="JAX"
        )


def jaxified(function):
    """A graph as a function that JAX can differentiate, as samplers of NumPyro and BlackJAX do."""
    from pymc.sampling.jax import get_jaxified_graph

    variable = pt.dmatrix()
    run = get_jaxified_graph(inputs=[variable], outputs=[function(variable)])
    return lambda points: run(points)[0]


@pytest.mark.parametrize("name", ["line", pytest.param("plane", marks=pytest.mark.slow)])
def test_derivatives_that_jax_takes(name):
    flow = FLOWS[name]()
    z = np.random.default_rng(9).normal(size=(5, flow.latent_dim))
    x = flow.from_latent(z)
    weights = np.linspace(-1.0, 2.0, x.size).reshape(x.shape)

    def gradient(function, points):
        return np.asarray(jax.grad(jaxified(function))(points))

    pulled = gradient(lambda v: (weights * from_latent(v, *flow.packed)).sum(), z)
    want = flow.latent_pullback(z, weights)
    np.testing.assert_allclose(pulled, want, rtol=0, atol=roundoff(OPERATIONS, np.abs(want).max()))

    score = gradient(lambda v: log_density(v, *flow.packed)[0].sum(), x)
    np.testing.assert_allclose(score, flow.score(x), rtol=0, atol=1e3 * roundoff(OPERATIONS, 1.0))
    slope, error = derivative(flow.log_density, x, noise=roundoff(OPERATIONS, 1.0))
    assert np.all(np.abs(score - slope) <= error)

    def log_det(points):
        return latent_log_det(points, *flow.packed).eval()

    bend = gradient(lambda v: latent_log_det(v, *flow.packed).sum(), z)
    slope, error = derivative(log_det, z, noise=roundoff(OPERATIONS, 1.0))
    assert np.all(np.abs(bend - slope) <= error)

    back = gradient(lambda v: (z * to_latent(v, *flow.packed)).sum(), x)
    slope, error = derivative(
        lambda v: (z * flow.to_latent(v)).sum(axis=1), x, noise=roundoff(OPERATIONS, 1.0)
    )
    assert np.all(np.abs(back - slope) <= error)


def test_hessians_are_refused(line):
    function = jaxified(lambda v: log_density(v, *line.packed)[0].sum())
    x = line.from_latent(np.zeros((1, 1)))
    with pytest.raises(NotImplementedError, match="Hessian of a learned density"):
        jax.hessian(function)(x)


@pytest.mark.filterwarnings(*IGNORED)
def test_draws_of_one_column(line):
    draws = pm.draw(
        LearnedScalar.dist(line, loc=2.0, scale=3.0, shape=4000), mode="JAX", random_seed=1
    )
    uniform = np.sort(norm.cdf(line.to_latent((draws[:, None] - 2.0) / 3.0)[:, 0]))
    steps = np.arange(1, 4001) / 4000
    assert np.abs(uniform - steps).max() < dvoretzky(4000)


@pytest.mark.filterwarnings(*IGNORED)
def test_draws_of_two_columns(flow, other_flow):
    """Each flow of a batch: its latent coordinates, their sum and difference are normal."""
    both = LearnedScore.dist([flow, other_flow], shape=(3000, 2, 2))
    draws = pm.draw(both, mode="JAX", random_seed=2)
    steps = np.arange(1, 3001) / 3000
    for i, one in enumerate([flow, other_flow]):
        z = one.to_latent(draws[:, i])
        for direction in ([1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.6, -0.8]):
            uniform = np.sort(norm.cdf(z @ direction))
            assert np.abs(uniform - steps).max() < dvoretzky(3000, comparisons=8)


IMPORTS = """
import sys
import symscore.pymc
print("jax" in sys.modules, "pytensor.link.jax.dispatch" in sys.modules)
"""


def run_alone(program, *arguments, flags=""):
    """Output of a program in a process of its own."""
    given = os.environ.get("PYTENSOR_FLAGS", "")
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | {"PYTENSOR_FLAGS": f"{given},{flags}".strip(",")},
        cwd=Path(symscore.__path__[0]).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_importing_does_not_import_jax():
    assert run_alone(IMPORTS).split() == ["False", "False"]


SINGLE = """
import sys
import numpy as np
import pytensor
import symscore
from symscore.pymc.ops import from_latent, log_density
flow = symscore.load(sys.argv[1])
z = np.random.default_rng(0).normal(size=(20, 2))
x = flow.from_latent(z)
outputs = [from_latent(z, *flow.packed), *log_density(x, *flow.packed)]
got = pytensor.function([], outputs, mode="JAX")()
for value, want in zip(got, [x, flow.log_density(x), flow.score(x)]):
    assert value.dtype == np.float32
    print(np.abs(value - want).max() / np.abs(want).max())
"""


@pytest.mark.slow
def test_single_precision(flow, tmp_path):
    symscore.save(flow, tmp_path / "model")
    errors = run_alone(SINGLE, str(tmp_path / "model"), flags="floatX=float32").split()
    # Thirty times the digits of single precision: modes ten sd apart amplify what is lost.
    assert max(map(float, errors)) < 300 * np.finfo(np.float32).eps


def sum_of_columns(flow, draws=100_000):
    """Posterior mean of the sum given y = -4 +- 6, from draws of the prior, and its error."""
    total = flow.draw(draws, rng=np.random.default_rng(10)).sum(axis=1)
    weights = norm.pdf(total, -4.0, 6.0)
    mean = np.average(total, weights=weights)
    return mean, np.sqrt((weights**2 * (total - mean) ** 2).sum()) / weights.sum()


# Chains in parallel need a device each.
TOGETHER = {"chain_method": "vectorized"}
SAMPLERS = {
    "numpyro": {"nuts_sampler": "numpyro", "nuts_sampler_kwargs": TOGETHER},
    "blackjax": {"nuts_sampler": "blackjax", "nuts_sampler_kwargs": TOGETHER},
    "nutpie": {"nuts_sampler": "nutpie", "nuts_sampler_kwargs": {"backend": "jax"}},
}


@pytest.mark.slow
@pytest.mark.filterwarnings(*IGNORED, "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("latent", [True, False])
def test_samplers(wide_flow, sampler, latent):
    if find_spec(sampler) is None:
        pytest.skip(f"{sampler} is not installed")
    with pm.Model():
        x = LearnedScore("x", wide_flow, latent=latent)
        pm.Normal("y", x.sum(), 6.0, observed=-4.0)
        start = time.perf_counter()
        idata = pm.sample(
            1000, tune=500, chains=2, random_seed=3, progressbar=False, **SAMPLERS[sampler]
        )
    print(f"{sampler} took {time.perf_counter() - start:.1f} s")
    batches = idata.posterior["x"].values.sum(axis=-1).reshape(20, -1).mean(axis=1)
    mean, error = sum_of_columns(wide_flow)
    # Seven standard errors from 20 batches, Student's t: false alarm 1e-6.
    tolerance = 7 * np.hypot(batches.std(ddof=1) / np.sqrt(batches.size), error)
    assert abs(batches.mean() - mean) < tolerance
    assert tolerance < 1.0
