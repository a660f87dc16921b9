"""A Bayesian Gaussian mixture, its labels summed out, sampled by PyMC's NUTS."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any, final

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import ArrayLike
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from symscore.arrays import FloatArray
from symscore.baselines.em import best_by_bic, component_cap
from symscore.baselines.estimate import DensityEstimate
from symscore.baselines.frame import standard_frame
from symscore.baselines.mixture_posterior import Layout, log_likelihood
from symscore.baselines.stack import quiet, run_options
from symscore.errors import BadOption
from symscore.learn.frame import Whitening
from symscore.mixture import GaussianMixture

MOST_COMPONENTS = 4
# EM's narrow spikes are unlikely under the prior, and NUTS would leave them by minute steps.
SMALLEST_VARIANCE = 1e-2
# Bounds the cost of a draw at 255 gradients.
MAX_TREEDEPTH = 8
CHAINS = 2
# Rows whose log density is monitored besides the total log likelihood.
MONITORED = 5
FEWEST_DRAWS = 4


@final
@dataclass(frozen=True, eq=False)
class PosteriorPredictive:
    r"""The mean over S posterior draws of the mixture density.

    .. math:: p(x) = \frac{1}{S |\det L|} \sum_{s=1}^S \sum_j w_{sj} N(u; m_{sj}, C_{sj}),
        \quad u = L^{-1} (x - m)

    Parameters
    ----------
    mixtures : tuple of GaussianMixture
        The mixture of each draw, in the coordinates of `frame`.
    frame : Whitening
    """

    mixtures: tuple[GaussianMixture, ...]
    frame: Whitening

    def log_density(self, x: FloatArray) -> FloatArray:
        """Return log p(x), shape (n,), for x of shape (n, d)."""
        u = self.frame.whiten(x)
        total = np.full(len(u), -np.inf)
        for mixture in self.mixtures:
            total = np.logaddexp(total, mixture.log_density(u))
        return total - np.log(len(self.mixtures)) - self.frame.log_det

    def draw(self, n: int, *, rng: np.random.Generator) -> FloatArray:
        """Draw n independent points, shape (n, d): a posterior draw, then a point of it."""
        size = len(self.mixtures)
        counts = rng.multinomial(n, np.full(size, 1 / size))
        pieces = [self.mixtures[s].draw(counts[s], rng=rng) for s in np.flatnonzero(counts)]
        u = np.concatenate([np.empty((0, self.frame.dim)), *pieces])
        return self.frame.unwhiten(rng.permutation(u))


def fit_mcmc(
    samples: ArrayLike, *, rng: np.random.Generator, draws: int = 500, tune: int = 500
) -> DensityEstimate:
    r"""Sample the posterior of a Gaussian mixture by NUTS and average its density.

    The columns are scaled to mean zero and variance one, and k is what EM chooses by BIC, at
    most 4, among mixtures whose components are not narrower than a tenth. Within component j each
    coordinate is regressed on those before it, and

    .. math::
        u_i = m_{ji} + \sum_{l < i} b_{jil} (u_l - m_{jl}) + \sigma_{ji} z_i, \quad
        m, b \sim N(0, 2^2), \quad \log \sigma \sim N(\log 0.5, 1), \quad
        w = \mathrm{softmax}(a), \; a \sim N(0, 1.5^2) \text{ with } \textstyle\sum_j a_j = 0.

    Both chains start at the EM solution: scattered starts were seen to end in poor modes that no
    chain leaves. So R-hat tells whether the chains mix around that solution, not whether there are
    modes that neither has found. Labels may switch; nothing reported depends on them.

    Parameters
    ----------
    samples : (n, d) array
    rng : numpy.random.Generator
        Seeds EM and both chains.
    draws, tune : int
        Draws kept and tuning steps, of each chain.

    Returns
    -------
    DensityEstimate
        Its density is a :class:`PosteriorPredictive`. Diagnostics: ``components``,
        ``divergences``, and the worst rank-normalised ``rhat`` and bulk ``ess`` over label-free
        quantities: the total log likelihood and the log density at five of the rows.

    Raises
    ------
    BadData
        If the samples have no density to estimate.
    BadOption
        If `draws` is below 4 (what the diagnostics need) or `tune` is negative.
    """
    if draws < FEWEST_DRAWS or tune < 0:
        raise BadOption(f"Expected draws >= {FEWEST_DRAWS}, tune >= 0; got {draws} and {tune}.")
    start = perf_counter()
    frame = standard_frame(samples)
    u = frame.whiten(samples)
    cap = min(MOST_COMPONENTS, component_cap(*u.shape))
    em, _ = best_by_bic(u, cap, rng=rng, floor=SMALLEST_VARIANCE)
    layout = Layout(em.n_components, frame.dim)
    initial = GaussianMixture(em.weights_, em.means_, em.covariances_)
    chains, divergences = _sample(u, layout, initial, draws, tune, int(rng.integers(2**31)))
    mixtures = [layout.to_mixture(theta) for chain in chains for theta in chain]
    diagnostics = {
        "components": float(layout.n_components),
        "divergences": float(divergences),
        **_mixing(mixtures, u),
    }
    density = PosteriorPredictive(tuple(mixtures), frame)
    return DensityEstimate("mcmc", density, perf_counter() - start, diagnostics)


class LogLikelihood(Op):
    """:func:`log_likelihood` as a PyTensor operation with two outputs: the value, its gradient.

    One operation in place of a graph of fifty leaves nothing worth compiling, so the first run
    costs what later runs cost, with or without a compiler.
    """

    __props__ = ()

    def __init__(self, u: FloatArray, layout: Layout) -> None:
        self.u = u
        self.layout = layout

    def make_node(self, theta: Any) -> Apply:
        """Apply to a symbolic theta."""
        return Apply(self, [pt.as_tensor_variable(theta)], [pt.dscalar(), pt.dvector()])

    def perform(self, node: Apply, inputs: list, output_storage: list) -> None:
        """Evaluate both outputs."""
        value, gradient = log_likelihood(inputs[0], self.u, self.layout)
        output_storage[0][0] = np.asarray(value)
        output_storage[1][0] = gradient

    def pullback(self, inputs: list, outputs: list, cotangents: list) -> list:
        """Return the gradient of the value, which the second output holds (PyTensor 3)."""
        return [cotangents[0] * outputs[1]]

    def L_op(self, inputs: list, outputs: list, output_grads: list) -> list:  # noqa: N802
        """Return :meth:`pullback` under the name that PyTensor 2 calls."""
        return self.pullback(inputs, outputs, output_grads)


def _sample(
    u: FloatArray,
    layout: Layout,
    initial: GaussianMixture,
    draws: int,
    tune: int,
    seed: int,
) -> tuple[FloatArray, int]:
    """Return the draws of theta, (chain, draw, p), and the number of divergences."""
    mean, sd = layout.prior()
    with pm.Model():
        theta = pm.Normal("theta", mean, sd, shape=layout.size)
        pm.Potential("log_likelihood", LogLikelihood(u, layout)(theta)[0])
        # The likelihood is one NumPy operation, which compiled modes could only wrap.
        options = run_options() | {"compile_kwargs": {"mode": "FAST_COMPILE"}}
        with quiet():
            trace = pm.sample(
                draws=draws,
                tune=tune,
                chains=CHAINS,
                random_seed=seed,
                init="adapt_diag",
                initvals={"theta": layout.from_mixture(initial)},
                nuts_sampler="pymc",
                nuts={"max_treedepth": MAX_TREEDEPTH},
                compute_convergence_checks=False,
                **options,
            )
    divergences = int(trace["sample_stats"]["diverging"].values.sum())
    return trace["posterior"]["theta"].values, divergences


def _mixing(mixtures: list[GaussianMixture], u: FloatArray) -> dict[str, float]:
    """Return the worst R-hat and bulk effective sample size of quantities without labels."""
    log_density = np.array([mixture.log_density(u) for mixture in mixtures])
    order = np.argsort(log_density.mean(axis=0), kind="stable")
    rows = order[np.linspace(0, len(u) - 1, MONITORED).astype(int)]
    monitored = np.column_stack([log_density.sum(axis=1), log_density[:, rows]])
    by_chain = monitored.reshape(CHAINS, -1, monitored.shape[1])
    data = xr.Dataset({"log_density": (("chain", "draw", "quantity"), by_chain)})
    return {
        "rhat": float(az.rhat(data)["log_density"].max()),
        "ess": float(az.ess(data)["log_density"].min()),
    }
