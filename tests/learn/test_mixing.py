"""What is warned of, and what is not."""

import warnings

import numpy as np
import pytest

from symscore.errors import BadData, ChainsDisagree, FewEffectiveDraws
from symscore.learn.mixing import Mixing

NAMES = ("mu", "theta[0]")


def test_sound_chains_are_passed_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Mixing(NAMES, 4000, [200, 3000], [1.03, 1.0]).warn()
        Mixing(NAMES, 4000, [200, 3000], [np.nan, np.nan]).warn()


@pytest.mark.parametrize(("effective", "worth"), [(199.4, "199"), (np.nan, "an unknown number")])
def test_few_effective_draws_name_the_worst_column(effective: float, worth: str) -> None:
    message = (
        r"at least 200 independent ones, 100 a column; those of 'theta\[0\]' are worth "
        rf"{worth} \(bulk ESS of 4000 draws\).*longer chains"
    )
    with pytest.warns(FewEffectiveDraws, match=message) as caught:
        Mixing(NAMES, 4000, [900, effective], [1.0, 1.0]).warn()
    assert [warning.filename for warning in caught] == [__file__]


def test_chains_that_disagree_name_the_worst_column() -> None:
    with pytest.warns(ChainsDisagree, match=r"R-hat up to 1.03; got 1.31 for 'mu'.*longer chains"):
        Mixing(NAMES, 4000, [900, 900], [1.31, np.nan]).warn()


def test_a_figure_for_every_column() -> None:
    with pytest.raises(BadData, match=r"Expected rhat of shape \(2\); got \(1,\)"):
        Mixing(NAMES, 4000, [900, 900], [1.0])


@pytest.mark.parametrize(
    ("n_draws", "effective", "step"),
    [
        (40_000, [1000, 9000], 10),
        (40_000, [1001, 9000], 9),
        (40_000, [500, 9000], 10),
        (40_000, [30_000, 30_000], 1),
        (4000, [50, 50], 1),
        (100, [200, 200], 1),
        (40_000, [1000, np.nan], 1),
    ],
)
def test_thinning_leaves_four_for_each_independent_draw_and_4000(n_draws, effective, step) -> None:
    assert Mixing(NAMES, n_draws, effective, [1.0, 1.0]).thinning == step
