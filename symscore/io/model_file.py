"""A learned flow as a file: numbers and a readable header, no code."""

from os import PathLike
from typing import Any

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadModelFile, SymscoreError
from symscore.flow.flow import ScoreFlow, require_flow
from symscore.io.container import read_container, write_container
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
    fields = ladder.fields
    header = {"names": list(ladder.names), "dim": ladder.dim, "n_levels": len(fields)}
    arrays = {
        "kappas": ladder.schedule.kappas,
        "rule": np.array([ladder.schedule.rule.a, ladder.schedule.rule.w]),
        "loc": ladder.frame.loc,
        "scale_tril": ladder.frame.scale_tril,
        "n_cells": np.array([field.crude.n_components for field in fields], dtype=np.int64),
        "size": np.array([field.size for field in fields], dtype=np.int64),
        "rho": np.array([field.rho for field in fields]),
        "weights": np.concatenate([field.crude.weights for field in fields]),
        "means": np.concatenate([field.crude.means for field in fields]),
        "covariances": np.concatenate([field.crude.covariances for field in fields]),
        "coef": np.concatenate([field.coef.reshape(-1, ladder.dim) for field in fields]),
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
        return ScoreFlow(_ladder(header, arrays))
    except BadModelFile:
        raise
    except (SymscoreError, KeyError, IndexError, TypeError, ValueError) as error:
        raise BadModelFile(f"{path}: expected a symscore model; {error}") from error


def _ladder(header: dict[str, Any], arrays: dict[str, FloatArray]) -> ScoreLadder:
    for name, array in arrays.items():
        if not np.all(np.isfinite(array)):
            raise BadModelFile(f"the array {name!r} is not finite.")
    schedule = Schedule(arrays["kappas"], StepRule(*arrays["rule"].tolist()))
    counts, sizes = arrays["n_cells"], arrays["size"]
    if np.any(counts < 1) or np.any(sizes < 0) or not len(counts) == len(sizes):
        raise BadModelFile("the numbers of cells or features are impossible.")
    cuts = np.cumsum(counts)[:-1]
    parts = [np.split(arrays[name], cuts) for name in ("weights", "means", "covariances")]
    coefs = np.split(arrays["coef"], np.cumsum(counts * sizes)[:-1])
    dim = int(header["dim"])
    fields = [
        PiecewiseScore(
            GaussianMixture(*crude),
            NoiseLevel.from_kappa(float(kappa)),
            coef.reshape(count, size, dim),
            float(rho),
        )
        for *crude, kappa, coef, count, size, rho in zip(
            *parts, schedule.field_kappas, coefs, counts, sizes, arrays["rho"], strict=True
        )
    ]
    frame = Whitening(arrays["loc"], arrays["scale_tril"])
    return ScoreLadder(frame, schedule, tuple(fields), tuple(header["names"]))
