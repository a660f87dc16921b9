"""Pictures of a learned density: data, contours, scores and the ladder.

Every function draws into the axes it is given and returns them.
"""

import numpy as np
from matplotlib.axes import Axes

from symscore.arrays import FloatArray
from symscore.flow.flow import ScoreFlow

DATA, MODEL, ACCENT = "#3b3b3b", "#1f77b4", "#d62728"


def plot_draws(ax: Axes, data: FloatArray, draws: FloatArray, names: tuple[str, ...]) -> Axes:
    """Draws of a model behind the data, both (n, 2)."""
    ax.scatter(
        draws[:, 0],
        draws[:, 1],
        s=6,
        alpha=0.35,
        color=MODEL,
        linewidths=0,
        label=f"{len(draws)} draws",
    )
    ax.scatter(
        data[:, 0],
        data[:, 1],
        s=12,
        color=DATA,
        marker="x",
        linewidths=0.7,
        label=f"{len(data)} rows",
    )
    ax.legend(frameon=False, loc="upper left")
    return _named(ax, names)


def plot_density(ax: Axes, flow: ScoreFlow, data: FloatArray) -> Axes:
    """Contours of highest-density regions of a 2-D flow, with arrows of its score."""
    low, high = data.min(axis=0), data.max(axis=0)
    pad = 0.2 * (high - low)
    x, y = (np.linspace(a - p, b + p, 80) for a, b, p in zip(low, high, pad, strict=True))
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    density = np.exp(flow.log_density(grid.reshape(-1, 2))).reshape(80, 80)
    ordered = np.sort(density.ravel())[::-1]
    share = np.cumsum(ordered) / ordered.sum()
    masses = (0.95, 0.8, 0.5, 0.2)
    levels = [ordered[np.searchsorted(share, mass)] for mass in masses]
    ax.contourf(x, y, density, levels=[*levels, density.max()], cmap="Blues")
    coarse = grid[4::8, 4::8].reshape(-1, 2)
    # Arrows in units of the data's sds, so that their direction does not depend on the scales.
    sd = data.std(axis=0)
    arrows = flow.score(coarse) * sd
    length = np.linalg.norm(arrows, axis=1, keepdims=True)
    shown = arrows / length * np.minimum(length, 3.0) * 0.05 * sd * 2
    ax.quiver(
        *coarse.T, *shown.T, angles="xy", scale_units="xy", scale=1, color=ACCENT, width=0.003
    )
    ax.set_title("regions of 20, 50, 80 and 95 % mass; arrows: the score")
    return _named(ax, flow.names)


def plot_ladder(axes: np.ndarray, flow: ScoreFlow, *, rng: np.random.Generator) -> np.ndarray:
    """One cloud of latent points on its way from noise to data, a panel a level.

    `axes` is a 1-D array of Axes; the levels shown are evenly spaced in log kappa, from where the
    cloud begins to differ from the noise.
    """
    last = flow.ladder.schedule.n_steps
    nodes = np.linspace(0.4 * last, last, len(axes)).round().astype(int)
    path = flow.latent_path(rng.standard_normal((600, flow.latent_dim)))
    for ax, node in zip(axes, nodes, strict=True):
        kappa = flow.ladder.schedule.kappas[node]
        cloud = path[node] / np.hypot(1, kappa)
        ax.scatter(cloud[:, 0], cloud[:, 1], s=3, alpha=0.5, color=MODEL, linewidths=0)
        ax.set_title(f"signal : noise = {kappa:.2g}", fontsize=9)
        ax.set_aspect("equal")
        ax.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[])
    return axes


def plot_posterior(
    ax: Axes, prior: FloatArray, posterior: FloatArray, names: tuple[str, ...]
) -> Axes:
    """Posterior draws over prior draws, both (n, 2)."""
    ax.scatter(
        prior[:, 0], prior[:, 1], s=5, alpha=0.25, color=DATA, linewidths=0, label="learned prior"
    )
    ax.scatter(
        posterior[:, 0],
        posterior[:, 1],
        s=5,
        alpha=0.35,
        color=ACCENT,
        linewidths=0,
        label="posterior (NUTS)",
    )
    ax.legend(frameon=False, loc="upper left", markerscale=2)
    return _named(ax, names)


def _named(ax: Axes, names: tuple[str, ...]) -> Axes:
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    ax.spines[["top", "right"]].set_visible(False)
    return ax
