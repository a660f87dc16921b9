"""Groups are whole chains or contiguous blocks of nearly equal length, and enough in number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symscore.errors import BadData, BadOption
from symscore.io.blocks import contiguous_groups


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """Labels of 1 to 6 chains of 6 to 15 rows in any order, and a number of groups up to 6."""
    sizes = draw(st.lists(st.integers(6, 15), min_size=1, max_size=6))
    chains = draw(st.permutations(np.repeat(np.arange(len(sizes)) * 3 - 4, sizes).tolist()))
    return np.array(chains), draw(st.integers(1, 6))


@given(interleaved())
def test_groups_are_blocks_of_one_chain(case: tuple[np.ndarray, int]) -> None:
    chains, wanted = case
    groups = contiguous_groups(chains, wanted)
    found = np.unique(groups)
    assert np.array_equal(found, np.arange(len(found)))
    present = np.unique(chains)
    assert max(wanted, len(present)) <= len(found) < wanted + len(present)
    for chain in present:
        own = groups[chains == chain]
        assert np.all(np.diff(own) >= 0)
        assert not np.isin(groups[chains != chain], own).any()
        assert np.ptp(np.unique(own, return_counts=True)[1]) <= 1


def test_enough_chains_stay_whole() -> None:
    assert contiguous_groups([5, 5, 3, 3, 9], 3).tolist() == [1, 1, 0, 0, 2]
    assert contiguous_groups(np.repeat(range(4), 7)).tolist() == np.repeat(range(4), 7).tolist()


def test_one_chain_becomes_four_blocks() -> None:
    assert contiguous_groups(np.zeros(10)).tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]


def test_three_chains_become_six_blocks() -> None:
    assert contiguous_groups(np.repeat([0, 1, 2], 4)).tolist() == np.repeat(range(6), 2).tolist()


def test_the_documented_formula_is_one_chain_in_blocks() -> None:
    n = 1003
    assert np.array_equal(np.arange(n) * 8 // n, contiguous_groups(np.zeros(n), 8))


def test_nothing_has_no_groups() -> None:
    assert contiguous_groups([]).shape == (0,)


def test_misuse_is_refused() -> None:
    with pytest.raises(BadOption, match="Expected n_groups >= 1; got 0"):
        contiguous_groups([0, 1], 0)
    with pytest.raises(BadData, match=r"at least 4 rows of each chain.* got 3 of chain 7"):
        contiguous_groups([7, 7, 7])
    with pytest.raises(BadData, match=r"Expected chains of shape \(any\); got \(2, 1\)"):
        contiguous_groups([[0], [1]])
