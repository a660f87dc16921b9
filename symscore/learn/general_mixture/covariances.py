"""Step A4: crude covariances, from the leading directions of flattened fourth moments."""

from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import ResourceLimit
from symscore.learn.general_mixture.means import NET_LIMIT, ball_net, span_basis

BLOCK_BYTES = 2**28  # of the three moment matrices together


def nearest_projected(x: FloatArray, means: FloatArray, basis: FloatArray) -> np.ndarray:
    r"""Return :math:`\arg\min_i |\Pi x - \hat\mu_i|` for the rows of x (n, d), shape (n,).

    The means (k, d) lie in the span of `basis` (d, r), whose projector is :math:`\Pi`. Of equally
    near ones the first is taken.
    """
    inner = np.einsum("ni,ir->nr", x, basis)
    centres = np.einsum("ki,ir->kr", means, basis)
    distance = np.stack([((inner - own) ** 2).sum(axis=1) for own in centres], axis=1)
    return distance.argmin(axis=1)


@final
@dataclass(frozen=True, eq=False)
class MomentBlocks:
    """Flattened fourth moments about the nearest crude mean, and the axes they belong to.

    Attributes
    ----------
    inner, outer : (d, r) and (d, d - r) arrays
        Orthonormal bases of the span of the crude means and of its complement.
    c00, c01, c11 : arrays
        Second moments of the flattened ``z0 z0^T``, ``z0 z1^T`` and ``z1 z1^T``, with z0 and z1 the
        coordinates of z in the two bases.
    """

    inner: FloatArray
    outer: FloatArray
    c00: FloatArray
    c01: FloatArray
    c11: FloatArray


def fourth_moment_blocks(x: FloatArray, weights: FloatArray, means: FloatArray) -> MomentBlocks:
    r"""Return the moments of Algorithm 3 of arXiv 2404.18893.

    .. math::

        \hat C_{PP'} = \sum_n v_n \operatorname{vec}(P z_n z_n^T P')
            \operatorname{vec}(P z_n z_n^T P')^T, \qquad z = x - \hat\mu(x),

    for the projector P on the span of the crude means and the one on its complement, with
    :math:`\hat\mu(x)` the crude mean nearest to x within that span.

    Parameters
    ----------
    x : (n, d) array
    weights : (n,) array
        Summing to one.
    means : (k, d) array

    Raises
    ------
    ResourceLimit
        Where the matrices would need more than 256 MiB: for d above 50 or so.
    """
    inner = span_basis(means)
    dim, rank = inner.shape
    sizes = (rank**2, rank * (dim - rank), (dim - rank) ** 2)
    if 8 * sum(size**2 for size in sizes) > BLOCK_BYTES:
        raise ResourceLimit(
            f"Expected fourth moments of at most {BLOCK_BYTES >> 20} MiB; {dim} columns need "
            f"{8 * sum(size**2 for size in sizes) >> 20} MiB: take candidates from data instead."
        )
    whole = np.linalg.svd(inner, full_matrices=True)[0]
    outer = np.ascontiguousarray(whole[:, rank:])
    z = x - means[nearest_projected(x, means, inner)]
    z0, z1 = np.einsum("ni,ir->nr", z, inner), np.einsum("ni,ir->nr", z, outer)

    def moment(left: FloatArray, right: FloatArray) -> FloatArray:
        flat = np.einsum("ni,nj->nij", left, right).reshape(len(left), -1)
        return np.asarray((weights[:, None] * flat).T @ flat)

    return MomentBlocks(inner, outer, moment(z0, z0), moment(z0, z1), moment(z1, z1))


def covariance_subspaces(blocks: MomentBlocks, k: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return bases of the top-k spaces of the three blocks, as matrices in all d coordinates.

    Of shapes (m00, d, d), (m01, d, d) and (m11, d, d), orthonormal under the Frobenius product
    within each; the first and the last are symmetric, since test matrices may be.
    """

    def leading(moment: FloatArray, left: FloatArray, right: FloatArray) -> FloatArray:
        rows, columns = left.shape[1], right.shape[1]
        symmetric = left is right
        most = rows * (rows + 1) // 2 if symmetric else rows * columns
        vectors = np.linalg.eigh(moment)[1][:, ::-1][:, : min(k, most)]
        matrices = vectors.T.reshape(vectors.shape[1], rows, columns)
        if symmetric:
            matrices = (matrices + matrices.swapaxes(1, 2)) / 2
        return np.einsum("ir,mrs,js->mij", left, matrices, right)

    inner, outer = blocks.inner, blocks.outer
    return (
        leading(blocks.c00, inner, inner),
        leading(blocks.c01, inner, outer),
        leading(blocks.c11, outer, outer),
    )


def project_covariances(
    covariances: FloatArray, subspaces: tuple[FloatArray, FloatArray, FloatArray]
) -> FloatArray:
    r"""Return :math:`Q_{00} + Q_{01} + Q_{01}^T + Q_{11}` of given covariances (k, d, d).

    Each part is the projection on its space: the data-driven way to pick a point of Algorithm 3's
    nets. Nothing makes the sums positive definite; see :func:`floored`.
    """
    q00, q01, q11 = (
        np.einsum("kab,mab,mij->kij", covariances, basis, basis) for basis in subspaces
    )
    return np.asarray(q00 + q01 + q01.swapaxes(1, 2) + q11)


def covariance_net(
    subspaces: tuple[FloatArray, FloatArray, FloatArray],
    radius: float,
    covering: float,
    floor: float,
    *,
    limit: int = NET_LIMIT,
) -> FloatArray:
    """Return the crude covariances (m, d, d) of Algorithm 3: all sums of points of three nets.

    Parameters
    ----------
    subspaces : three (m, d, d) arrays
        See :func:`covariance_subspaces`.
    radius : float
        Of the ball, in the Frobenius norm, that each net covers.
    covering : float
        How far the net may be from a point of the ball.
    floor : float
        Least eigenvalue: see :func:`floored`; equal results are merged.

    Raises
    ------
    ResourceLimit
        Where there would be more than `limit` of them.
    """
    nets = [ball_net(len(basis), radius, covering, limit=limit) for basis in subspaces]
    size = int(np.prod([len(net) for net in nets]))
    if size > limit:
        raise ResourceLimit(
            f"Expected at most {limit} crude covariances; the nets give {size}: take a smaller "
            "instance or coarser nets."
        )
    parts = [
        np.einsum("pm,mij->pij", net, basis) for net, basis in zip(nets, subspaces, strict=True)
    ]
    sums = np.array([q00 + q01 + q01.T + q11 for q00, q01, q11 in product(*parts)])
    # Rounded, so that equal matrices are found equal.
    return floored(np.unique(np.round(floored(sums, floor), 9), axis=0), floor)


def floored(covariances: FloatArray, floor: float) -> FloatArray:
    r"""Return symmetric matrices (k, d, d) with their eigenvalues raised to `floor`.

    With floor :math:`\alpha / 2` and :math:`|Q - \hat Q|_F \le \upsilon`, the inverse of the result
    is within :math:`4 \upsilon / \alpha^2` of that of Q: Lemma 26 of arXiv 2404.18893, which needs
    no positive definite :math:`\hat Q`.
    """
    values, vectors = np.linalg.eigh(covariances)
    lifted = np.maximum(values, floor)
    result = np.einsum("kij,kj,klj->kil", vectors, lifted, vectors)
    return (result + result.swapaxes(1, 2)) / 2
