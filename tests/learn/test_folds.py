"""Folds: even, by group, and decided by the seed alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symscore.errors import BadData
from symscore.learn.folds import fold_labels


@given(st.integers(1, 200), st.integers(2, 8), st.integers(0, 2**32))
def test_folds_are_as_even_as_can_be(n, n_folds, seed):
    counts = np.bincount(fold_labels(n, None, n_folds, seed=seed), minlength=n_folds)
    assert counts.sum() == n
    assert len(counts) == n_folds
    assert counts.max() - counts.min() <= 1


@given(
    st.lists(st.floats(-5, 5, width=16), min_size=2, max_size=60),
    st.integers(2, 6),
    st.integers(0, 99),
)
def test_a_group_is_never_divided(labels, n_folds, seed):
    groups = np.array(labels)
    present = np.unique(groups)
    if len(present) < 2:
        return
    folds = fold_labels(len(groups), groups, n_folds, seed=seed)
    assert all(len(np.unique(folds[groups == group])) == 1 for group in present)
    # Folds take groups in turn: every fold has some, and all about as many.
    counts = np.bincount([folds[groups == group][0] for group in present])
    assert len(counts) == min(n_folds, len(present))
    assert counts.max() - counts.min() <= 1
    assert counts.min() >= 1


def test_the_order_of_rows_moves_their_folds_with_them():
    groups = np.arange(40) // 4
    order = np.random.default_rng(0).permutation(40)
    folds = fold_labels(40, groups, 3, seed=5)
    assert (fold_labels(40, groups[order], 3, seed=5) == folds[order]).all()


def test_every_row_a_group_of_its_own_is_no_groups():
    assert (fold_labels(50, np.arange(50.0), 4, seed=2) == fold_labels(50, None, 4, seed=2)).all()


def test_the_seed_decides():
    first = fold_labels(100, None, 4, seed=1)
    assert (fold_labels(100, None, 4, seed=1) == first).all()
    assert (fold_labels(100, None, 4, seed=2) != first).any()


def test_one_group_cannot_be_held_out():
    with pytest.raises(BadData, match="at least two groups, so that one can be held out; got one"):
        fold_labels(10, np.zeros(10), 4, seed=0)
