"""A learned flow as a file: numbers and a readable header, no code."""

from os import PathLike
from typing import Any

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadModelFile, SymscoreError
from symscore.flow.charts import Block, Chart
from symscore.flow.flow import ScoreFlow, require_flow
from symscore.io.container import read_container, write_container
from symscore.learn.blend import blended
from symscore.learn.field import PiecewiseScore
from symscore.learn.frame import Whitening
from symscore.learn.ladder import ScoreLadder
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel, Schedule, StepRule


def save(flow: ScoreFlow, path: str | PathLike[str]) -> None:
    """Write a flow to a file, atomically: a crash leaves the old file or none.

    Parameters
    ----------
    flow : ScoreFlow
    path : path
        The file is a standard ``.npz`` with a JSON header, whatever its name.

    Raises
    ------
    FileProblem
        Where the file cannot be written.
    NoDensity
        For a ladder with hard cells.
    BadOption
        Where `flow` is nothing of the kind.
    """
    require_flow(flow)
    ladder = flow.ladder
    members = [member for field in ladder.fields for member in field.members]
    header = {
        "names": list(flow.names),
        "dim": ladder.dim,
        "n_levels": len(ladder.fields),
        "chart": [_block_header(block) for block in flow.chart.blocks],
    }
    arrays = {
        "kappas": ladder.schedule.kappas,
        "rule": np.array([ladder.schedule.rule.a, ladder.schedule.rule.w]),
        "loc": ladder.frame.loc,
        "scale_tril": ladder.frame.scale_tril,
        "n_members": np.array([len(field.members) for field in ladder.fields], dtype=np.int64),
        "shares": np.concatenate([field.shares for field in ladder.fields]),
        "n_cells": np.array([member.crude.n_components for member in members], dtype=np.int64),
        "size": np.array([member.size for member in members], dtype=np.int64),
        "rho": np.array([member.rho for member in members]),
        "weights": np.concatenate([member.crude.weights for member in members]),
        "means": np.concatenate([member.crude.means for member in members]),
        "covariances": np.concatenate([member.crude.covariances for member in members]),
        "coef": np.concatenate([member.coef.reshape(-1, ladder.dim) for member in members]),
    }
    write_container(path, header, arrays)


def load(path: str | PathLike[str]) -> ScoreFlow:
    """Read a flow written by :func:`save`; it gives the same bits.

    Raises
    ------
    BadModelFile
        Where the file is not a model, is damaged, or holds impossible numbers.
    FileProblem
        Where it cannot be read.
    """
    header, arrays = read_container(path)
    try:
        chart = _chart(header)
        return ScoreFlow(_ladder(header, arrays, chart.free_names), chart)
    except BadModelFile:
        raise
    except (SymscoreError, KeyError, IndexError, TypeError, ValueError) as error:
        raise BadModelFile(f"{path}: expected a symscore model; {error}") from error


def _block_header(block: Block) -> dict[str, Any]:
    """Return a block as JSON, which knows no infinite numbers."""
    figures = {"lower": block.lower, "upper": block.upper, "cut": block.cut}
    finite = {k: value for k, value in figures.items() if value is not None and np.isfinite(value)}
    return {"kind": block.kind, "columns": len(block.names), **finite}


def _chart(header: dict[str, Any]) -> Chart:
    """Return the chart of a header; without one, all columns are free."""
    names = list(header["names"])
    free = [{"kind": "free", "columns": 1} for _ in names]
    blocks = []
    for entry in header.get("chart", free):
        figures = {name: entry[name] for name in ("lower", "upper", "cut") if name in entry}
        width = entry["columns"]
        if type(width) is not int or width < 1:
            raise BadModelFile(f"a block of the chart has {width!r} columns.")
        columns, names = names[:width], names[width:]
        blocks.append(Block(entry["kind"], tuple(columns), **figures))
    if names:
        raise BadModelFile(f"the chart leaves out the columns {', '.join(names)}.")
    return Chart(tuple(blocks))


def _ladder(
    header: dict[str, Any], arrays: dict[str, FloatArray], names: tuple[str, ...]
) -> ScoreLadder:
    for name, array in arrays.items():
        if not np.all(np.isfinite(array)):
            raise BadModelFile(f"the array {name!r} is not finite.")
    schedule = Schedule(arrays["kappas"], StepRule(*arrays["rule"].tolist()))
    kappas, per_level = schedule.field_kappas, arrays["n_members"].astype(np.int64)
    if per_level.shape != kappas.shape or np.any(per_level < 1):
        raise BadModelFile("the numbers of members are impossible.")
    members = _members(arrays, np.repeat(kappas, per_level), int(header["dim"]))
    fields, first = [], 0
    for end in np.cumsum(per_level).tolist():
        fields.append(blended(members[first:end], arrays["shares"][first:end].tolist()))
        first = end
    if len(members) != first or arrays["shares"].shape != (first,):
        raise BadModelFile("the numbers of members and shares differ.")
    frame = Whitening(arrays["loc"], arrays["scale_tril"])
    return ScoreLadder(frame, schedule, tuple(fields), names)


def _members(arrays: dict[str, FloatArray], kappas: FloatArray, dim: int) -> list[PiecewiseScore]:
    """Read one field for every kappa, cut from the flat arrays."""
    counts, sizes = arrays["n_cells"], arrays["size"]
    if np.any(counts < 1) or np.any(sizes < 0) or not len(counts) == len(sizes):
        raise BadModelFile("the numbers of cells or features are impossible.")
    cuts = np.cumsum(counts)[:-1]
    parts = [np.split(arrays[name], cuts) for name in ("weights", "means", "covariances")]
    coefs = np.split(arrays["coef"], np.cumsum(counts * sizes)[:-1])
    return [
        PiecewiseScore(
            GaussianMixture(*crude),
            NoiseLevel.from_kappa(float(kappa)),
            coef.reshape(count, size, dim),
            float(rho),
        )
        for *crude, kappa, coef, count, size, rho in zip(
            *parts, kappas, coefs, counts, sizes, arrays["rho"], strict=True
        )
    ]
