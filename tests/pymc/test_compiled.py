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
from symscore.learn.packed import DIM, EVENT
from symscore.pymc import LearnedScalar, LearnedScore, compiled
from symscore.pymc.kernels import KERNEL_KEY, source_key
from symscore.pymc.ops import (
    from_latent,
    latent_log_det,
    latent_pullback,
    log_density,
    to_latent,
)
from symscore.pymc.parameters import vectors

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
    monkeypatch.setitem(compiled.FORMS, compiled.form(op), lambda call, *lengths: call)
    _, key = numba_funcify_and_cache_key(op)
    monkeypatch.setattr(compiled, "KERNEL_KEY", KERNEL_KEY + 1)
    _, other = numba_funcify_and_cache_key(op)
    assert key != other


def test_pytensor_keeps_draws_under_the_key(flow, line, monkeypatch):
    monkeypatch.setattr(compiled, "external_kernel", lambda name: None)
    for node in (LearnedScore.dist(flow).owner, LearnedScalar.dist(line).owner):
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
    inputs = [pt.tensor(dtype="float64", shape=(None,) * len(shape)) for _ in op.takes]
    result = op(*inputs, *flow.packed)
    got = pytensor.function(inputs, result, mode="NUMBA")(*[points] * len(op.takes))
    want = pytensor.function(inputs, result, mode="FAST_COMPILE")(*[points] * len(op.takes))
    np.testing.assert_equal(got, want)


@pytest.mark.slow
@pytest.mark.parametrize("op", OPS, ids=str)
def test_numba_agrees_on_batches_and_on_bounded_columns(flow, wide_flow, shares, op):
    """Flows of two layouts, whose points have other lengths than their latent points."""
    z = np.random.default_rng(1).normal(size=(3, 2, 3))
    x = shares.from_latent(z.reshape(-1, 3)).reshape(3, 2, 4)
    x[1, 0, 0] = -1.0  # outside the support
    kinds = {DIM: z, EVENT: x}
    both = vectors([flow, wide_flow])
    cases = [
        ([kinds[axis] for axis in op.takes], shares.packed),
        ([kinds[axis] for axis in op.takes], [v[None] for v in shares.packed]),
        ([z[..., :2] for _ in op.takes], both[:2]),
        ([z[:, :1, :2] for _ in op.takes], both[:2]),
        ([z[..., :2] for _ in op.takes], [v[:, None][:, :, None] for v in both[:2]]),
    ]
    for points, batch in cases:
        # PyTensor broadcasts only axes that it knows to have length one.
        known = tuple(1 if n == 1 else None for n in points[0].shape[:-1])
        inputs = [pt.tensor(dtype="float64", shape=(*known, None)) for _ in points]
        result = op(*inputs, *batch)
        got = pytensor.function(inputs, result, mode="NUMBA")(*points)
        want = pytensor.function(inputs, result, mode="FAST_COMPILE")(*points)
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
def test_numba_draws_the_same_points(flow, wide_flow, shares, line):
    place = {"loc": np.ones(2), "scale_tril": np.array([[2.0, 0.0], [1.0, 0.5]])}
    for variable in (
        LearnedScore.dist(flow, size=(3, 2)),
        LearnedScore.dist(shares, size=(3,)),
        LearnedScore.dist([flow, wide_flow], size=(3, 2), **place),
        LearnedScalar.dist(line, loc=1.0, scale=[2.0, 3.0, 4.0], size=(2, 3)),
    ):
        got = pm.draw(variable, 4, random_seed=2, mode="NUMBA")
        want = pm.draw(variable, 4, random_seed=2, mode="FAST_COMPILE")
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-13)
