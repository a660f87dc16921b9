"""Averages of fields of one level, against their members."""

import numpy as np
import pytest

from symscore.errors import BadData, BadOption
from symscore.learn.blend import BlendedScore, blended
from symscore.learn.field import PiecewiseScore
from symscore.schedule import NoiseLevel
from tests.flows import random_blend, random_field, random_mixture
from tests.tolerances import derivative, roundoff

BLEND = random_blend(1.5, 2, [(2, 1, 2.0), (5, 3, 4.0), (3, -1, 3.0)], amplitude=0.3)
FIELD = random_field(random_mixture(2, 3, 0), 1.5, 1, 0.3, 0)


def points(n: int = 40) -> np.ndarray:
    rng = np.random.default_rng(5)
    level = BLEND.level
    x = np.concatenate([member.crude.draw(n, rng=rng) for member in BLEND.members])
    return level.alpha * x + level.sigma * rng.normal(size=x.shape)


def sizes(name: str, x: np.ndarray) -> np.ndarray:
    """What rounds: the members' own values, which may cancel."""
    return np.abs([getattr(member, name)(x) for member in BLEND.members]).sum(axis=0)


@pytest.mark.parametrize("name", ["denoise", "score", "jacobian"])
def test_a_blend_averages_its_members(name):
    x = points()
    parts = [getattr(member, name)(x) for member in BLEND.members]
    want = np.einsum("m,m...->...", BLEND.shares, parts)
    limit = roundoff(10**3, 1 + np.abs(parts).sum(axis=0).max())
    assert np.abs(getattr(BLEND, name)(x) - want).max() <= limit


def test_score_and_denoiser_obey_tweedies_formula():
    x, level = points(), BLEND.level
    want = (level.alpha * BLEND.denoise(x) - x) / level.sigma**2
    limit = roundoff(10**3, (level.alpha * sizes("denoise", x) + np.abs(x)) / level.sigma**2)
    assert np.all(np.abs(BLEND.score(x) - want) <= limit)


def test_jacobian_is_the_derivative_of_the_score():
    x = points(10)
    want, error = derivative(BLEND.score, x, noise=roundoff(10**3, sizes("score", x).max()))
    assert np.all(np.abs(BLEND.jacobian(x) - want) <= error)
    assert error.max() < 1e-3 * np.abs(want).max()


def test_scaling_scales_every_members_deviation():
    x = points()
    crude, half, whole = (BLEND.scaled(factor).denoise(x) for factor in (0.0, 0.5, 1.0))
    assert (BLEND.scaled(0.5).shares == BLEND.shares).all()
    limit = roundoff(10**3, 1 + sizes("denoise", x).max())
    assert np.abs(half - (crude + whole) / 2).max() <= limit
    assert np.abs(whole - crude).max() > 100 * limit


def test_the_order_of_members_is_nothing_but_rounding():
    x = points()
    turned = BlendedScore(BLEND.members[::-1], BLEND.shares[::-1])
    limit = roundoff(10**3, 1 + sizes("denoise", x).max())
    assert np.abs(turned.denoise(x) - BLEND.denoise(x)).max() <= limit


def test_a_member_twice_is_a_member_with_both_shares():
    x = points()
    first, *others = BLEND.members
    w, *rest = BLEND.shares.tolist()
    doubled = BlendedScore((first, first, *others), [w / 2, w / 2, *rest])
    limit = roundoff(10**3, 1 + sizes("denoise", x).max())
    assert np.abs(doubled.denoise(x) - BLEND.denoise(x)).max() <= limit


def test_one_field_blended_is_itself():
    assert blended([FIELD], [1.0]) is FIELD
    with pytest.raises(BadData, match="positive shares with sum one"):
        blended([FIELD], [0.5])
    two = blended([FIELD, FIELD], [0.25, 0.75])
    assert isinstance(two, BlendedScore)
    assert (two.level, two.dim) == (FIELD.level, FIELD.dim)


def test_a_field_is_its_own_only_member():
    assert FIELD.members == (FIELD,)
    assert FIELD.shares.tolist() == [1.0]


def test_shares_are_owned():
    shares = np.array([0.5, 0.5])
    blend = BlendedScore((FIELD, FIELD), shares)
    shares[0] = 7.0
    assert blend.shares.tolist() == [0.5, 0.5]
    assert not blend.shares.flags.writeable


@pytest.mark.parametrize(
    "shares", [[0.5, 0.4], [1.5, -0.5], [1.0, 0.0], [np.nan, 1.0], [0.5, np.inf]]
)
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(BadData, match="positive shares with sum one"):
        BlendedScore((FIELD, FIELD), np.array(shares))


def test_members_that_do_not_fit_are_refused():
    noisier = PiecewiseScore(FIELD.crude, NoiseLevel.from_kappa(1.0), FIELD.coef)
    wider = random_field(random_mixture(3, 2, 0), 1.5, 1, 0.3, 0)
    for other in (noisier, wider):
        with pytest.raises(BadData, match="members of one level and dimension"):
            BlendedScore((FIELD, other), np.full(2, 0.5))
    with pytest.raises(BadData, match="shares of shape"):
        BlendedScore((FIELD, FIELD), np.ones(1))
    with pytest.raises(BadOption, match="at least one member"):
        BlendedScore((), np.ones(0))


@pytest.mark.parametrize("bad", [[[0.0]], [[np.nan, 0.0]]])
def test_points_that_are_none_are_refused(bad):
    for ask in (BLEND.denoise, BLEND.score, BLEND.jacobian):
        with pytest.raises(BadData, match="Expected"):
            ask(bad)
