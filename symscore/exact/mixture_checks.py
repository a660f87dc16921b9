"""Reading and checking the parameters of exact mixtures."""

from collections.abc import Iterable, Sequence
from itertools import combinations, islice
from typing import TypeAlias

import sympy
from sympy import Expr, Matrix

from symscore.errors import BadData, BadOption
from symscore.exact.matrices import adjugate_and_determinant, leading_minors
from symscore.exact.numbers import ExactLike, as_exact, as_exact_vector

Vector: TypeAlias = tuple[Expr, ...]
Rows: TypeAlias = tuple[Vector, ...]

MOST_MINORS = 100  # of a symbolic matrix; where there are more, its rank is left to the caller


def vectors(rows: object, name: str) -> Rows:
    """Return rows of exact expressions; a bare scalar stands for one row of length one."""
    return tuple(as_exact_vector(row, f"{name}[{i}]") for i, row in enumerate(items(rows)))


def items(values: object) -> Iterable:
    """Return what a sequence, a matrix (its rows) or a bare scalar consists of."""
    if isinstance(values, sympy.MatrixBase):
        return values.tolist()  # a SymPy matrix iterates over its entries, not over its rows
    return values if isinstance(values, Iterable) and not isinstance(values, str) else (values,)


def as_alpha(alpha: ExactLike) -> Expr:
    """Return a noise level; raise BadOption where it is provably outside (0, 1]."""
    value = as_exact(alpha, "alpha")
    if is_surely_not_positive(value) or (value.is_Rational and value > 1):
        raise BadOption(f"Expected alpha in (0, 1]; got {value}.")
    return value


def as_variance(value: ExactLike, name: str) -> Expr:
    """Return a variance, zero included; raise BadOption where it is provably negative."""
    variance = as_exact(value, name)
    if (variance.is_Rational or variance.is_Symbol) and variance.is_negative:
        raise BadOption(f"Expected {name} >= 0; got {variance}.")
    return variance


def is_surely_not_positive(value: Expr) -> bool:
    """Whether a rational or a symbol is known to be zero or negative."""
    # Only what is decided without rounding: SymPy settles the sign of other numbers by evalf.
    return bool((value.is_Rational or value.is_Symbol) and value.is_positive is False)


def check_sizes(weights: Vector, means: Rows, covariances: tuple[Rows, ...]) -> None:
    """Raise BadData unless there are k weights, k means of length d and k covariances (d, d)."""
    counts = [len(part) for part in (weights, means, covariances)]
    if len(set(counts)) > 1 or 0 in counts:
        raise BadData(
            "Expected as many weights as means and covariances, at least one; "
            f"got {counts[0]}, {counts[1]} and {counts[2]}."
        )
    dim = len(means[0])
    for i, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        if len(mean) != dim or dim == 0:
            raise BadData(f"Expected means[{i}] of length {max(dim, 1)}; got {len(mean)}.")
        lengths = [len(row) for row in covariance]
        if lengths != [dim] * dim:
            raise BadData(
                f"Expected covariances[{i}] of shape ({dim}, {dim}); got rows of length {lengths}."
            )


def check_weights(weights: Vector) -> None:
    """Raise BadData where weights are provably not positive or do not sum to one."""
    for i, weight in enumerate(weights):
        if is_surely_not_positive(weight):
            raise BadData(f"Expected positive weights; got weights[{i}] = {weight}.")
    total = sympy.Add(*weights)
    # Responsibilities are weights too; to expand their exponentials takes long and shows nothing.
    total = total if total.has(sympy.Function) else sympy.expand(total)
    if total.is_Rational and total != 1:
        raise BadData(f"Expected weights that sum to one; got {total}: divide them by it.")


def check_covariance(name: str, covariance: Matrix) -> None:
    """Raise BadData where a covariance is not symmetric or provably not positive definite."""
    if any(entry != 0 for entry in (covariance - covariance.T).expand()):
        raise BadData(
            f"Expected {name} symmetric, the same expression on both sides of the diagonal; "
            f"got {covariance.tolist()}."
        )
    for variance in covariance.diagonal():
        if is_surely_not_positive(variance):
            raise BadData(f"Expected {name} positive definite; got {variance} on its diagonal.")
    for order, minor in enumerate(leading_minors(_leading_rational_block(covariance)), start=1):
        if minor <= 0:
            raise BadData(
                f"Expected {name} positive definite; got {minor} for its leading minor of "
                f"order {order}."
            )


def _leading_rational_block(matrix: Matrix) -> Matrix:
    size = 0
    while size < matrix.rows and all(e.is_Rational for e in matrix[: size + 1, : size + 1]):
        size += 1
    return matrix[:size, :size]


def as_indices(indices: int | Sequence[int], dim: int) -> tuple[int, ...]:
    """Return distinct coordinates between 0 and dim - 1; raise BadOption on anything else."""
    chosen = (indices,) if isinstance(indices, int) else tuple(indices)
    sound = all(isinstance(i, int) and 0 <= i < dim for i in chosen)
    if not chosen or not sound or len(set(chosen)) < len(chosen):
        raise BadOption(
            f"Expected distinct coordinates between 0 and {dim - 1}, at least one; got {indices}."
        )
    return chosen


def as_map(matrix: object, dim: int) -> Matrix:
    """Return a matrix with `dim` columns; raise BadData where its rows are provably dependent."""
    rows = vectors(matrix, "matrix")
    lengths = [len(row) for row in rows]
    if not rows or lengths != [dim] * len(rows):
        raise BadData(f"Expected matrix with rows of length {dim}; got lengths {lengths}.")
    image = Matrix(rows)
    if _is_surely_flat(image):
        raise BadData(
            f"Expected matrix with independent rows; got {image.tolist()}: the image of a mixture "
            "under it lies in a subspace and has no density."
        )
    return image


def _is_surely_flat(image: Matrix) -> bool:
    """Whether all minors of full order vanish identically, that is the rows are dependent."""
    if image.rows > image.cols:
        return True
    if all(entry.is_Rational for entry in image):
        # One number instead of all the minors: the sum of their squares (Cauchy-Binet).
        return bool(adjugate_and_determinant(image * image.T)[1] == 0)
    minors = list(islice(combinations(range(image.cols), image.rows), MOST_MINORS + 1))
    return len(minors) <= MOST_MINORS and all(
        adjugate_and_determinant(image[:, list(columns)])[1].expand() == 0 for columns in minors
    )
