"""Models whose levels are averages of several fields, as files."""

from pathlib import Path

import numpy as np
import pytest

from symscore import load, save
from symscore.arrays import FloatArray
from symscore.errors import BadModelFile
from symscore.flow.flow import ScoreFlow
from symscore.io.container import read_container, write_container
from symscore.learn.blend import BlendedScore
from symscore.learn.field import PiecewiseScore
from tests.flows import make_blended_ladder, random_frame

LADDER = make_blended_ladder(
    2,
    [(3, 2, 3.0), (2, -1, 3.0), (4, 1, 2.0)],
    spread=0.8,
    frame=random_frame(2, 7),
    max_ratio=2.4,
)
FLOW = ScoreFlow(LADDER)


def changed(path: Path, **changes: FloatArray) -> Path:
    """Write the model with other arrays, and sound checksums."""
    save(FLOW, path)
    header, arrays = read_container(path)
    write_container(path, header, {**arrays, **changes})
    return path


def test_a_model_with_blends_comes_back_bit_for_bit(tmp_path):
    save(FLOW, tmp_path / "model.npz")
    found = load(tmp_path / "model.npz")
    assert found.names == FLOW.names
    for one, other in zip(found.packed, FLOW.packed, strict=True):
        assert one.tobytes() == other.tobytes()
    z = np.random.default_rng(0).normal(size=(30, 2))
    x = FLOW.from_latent(z)
    assert (found.from_latent(z) == x).all()
    assert (found.log_density(x) == FLOW.log_density(x)).all()


def test_levels_keep_their_kind_members_and_shares(tmp_path):
    save(FLOW, tmp_path / "model.npz")
    kinds = set()
    for one, other in zip(load(tmp_path / "model.npz").ladder.fields, LADDER.fields, strict=True):
        assert type(one) is type(other)
        kinds.add(type(one))
        assert one.shares.tobytes() == other.shares.tobytes()
        for member, twin in zip(one.members, other.members, strict=True):
            assert (member.rho, member.degree) == (twin.rho, twin.degree)
            assert (member.coef == twin.coef).all()
            assert (member.crude.covariances == twin.crude.covariances).all()
    assert kinds == {BlendedScore, PiecewiseScore}


def test_saving_what_was_loaded_writes_the_same_bytes(tmp_path):
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    save(FLOW, first)
    save(load(first), second)
    assert first.read_bytes() == second.read_bytes()


COUNTS = np.array([len(field.members) for field in LADDER.fields])
SHARES = np.concatenate([field.shares for field in LADDER.fields])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_members": np.append(COUNTS[:-1], COUNTS[-1] + 1)}, None),
        ({"n_members": np.append(COUNTS[:-1], COUNTS[-1] + 2)}, None),
        ({"n_members": COUNTS[:-1]}, "numbers of members are impossible"),
        ({"n_members": np.zeros_like(COUNTS)}, "numbers of members are impossible"),
        ({"n_members": -COUNTS}, "numbers of members are impossible"),
        ({"n_members": np.where(COUNTS == 3, 2, COUNTS)}, None),
        ({"shares": SHARES[:-1]}, None),
        ({"shares": np.append(SHARES, 0.5)}, "members and shares differ"),
        ({"shares": 2 * SHARES}, "positive shares with sum one"),
        ({"shares": np.where(SHARES < 0.4, -SHARES, SHARES)}, "positive shares with sum one"),
        ({"shares": SHARES[:, None]}, None),
        ({"shares": np.full_like(SHARES, np.nan)}, "'shares' is not finite"),
    ],
)
def test_members_and_shares_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(BadModelFile, match=message):
        load(changed(tmp_path / "model.npz", **changes))


def test_the_share_of_an_only_member_is_one(tmp_path):
    lonely = np.repeat(COUNTS == 1, COUNTS)
    with pytest.raises(BadModelFile, match="positive shares with sum one"):
        load(changed(tmp_path / "model.npz", shares=np.where(lonely, 0.5, SHARES)))


@pytest.mark.parametrize("name", ["n_members", "shares"])
def test_a_model_without_them_is_refused(tmp_path, name):
    path = tmp_path / "model.npz"
    save(FLOW, path)
    header, arrays = read_container(path)
    write_container(path, header, {key: a for key, a in arrays.items() if key != name})
    with pytest.raises(BadModelFile, match=name):
        load(path)
