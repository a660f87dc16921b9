import shutil
from pathlib import Path

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.link.numba.dispatch.basic import numba_funcify_and_cache_key
from pytensor.link.numba.dispatch.random import numba_core_rv_funcify

import symscore
from symscore.pymc import LearnedScore, compiled
from symscore.pymc.kernels import KERNEL_KEY, source_key
from symscore.pymc.ops import (
    from_latent,
    latent_log_det,
    latent_pullback,
    log_density,
    to_latent,
)

OPS = (from_latent, latent_log_det, latent_pullback, log_density, to_latent)
PACKAGE = Path(symscore.__path__[0])
KERNEL_FILES = sorted(
    path.relative_to(PACKAGE)
    for folder in ("learn", "flow")
    for path in (PACKAGE / folder).rglob("*.py")
    if "njit" in path.read_text(encoding="utf-8")
)


def folders_of(package):
    return [package / folder for folder in ("learn", "flow", "pymc")]


@pytest.mark.parametrize("edited", [*KERNEL_FILES, Path("learn/packed.py")], ids=str)
def test_key_changes_with_every_source_of_the_kernels(edited, tmp_path):
    for folder in folders_of(PACKAGE):
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("__*__"))
    before = source_key(*folders_of(tmp_path))
    assert before == source_key(*folders_of(tmp_path))
    with (tmp_path / edited).open("a") as file:
        file.write("\n")
    assert source_key(*folders_of(tmp_path)) != before


def test_key_is_that_of_the_package():
    assert source_key(*folders_of(PACKAGE)) == KERNEL_KEY
    assert len(KERNEL_FILES) >= 4


@pytest.mark.parametrize("op", OPS, ids=str)
def test_pytensor_keeps_code_under_the_key(op, monkeypatch):
    """Neither an Op's code nor the address it calls may outlive an edit of the kernels."""
    monkeypatch.setattr(compiled, "external_kernel", lambda name: None)
    monkeypatch.setitem(compiled.FORMS, (op.n_points, op.gives_points), lambda call: call)
    _, key = numba_funcify_and_cache_key(op)
    monkeypatch.setattr(compiled, "KERNEL_KEY", KERNEL_KEY + 1)
    _, other = numba_funcify_and_cache_key(op)
    assert key != other


def test_pytensor_keeps_draws_under_the_key(flow, monkeypatch):
    monkeypatch.setattr(compiled, "external_kernel", lambda name: None)
    node = LearnedScore.dist(flow).owner
    assert numba_core_rv_funcify(node.op, node)[1] == KERNEL_KEY


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2,), (3, 2), (2, 0, 2)])
@pytest.mark.parametrize("op", OPS, ids=str)
def test_numba_agrees_with_python(flow, op, shape):
    points = flow.draw(int(np.prod(shape[:-1])), rng=np.random.default_rng(1)).reshape(shape)
    if points.size > 2:
        points[0, 1] = 1e300
    # Reversed and out of order in memory, as a graph may well pass them.
    points = points[..., ::-1]
    inputs = [pt.tensor(dtype="float64", shape=(None,) * len(shape)) for _ in range(op.n_points)]
    result = op(*inputs, *flow.packed)
    got = pytensor.function(inputs, result, mode="NUMBA")(*[points] * op.n_points)
    want = pytensor.function(inputs, result, mode="FAST_COMPILE")(*[points] * op.n_points)
    np.testing.assert_equal(got, want)


@pytest.mark.slow
def test_numba_refuses_wrong_shapes(flow):
    first, second = pt.dmatrix(), pt.dmatrix()
    run = pytensor.function(
        [first, second], latent_pullback(first, second, *flow.packed), mode="NUMBA"
    )
    with pytest.raises(ValueError, match="dimension"):
        run(np.zeros((4, 3)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="equal shapes"):
        run(np.zeros((4, 2)), np.zeros((3, 2)))


@pytest.mark.slow
def test_numba_draws_the_same_points(flow):
    variable = LearnedScore.dist(flow, size=(3, 2))
    got = pm.draw(variable, 4, random_seed=2, mode="NUMBA")
    want = pm.draw(variable, 4, random_seed=2, mode="FAST_COMPILE")
    np.testing.assert_array_equal(got, want)
