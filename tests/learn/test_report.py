"""What a report says, as text and as plain numbers."""

import json
from typing import Any

import numpy as np
import pytest

from symscore.learn.partition import EMCells, KMeansCells
from symscore.learn.report import LadderReport, LevelChoice, MixtureGain, Spike
from symscore.learn.select import Candidate

EM, KMEANS = Candidate(EMCells(3), 1, 1e-2, 2.0), Candidate(KMeansCells(8), 0, np.inf)


def level(kappa: float, *candidates: Candidate, shares: tuple[float, ...] = (1.0,)) -> LevelChoice:
    return LevelChoice(kappa, candidates, shares, 3, 0.5, 0.01, 0.625)


def report(**changes: Any) -> LadderReport:
    levels = (
        level(0.1, EM),
        level(0.2, EM),
        level(0.4, EM, KMEANS, shares=(0.75, 0.25)),
        level(0.8, EM, KMEANS, shares=(0.5, 0.5)),
    )
    options = {
        "n_rows": 100,
        "n_distinct": 90,
        "n_effective": 81.5,
        "n_folds": 4,
        "smoothing": 0.0125,
        "rounding": 0.0,
        "levels": levels,
        "tried": (EM, KMEANS),
    }
    return LadderReport(**(options | changes))


def plain(value: object) -> bool:
    """Return whether JSON holds a value as it is."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and plain(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(plain(inner) for inner in value)
    return value is None or type(value) in (str, int, float, bool)


def test_a_dict_of_plain_values_survives_json():
    found = report(
        gain=MixtureGain(3, 0.25, 0.125), spikes=(Spike("a", 0.0, 0.5),), left_out=(3, 5)
    ).to_dict()
    assert plain(found)
    assert json.loads(json.dumps(found)) == found
    assert found["n_rows"] == 100
    assert found["tried"] == [str(EM), str(KMEANS)]
    assert found["levels"][2]["candidates"] == [str(EM), str(KMEANS)]
    assert found["levels"][2]["shares"] == [0.75, 0.25]
    assert found["levels"][2]["kappa"] == 0.4
    assert found["gain"] == {"components": 3, "nats": 0.25, "error": 0.125, "taken": False}
    assert found["spikes"] == [{"column": "a", "value": 0.0, "share": 0.5}]
    assert found["left_out"] == [3, 5]


def test_figures_of_what_was_not_held_out_are_none_in_json():
    bare = LevelChoice(0.1, (EM,), (1.0,), 1, np.nan, np.nan, np.nan)
    found = report(levels=(bare,)).to_dict()
    json.dumps(found, allow_nan=False)
    assert plain(found)
    assert [found["levels"][0][name] for name in ("risk", "error", "mixture_risk")] == [None] * 3


def test_every_field_is_in_the_dict():
    found = report()
    assert set(found.to_dict()) == set(LadderReport.__dataclass_fields__)


def test_stretches_of_levels_that_share_a_choice_are_one_line():
    table = str(report()).split("\n\n")[1].splitlines()
    assert [float(line.split()[0]) for line in table[1:]] == [0.1, 0.4, 0.8]
    assert f"0.75 ({EM}) + 0.25 ({KMEANS})" in table[2]
    assert table[1].endswith(f"  {EM}")


def test_a_candidate_says_what_it_is():
    assert str(EM) == "3 EM components, degree 1, ridge 0.01, rho 2"
    assert str(KMEANS) == "8 k-means cells, no deviation"


def test_the_summary_says_what_is_so_and_nothing_else():
    quiet = str(report())
    assert "100, 90 distinct, 82 effective" in quiet
    assert "2 tried on 4 folds" in quiet
    for word in ("rounding", "gain", "spike", "left out"):
        assert word not in quiet
    loud = str(
        report(
            rounding=0.25,
            gain=MixtureGain(3, 0.25, 0.1),
            spikes=(Spike("rain", 0.0, 0.5),),
            left_out=(3, 5),
        )
    )
    assert "rounding step   0.25" in loud
    assert "gain            +0.2500 +- 0.1000 nats a row" in loud
    assert "50.0% of 'rain' is 0" in loud
    assert "2 isolated rows" in loud


@pytest.mark.parametrize(
    ("nats", "error", "enough"),
    [(0.3, 0.1, False), (0.1, 0.1, True), (-0.3, 0.1, True), (np.nan, 0.1, True), (0.1, 0, False)],
)
def test_a_mixture_is_enough_where_nothing_clear_is_gained(nats, error, enough):
    gain = MixtureGain(4, nats, error)
    assert gain.mixture_is_enough == enough
    assert ("fits as well: use that" in str(gain)) == enough
    assert "k = 4" in str(gain)


def test_a_mixture_that_was_taken_is_enough():
    gain = MixtureGain(3, 0.25, 0.1, taken=True)
    assert gain.mixture_is_enough
    assert "k = 3, which was taken" in str(gain)
