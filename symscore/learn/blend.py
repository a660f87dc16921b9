"""Averages of several fields of one level."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points, check_shape, frozen
from symscore.errors import BadData, BadOption
from symscore.learn.batch import denoise_batch, jacobian_batch
from symscore.learn.field import PiecewiseScore
from symscore.learn.packed import Packed, pack
from symscore.schedule import NoiseLevel


def checked_shares(values: ArrayLike, n_members: int) -> FloatArray:
    """Return shares (n_members,) that are positive with sum one, or raise BadData."""
    shares = frozen(values)
    check_shape("shares", shares, n_members)
    if not (np.all(shares > 0) and abs(shares.sum() - 1) <= 1e-9):
        raise BadData(f"Expected positive shares with sum one; got {shares}.")
    return shares


@final
@dataclass(frozen=True, eq=False)
class BlendedScore:
    r"""A convex combination of the scores of several fields of one level.

    .. math:: s(x) = \sum_m w_m s_m(x), \qquad w_m > 0, \ \sum_m w_m = 1

    Monotone denoisers form a convex set: what docs/method.md asks of a field, a blend of fields
    that satisfy it satisfies too.

    Parameters
    ----------
    members : tuple of PiecewiseScore
        Of one level and dimension.
    shares : (M,) array
        Positive, with sum one.

    Raises
    ------
    BadData
        Where members differ in level or dimension, or shares do not fit them.
    BadOption
        Where there are no members.
    """

    members: tuple[PiecewiseScore, ...]
    shares: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", tuple(self.members))
        if not self.members:
            raise BadOption("Expected at least one member; got none.")
        object.__setattr__(self, "shares", checked_shares(self.shares, len(self.members)))
        if any(m.level != self.level or m.dim != self.dim for m in self.members):
            raise BadData("Expected members of one level and dimension; got different ones.")

    @property
    def level(self) -> NoiseLevel:
        """The noise level of all members."""
        return self.members[0].level

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.members[0].dim

    def scaled(self, factor: float) -> "BlendedScore":
        """Return the blend of the members with `factor` times their deviations."""
        return BlendedScore(tuple(member.scaled(factor) for member in self.members), self.shares)

    @cached_property
    def packed(self) -> Packed:
        """The level alone, as the kernels read it."""
        return pack([self])

    def denoise(self, x: ArrayLike) -> FloatArray:
        """Return the learned E[x_0 | x_t = x], shape (n, d)."""
        return denoise_batch(self.packed, as_points("x", x, self.dim) / self.level.sigma)

    def score(self, x: ArrayLike) -> FloatArray:
        """Return the learned score at x_t = x, shape (n, d)."""
        return np.einsum("m,mni->ni", self.shares, [member.score(x) for member in self.members])

    def jacobian(self, x: ArrayLike) -> FloatArray:
        """Return the derivative of the score at x, shape (n, d, d); index 2 differentiates."""
        alpha, sigma = self.level.alpha, self.level.sigma
        _, slope = jacobian_batch(self.packed, as_points("x", x, self.dim) / sigma)
        return (alpha / sigma * slope - np.eye(self.dim)) / sigma**2


SoftScore = PiecewiseScore | BlendedScore


def blended(members: Sequence[PiecewiseScore], shares: Sequence[float]) -> SoftScore:
    """Return the blend of some fields, or the only one itself."""
    if len(members) == 1 and list(shares) == [1.0]:
        return members[0]
    return BlendedScore(tuple(members), np.array(shares))
