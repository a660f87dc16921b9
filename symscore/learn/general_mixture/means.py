"""Step A3: crude means, from the leading directions of the rows' moments."""

import math
from itertools import product

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import ResourceLimit

NET_LIMIT = 100_000  # points of a net


def mean_subspace(x: FloatArray, weights: FloatArray, k: int) -> FloatArray:
    r"""Return an orthonormal basis (d, min(k, d)) of the space in which crude means are sought.

    The leading eigenvectors of the second moment :math:`\sum_n v_n x_n x_n^T`, which is not
    centred: Algorithm 2 of arXiv 2404.18893. By its Lemma 16, which follows from Lemma 15, the
    space then passes each mean at a squared distance of at most :math:`2 (1 + \eta) \beta / w_i`,
    where :math:`\eta \beta` bounds the error of the moment.

    Parameters
    ----------
    x : (n, d) array
    weights : (n,) array
        Summing to one.
    k : int
        Number of components.
    """
    return _leading(np.einsum("n,ni,nj->ij", weights, x, x), k)


def kurtosis_subspace(x: FloatArray, weights: FloatArray, k: int) -> FloatArray:
    r"""Return an orthonormal basis (d, min(k, d)) of the least Gaussian directions.

    The leading eigenvectors, by size, of :math:`\sum_n v_n |x_n|^2 x_n x_n^T - (d + 2) I`, which
    is zero for N(0, I). Own derivation: the second moment of whitened rows is I and says nothing.

    Parameters
    ----------
    x : (n, d) array
        Rows of mean 0 and covariance I.
    weights : (n,) array
        Summing to one.
    k : int
        Number of components.
    """
    square = (x**2).sum(axis=1)
    moment = np.einsum("n,ni,nj->ij", weights * square, x, x)
    return _leading(moment - (x.shape[1] + 2) * np.eye(x.shape[1]), k)


def span_basis(points: FloatArray) -> FloatArray:
    """Return an orthonormal basis (d, r) of the span of the rows of `points` (k, d).

    Directions of less than a millionth of the largest are rounding's and left out; one always
    stays, so that there is something to project on.
    """
    _, sizes, directions = np.linalg.svd(points, full_matrices=False)
    rank = max(1, int(np.count_nonzero(sizes > 1e-6 * sizes[0])))
    return np.ascontiguousarray(directions[:rank].T)


def ball_net(dim: int, radius: float, covering: float, *, limit: int = NET_LIMIT) -> FloatArray:
    r"""Return points (m, dim) such that the ball of `radius` about 0 is within `covering` of them.

    The grid of pitch :math:`2 c / \sqrt{p}` in dimension p, whose cells reach as far as c, cut to
    the points within the radius plus c.

    Raises
    ------
    ResourceLimit
        Where the grid has more than `limit` points, before it is made.

    Examples
    --------
    >>> ball_net(1, 2.0, 1.0).ravel()
    array([-2.,  0.,  2.])
    """
    if dim == 0:
        return np.zeros((1, 0))
    pitch = 2 * covering / math.sqrt(dim)
    reach = math.ceil(radius / pitch - 0.5)
    if (2 * reach + 1) ** dim > limit:
        raise ResourceLimit(
            f"Expected a net of at most {limit} points; got {2 * reach + 1} to the power {dim} for "
            f"radius {radius:.3g} at spacing {pitch:.3g}: take a smaller instance or a coarser net."
        )
    axis = pitch * np.arange(-reach, reach + 1)
    grid = np.array(list(product(axis, repeat=dim)))
    return grid[np.sqrt((grid**2).sum(axis=1)) <= radius + covering]


def mean_net(
    basis: FloatArray, radius: float, covering: float, *, limit: int = NET_LIMIT
) -> FloatArray:
    r"""Return the crude means (m, d) of Algorithm 2: a net of :math:`\{v \in V : |v| \le 2 R\}`.

    Parameters
    ----------
    basis : (d, r) array
        Of V, orthonormal.
    radius : float
        R, which bounds the means of the mixture.
    covering : float
        The paper's is :math:`\sqrt{\beta}`.

    Raises
    ------
    ResourceLimit
        Where the net has more than `limit` points.
    """
    return np.asarray(ball_net(basis.shape[1], 2 * radius, covering, limit=limit) @ basis.T)


def _leading(symmetric: FloatArray, k: int) -> FloatArray:
    values, vectors = np.linalg.eigh(symmetric)
    order = np.argsort(-np.abs(values), kind="stable")[: min(k, len(values))]
    return np.ascontiguousarray(vectors[:, order])
