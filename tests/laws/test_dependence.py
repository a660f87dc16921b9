"""Draws of Markov chains are learned as such: held-out chains or blocks, not held-out rows.

Draws correlated at .98 lie on a path, which cells follow where its rows are held out at random.
"""

import pytest

from benchmarks.dependence import measure
from symscore.recipes import Auto


@pytest.mark.slow
def test_folds_by_chain_or_block_do_not_follow_the_path() -> None:
    found = measure(4000, 0, Auto(em=(1, 2, 4, 24), kmeans=()))
    assert 0.97 < found["lag one"] < 0.99
    assert found["by chain"] <= 0.07
    assert found["by block"] <= 0.07
    assert found["random"] >= 0.15
