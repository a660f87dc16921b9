"""How well a posterior's draws become a prior: the learned flow, a Gaussian, and marginals.

    ./dev bench pymc prior [--quick] [--seed 1] [--json]

4000 independent draws of an exact density in two dimensions; TV to it by a lattice that covers all
of its mass (and, for the flow, the twin from its own draws: the two agree only if the flow is
normalised), the worst error of a mode's mass, and the TV of the second-stage posteriors, prior
times the likelihood of one new observation N(y; x, s^2 I).

The Gaussian is that of pymc_extras.prior_from_idata (0.10.0): mean, covariance with n - 1,
Cholesky factor. The marginals are those of PyMC's notebook "Updating Priors": a kernel estimate at
100 places between the least and the largest draw, falling to zero over three times that range, as
`pm.Interpolated`.

`./dev bench pymc_prior --check` downloads the wheel of pymc-extras into .cache, runs that function
of it alone, and holds this Gaussian to its answer.
"""

import argparse
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pymc as pm
import xarray as xr
from scipy.stats import gaussian_kde

from benchmarks.pymc_models import Say, Show, columns, parser, print_tables
from benchmarks.pymc_posteriors import POSTERIORS, REACH, LogDensity, Posterior
from symscore import GaussianMixture, ScoreDensity
from symscore.compare.metrics import total_variation

DRAWS = 4000
WHEELS = Path(".cache/pymc-extras")


# ---- the two peers


def gaussian_prior(draws: np.ndarray) -> LogDensity:
    """Return the density of pymc_extras.prior_from_idata."""
    covariance = np.cov(draws, rowvar=False)
    return GaussianMixture([1.0], [draws.mean(axis=0)], [covariance]).log_density


def marginal_prior(draws: np.ndarray) -> LogDensity:
    """Return the product of the notebook's interpolated marginals."""
    tables = [_interpolated(column) for column in draws.T]

    def log_density(x: np.ndarray) -> np.ndarray:
        pieces = zip(x.T, tables, strict=True)
        factors = [np.interp(column, *table, left=0, right=0) for column, table in pieces]
        with np.errstate(divide="ignore"):
            return np.log(factors).sum(axis=0)

    return log_density


def _interpolated(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = column.min(), column.max()
    width = high - low
    places = np.linspace(low, high, 100)
    heights = np.concatenate([[0], gaussian_kde(column)(places), [0]])
    places = np.concatenate([[low - 3 * width], places, [high + 3 * width]])
    return places, heights / np.trapezoid(heights, places)


PEERS: dict[str, Callable[[np.ndarray], LogDensity]] = {
    "Gaussian": gaussian_prior,
    "marginals": marginal_prior,
}


# ---- figures


def lattice(n: int) -> tuple[np.ndarray, float]:
    """Return n^2 points of the square of half width REACH, and the area of each."""
    axis = (np.arange(n) + 0.5) * 2 * REACH / n - REACH
    points = np.stack([part.ravel() for part in np.meshgrid(axis, axis, indexing="ij")], axis=1)
    return points, (2 * REACH / n) ** 2


def judge(posterior: Posterior, prior: LogDensity, n: int) -> dict[str, float]:
    """Return TV, mass error and second-stage TV, by lattices of n^2 points."""
    u, area = lattice(n)
    x = posterior.place(u)
    log_area = np.log(area) + posterior.log_det(u)
    exact, other = (np.exp(f(x) + log_area) for f in (posterior.log_density, prior))
    found = {"tv": float(np.maximum(exact - other, 0).sum())}
    if posterior.centres is not None:
        away = ((x[:, None] - posterior.centres) ** 2).sum(axis=2)
        nearest = away.argmin(axis=1) == np.arange(len(posterior.centres))[:, None]
        found["mass error"] = float(np.abs(nearest @ (exact - other)).max())
    x = np.asarray(posterior.y) + posterior.sigma * u
    log_likelihood = -0.5 * (u**2).sum(axis=1)
    first, second = (np.exp(f(x) + log_likelihood) for f in (posterior.log_density, prior))
    change = first / first.sum() - second / second.sum()
    return found | {"second stage": float(0.5 * np.abs(change).sum())}


def measure(posterior: Posterior, seed: int, n: int) -> dict[str, dict[str, float]]:
    """Return every prior's figures for one posterior."""
    rng = np.random.default_rng(seed)
    draws, fresh = posterior.draw(DRAWS, rng=rng), posterior.draw(DRAWS, rng=rng)
    flow = ScoreDensity(random_state=seed).fit(draws).flow_
    own = flow.draw(DRAWS, rng=rng)
    twins = total_variation(posterior.log_density, flow.log_density, draws_p=fresh, draws_q=own)
    row = {"flow": judge(posterior, flow.log_density, n) | {"twin": twins.from_q.value}}
    return row | {name: judge(posterior, peer(draws), n) for name, peer in PEERS.items()}


def run(options: argparse.Namespace, say: Say, show: Show) -> dict[str, object]:
    """Print three lines a posterior and return the figures."""
    names = ["Gaussian", "bimodal"] if options.quick else list(POSTERIORS)
    say(f"Priors made of {DRAWS} draws of a posterior, against it")
    say(columns("posterior", "prior", "TV", "to Gaussian", "twin", "mode mass", "2nd stage"))
    found = {}
    for done, name in enumerate(names):
        show("prior", done, len(names))
        row = measure(POSTERIORS[name](), options.seed, 48 if options.quick else 96)
        found[name] = row
        for prior, figures in row.items():
            ratio = figures["tv"] / row["Gaussian"]["tv"]
            rest = (figures.get(key, np.nan) for key in ("twin", "mass error", "second stage"))
            shown = (f"{figure:.4f}".replace("nan", "-") for figure in rest)
            say(columns(name, prior, f"{figures['tv']:.4f}", f"{ratio:.2f}", *shown))
    return found


# ---- the check


def check(seed: int) -> float:
    """Return the largest difference of our mean and Cholesky factor to those of the package."""
    WHEELS.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(WHEELS)]
    subprocess.run([*pip, "pymc-extras==0.10.0"], check=True)
    with zipfile.ZipFile(next(WHEELS.glob("pymc_extras-0.10.0*.whl"))) as wheel:
        source = Path(wheel.extract("pymc_extras/utils/prior.py", WHEELS))
    spec = spec_from_file_location("prior", source)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    draws = POSTERIORS["bimodal"]().draw(DRAWS, rng=np.random.default_rng(seed))
    trace = xr.DataTree.from_dict(
        {"posterior": xr.Dataset({"x": (("chain", "draw", "column"), draws.reshape(4, -1, 2))})}
    )
    with pm.Model() as model:
        x = module.prior_from_idata(trace, var_names=["x"])["x"]
        (base,) = model.free_RVs
        image = model.compile_fn(x, inputs=[base], mode="FAST_COMPILE", point_fn=False)
    corners = [image(z) for z in (np.zeros(2), *np.eye(2))]
    theirs = np.array([corners[0], corners[1] - corners[0], corners[2] - corners[0]])
    ours = [draws.mean(axis=0), *np.linalg.cholesky(np.cov(draws, rowvar=False)).T]
    return float(np.abs(theirs - ours).max())


def main() -> None:
    """Print this table alone, or the outcome of the check."""
    command = parser(__doc__)
    command.add_argument("--check", action="store_true", help="compare with pymc-extras itself")
    options = command.parse_args()
    if options.check:
        print(f"largest difference to pymc-extras 0.10.0: {check(options.seed):.2g}")
    else:
        print_tables({"prior": run}, options)


if __name__ == "__main__":
    main()
