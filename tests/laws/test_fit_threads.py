"""A fit, and all that is asked of it, has the same bits on one thread and on two.

Threads are those of the kernels' blocks of rows and those of BLAS, each pool by itself; a process
of its own is asked too, since some pools are sized when a library is loaded.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from symscore import ScoreDensity, arrays
from symscore.recipes import Auto
from tests.flows import random_mixture

ROOT = Path(__file__).parents[2]
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def digest() -> dict[str, str]:
    """Fit 700 rows and return the fingerprint of every figure; more rows than one block."""
    x = random_mixture(2, 3, 21).draw(700, rng=np.random.default_rng(0))
    recipe = Auto(kmeans=(4,), em=(1, 2), ridges=(1e-2,), pairs=1, folds=3, max_ratio=2.0)
    density = ScoreDensity(recipe, random_state=0).fit(x)
    figures = {
        "fit": np.concatenate([part.ravel() for part in density.flow_.packed]),
        "density": density.score_samples(x),
        "gradient": density.grad_log_density(x),
        "draws": density.sample(300),
        "inverse": density.flow_.to_latent(x),
    }
    return {name: hashlib.sha256(v.tobytes()).hexdigest() for name, v in figures.items()}


@pytest.fixture(scope="module")
def one_thread():
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        patch.setattr(arrays, "cpu_count", lambda: 1)
        return digest()


@pytest.mark.parametrize(("rows", "blas"), [(2, 1), (1, 2), (2, 2)])
def test_one_and_two_threads_give_the_same_bits(one_thread, monkeypatch, rows, blas):
    monkeypatch.setattr(arrays, "cpu_count", lambda: rows)
    with threadpool_limits(blas):
        assert digest() == one_thread


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_with_any_number_of_threads_gives_the_same_bits(one_thread, threads):
    code = f"from {__name__} import digest; print(*digest().values())"
    paths = os.pathsep.join([str(ROOT), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, **dict.fromkeys(POOLS, str(threads))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == list(one_thread.values())
