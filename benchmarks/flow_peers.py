"""Neural flows as optional peers: zuko's spline flow and FlowJAX's, trained with their defaults.

Both see scaled columns, hold a tenth of the rows out and stop when these stop improving.
"""

from collections.abc import Iterator

import numpy as np

from benchmarks.baselines import Estimate
from symscore.arrays import FloatArray

TRANSFORMS = 4
WIDTH = 64
BATCH = 250
EPOCHS = 200
PATIENCE = 10
RATE = 3e-3


def zuko_spline(data: FloatArray, truth: object, seed: int) -> Estimate:
    """Fit a neural spline flow by Adam."""
    import torch
    from zuko.flows import NSF

    torch.manual_seed(seed)
    mean, sigma = data.mean(axis=0), data.std(axis=0)
    rows = torch.as_tensor((data - mean) / sigma, dtype=torch.float32)
    held = len(rows) // 10
    training, held_out = rows[held:], rows[:held]
    flow = NSF(rows.shape[1], transforms=TRANSFORMS, hidden_features=(WIDTH, WIDTH))
    optimiser = torch.optim.Adam(flow.parameters(), lr=RATE)
    best, least, since, epochs = flow.state_dict(), np.inf, 0, 0
    while since < PATIENCE and epochs < EPOCHS:
        epochs += 1
        for batch in training[torch.randperm(len(training))].split(BATCH):
            optimiser.zero_grad()
            (-flow().log_prob(batch).mean()).backward()
            optimiser.step()
        with torch.no_grad():
            loss = float(-flow().log_prob(held_out).mean())
        since += 1
        if loss < least:
            best = {name: value.clone() for name, value in flow.state_dict().items()}
            least, since = loss, 0
    flow.load_state_dict(best)

    def log_density(x: FloatArray) -> FloatArray:
        u = torch.as_tensor((x - mean) / sigma, dtype=torch.float32)
        with torch.no_grad():
            return flow().log_prob(u).double().numpy() - np.log(sigma).sum()

    def draw(n: int, *, rng: np.random.Generator) -> FloatArray:
        torch.manual_seed(int(rng.integers(2**31)))
        with torch.no_grad():
            return mean + sigma * flow().sample((n,)).double().numpy()

    return Estimate(log_density, draw, f"{epochs} epochs")


def flowjax_spline(data: FloatArray, truth: object, seed: int) -> Estimate:
    """Fit a masked autoregressive flow of rational quadratic splines by maximum likelihood."""
    import jax
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import Normal
    from flowjax.flows import masked_autoregressive_flow
    from flowjax.train import fit_to_data

    build, train = jax.random.split(jax.random.key(seed))
    mean, sigma = data.mean(axis=0), data.std(axis=0)
    flow = masked_autoregressive_flow(
        build,
        base_dist=Normal(np.zeros(data.shape[1])),
        transformer=RationalQuadraticSpline(knots=8, interval=5),
        flow_layers=TRANSFORMS,
        nn_width=WIDTH,
    )
    flow, losses = fit_to_data(
        train,
        flow,
        (data - mean) / sigma,
        learning_rate=RATE,
        max_epochs=EPOCHS,
        max_patience=PATIENCE,
        batch_size=BATCH,
        show_progress=False,
    )

    def log_density(x: FloatArray) -> FloatArray:
        parts = [flow.log_prob((part - mean) / sigma) for part in _batches(x)]
        return np.concatenate(parts).astype(np.float64) - np.log(sigma).sum()

    def draw(n: int, *, rng: np.random.Generator) -> FloatArray:
        key = jax.random.key(int(rng.integers(2**31)))
        return mean + sigma * np.asarray(flow.sample(key, (n,)), dtype=np.float64)

    return Estimate(log_density, draw, f"{len(losses['train'])} epochs")


def _batches(x: FloatArray) -> Iterator[FloatArray]:
    return iter(np.array_split(x, max(1, len(x) // 5000)))
