"""Models whose flows end in a chart, as files; and files without one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symscore import load, save
from symscore.errors import BadModelFile
from symscore.flow.charts import Block, Chart
from symscore.flow.flow import ScoreFlow
from symscore.io.container import read_container, write_container
from tests.flows import make_ladder, random_frame, random_mixture

CHART = Chart(
    [
        Block("lower", ("rate",), lower=0.1),
        Block("upper", ("debt",), upper=-1 / 3),
        Block("interval", ("share",), 0.0, 1.0),
        Block("circle", ("angle",), -np.pi, np.pi, 0.3),
        Block("simplex", ("p", "q", "r")),
        Block("ordered", ("first", "second")),
        Block("free", ("shift",)),
    ]
)
LADDER = make_ladder(random_mixture(9, 2, 0), degree=1, frame=random_frame(9, 0), max_ratio=2.4)
FLOW = ScoreFlow(replace(LADDER, names=CHART.free_names), CHART)
PLAIN = ScoreFlow(LADDER)


def bits(flow: ScoreFlow) -> tuple[object, ...]:
    return flow.names, *(part.tobytes() for part in flow.packed)


def changed(path: Path, **changes: Any) -> Path:
    """Write the model with another header, and sound checksums; None leaves an entry out."""
    save(FLOW, path)
    header, arrays = read_container(path)
    own = ("arrays", "format", "format_version", "sha256")
    header = {key: value for key, value in header.items() if key not in own} | changes
    write_container(path, {k: v for k, v in header.items() if v is not None}, arrays)
    return path


def test_a_chart_comes_back_bit_for_bit(tmp_path):
    save(FLOW, tmp_path / "model.npz")
    found = load(tmp_path / "model.npz")
    assert found.chart == CHART
    assert bits(found) == bits(FLOW)
    x = FLOW.draw(20, rng=np.random.default_rng(0))
    assert (found.draw(20, rng=np.random.default_rng(0)) == x).all()
    assert (found.log_density(x) == FLOW.log_density(x)).all()
    assert (found.score(x) == FLOW.score(x)).all()


def test_saving_what_was_loaded_writes_the_same_bytes(tmp_path):
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    save(FLOW, first)
    save(load(first), second)
    assert first.read_bytes() == second.read_bytes()


def test_a_model_without_a_chart_has_free_columns(tmp_path):
    path = tmp_path / "old.npz"
    save(PLAIN, path)
    header, arrays = read_container(path)
    old = {key: header[key] for key in ("names", "dim", "n_levels")}
    write_container(path, old, arrays)
    assert load(path).chart.is_free
    assert bits(load(path)) == bits(PLAIN)


def test_no_flipped_bit_loads_another_model(tmp_path):
    save(FLOW, tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    # The header, with the chart, comes first.
    places = np.random.default_rng(0).choice(8 * 3000, size=300, replace=False)
    path, refused = tmp_path / "flipped.npz", 0
    for bit in places.tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert bits(load(path)) == bits(FLOW)
        except BadModelFile:
            refused += 1
    assert refused >= 250


NAMES = list(CHART.names)
BLOCKS = [
    {"kind": "lower", "columns": 1, "lower": 0.1},
    {"kind": "upper", "columns": 1, "upper": -1 / 3},
    {"kind": "interval", "columns": 1, "lower": 0.0, "upper": 1.0},
    {"kind": "circle", "columns": 1, "lower": -np.pi, "upper": np.pi, "cut": 0.3},
    {"kind": "simplex", "columns": 3},
    {"kind": "ordered", "columns": 2},
    {"kind": "free", "columns": 1},
]


def other(position: int, **changes: Any) -> list[dict[str, Any]]:
    """The table with one entry changed; None leaves a figure out."""
    entry = {k: v for k, v in (BLOCKS[position] | changes).items() if v is not None}
    return [*BLOCKS[:position], entry, *BLOCKS[position + 1 :]]


def test_the_header_is_what_these_tests_say(tmp_path):
    header, _ = read_container(changed(tmp_path / "model.npz"))
    assert header["chart"] == BLOCKS
    assert header["names"] == NAMES
    assert bits(load(changed(tmp_path / "model.npz", chart=BLOCKS))) == bits(FLOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"chart": None},  # ten free columns of nine coordinates
        {"chart": []},
        {"chart": BLOCKS[:-1]},
        {"chart": [*BLOCKS, BLOCKS[-1]]},
        {"chart": {"kind": "free"}},
        {"chart": [1]},
        {"chart": other(0, kind="log")},
        {"chart": other(0, kind=None)},
        {"chart": other(0, kind=3)},
        {"chart": other(0, columns=None)},
        {"chart": other(0, columns=2)},
        {"chart": other(0, columns=0)},
        {"chart": other(0, columns=-9)},
        {"chart": other(0, columns=True)},
        {"chart": other(0, columns=1.0)},
        {"chart": other(0, lower=None)},
        {"chart": other(0, lower="low")},
        {"chart": other(0, upper=1.0)},
        {"chart": other(2, lower=1.0)},
        {"chart": other(3, cut=None)},
        {"chart": other(3, cut=np.pi)},
        {"chart": other(4, columns=2)},
        {"chart": other(4, kind="ordered")},
        {"names": NAMES[:-1]},
        {"names": [*NAMES, "more"]},
        {"names": None},
    ],
)
def test_charts_that_are_none_are_refused(tmp_path, changes):
    with pytest.raises(BadModelFile):
        load(changed(tmp_path / "model.npz", **changes))
