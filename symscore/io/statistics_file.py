"""The sums of a ladder as a file, so that a stream can go on elsewhere: numbers, no code."""

from itertools import accumulate
from os import PathLike
from typing import Any

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadModelFile, SymscoreError
from symscore.io.container import read_container, write_container
from symscore.learn.frame import Whitening
from symscore.learn.hermite import n_features
from symscore.learn.ladder_design import LadderDesign, LevelDesign, MemberDesign
from symscore.learn.score_statistics import ScoreStatistics
from symscore.learn.statistics import LevelStatistics
from symscore.learn.stream import Stream, Tail
from symscore.mixture import GaussianMixture
from symscore.schedule import Schedule, StepRule

_KIND = "statistics"


def save_statistics(statistics: ScoreStatistics, path: str | PathLike[str]) -> None:
    """Write sums to a file, atomically: a crash leaves the old file or none.

    The rows of an unfinished block, fewer than 8192, are in the file as they are; those of
    ``statistics.closed()`` are not, but to these no rows can be added.

    Parameters
    ----------
    statistics : ScoreStatistics
    path : path
        The file is a standard ``.npz`` with a JSON header, whatever its name.

    Raises
    ------
    FileProblem
        Where the file cannot be written.
    ResourceLimit
        Where the sums take 2 GiB or more.
    """
    streams, tail = statistics.streams, statistics.tail
    header = {
        "kind": _KIND,
        "names": list(statistics.design.names),
        "pairs": statistics.design.pairs,
        "seed": int(statistics.seed),
        "open": tail is not None,
        "digests": [stream.digest for stream in streams],
        "fingerprint": statistics.fingerprint,
    }
    arrays = {
        **_design_arrays(statistics.design),
        **_sum_arrays(statistics.sums),
        "stream_number": np.array([stream.number for stream in streams], dtype=np.int64),
        "stream_rows": np.array([stream.n_rows for stream in streams], dtype=np.int64),
        "stream_weight": np.array([stream.weight for stream in streams], dtype=np.float64),
        "tail_rows": np.empty((0, statistics.design.dim)) if tail is None else tail.rows,
        "tail_weights": np.empty(0) if tail is None else tail.weights,
    }
    write_container(path, header, arrays)


def load_statistics(path: str | PathLike[str]) -> ScoreStatistics:
    """Read sums written by :func:`save_statistics`; going on with them gives the same bits.

    Raises
    ------
    BadModelFile
        Where the file does not hold such sums, is damaged, or its design is not the one that its
        fingerprint names.
    FileProblem
        Where it cannot be read.
    """
    header, arrays = read_container(path)
    try:
        statistics = _statistics(header, arrays)
        if statistics.fingerprint != header["fingerprint"]:
            raise BadModelFile(
                f"{path}: expected sums of the design that the fingerprint names; got another."
            )
    except BadModelFile:
        raise
    except (SymscoreError, KeyError, IndexError, TypeError, ValueError) as error:
        raise BadModelFile(f"{path}: expected the sums of a ladder; {error}") from error
    return statistics


def _design_arrays(design: LadderDesign) -> dict[str, np.ndarray]:
    members = design.members
    ridges = np.array([member.ridge for member in members], dtype=np.float64)
    crude_only = np.isinf(ridges)
    return {
        "kappas": design.schedule.kappas,
        "rule": np.array([design.schedule.rule.a, design.schedule.rule.w]),
        "loc": design.frame.loc,
        "scale_tril": design.frame.scale_tril,
        "pilot_weight": np.array([design.pilot_weight], dtype=np.float64),
        "n_members": np.array([len(level.members) for level in design.levels], dtype=np.int64),
        "shares": np.concatenate([level.shares for level in design.levels]),
        "n_cells": np.array([member.crude.n_components for member in members], dtype=np.int64),
        "degree": np.array([member.degree for member in members], dtype=np.int64),
        "ridge": np.where(crude_only, 0.0, ridges),
        "crude_only": crude_only.astype(np.int64),
        "rho": np.array([member.rho for member in members], dtype=np.float64),
        "weights": np.concatenate([member.crude.weights for member in members]),
        "means": np.concatenate([member.crude.means for member in members]),
        "covariances": np.concatenate([member.crude.covariances for member in members]),
    }


def _sum_arrays(sums: tuple[LevelStatistics, ...]) -> dict[str, np.ndarray]:
    return {
        "gram": np.concatenate([member.gram.ravel() for member in sums]),
        "cross": np.concatenate([member.cross for member in sums]),
        "energy": np.array([member.energy for member in sums], dtype=np.float64),
        "weight": np.array([member.weight for member in sums], dtype=np.float64),
    }


def _statistics(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> ScoreStatistics:
    if header.get("kind") != _KIND:
        raise BadData("the file holds something else.")
    for name, array in arrays.items():
        if not np.all(np.isfinite(array)):
            raise BadData(f"the array {name!r} is not finite.")
    design = _design(header, arrays)
    columns = [arrays[f"stream_{name}"].tolist() for name in ("number", "rows", "weight")]
    streams = tuple(
        Stream(*fields) for fields in zip(*columns, map(str, header["digests"]), strict=True)
    )
    tail = Tail(arrays["tail_rows"], arrays["tail_weights"]) if header["open"] else None
    return ScoreStatistics(design, int(header["seed"]), _sums(design, arrays), streams, tail)


def _design(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> LadderDesign:
    if np.any(arrays["n_cells"] < 1) or np.any(arrays["n_members"] < 1):
        raise BadData("the numbers of cells or members are impossible.")
    schedule = Schedule(arrays["kappas"], StepRule(*arrays["rule"].tolist()))
    members, counts = _members(arrays), arrays["n_members"].tolist()
    shares = _pieces(arrays["shares"], counts)
    ends = list(accumulate(counts))
    if ends[-1] != len(members):
        raise BadData(f"the levels have {ends[-1]} members of {len(members)}.")
    levels = tuple(
        LevelDesign(tuple(members[end - count : end]), share)
        for end, count, share in zip(ends, counts, shares, strict=True)
    )
    frame, names = Whitening(arrays["loc"], arrays["scale_tril"]), tuple(header["names"])
    (pilot_weight,) = arrays["pilot_weight"].tolist()
    return LadderDesign(frame, schedule, levels, names, pilot_weight, int(header["pairs"]))


def _members(arrays: dict[str, np.ndarray]) -> list[MemberDesign]:
    counts = arrays["n_cells"].tolist()
    parts = [_pieces(arrays[name], counts) for name in ("weights", "means", "covariances")]
    ridges = np.where(arrays["crude_only"] != 0, np.inf, arrays["ridge"])
    columns = [array.tolist() for array in (arrays["degree"], ridges, arrays["rho"])]
    return [
        MemberDesign(GaussianMixture(*crude), degree, ridge, rho)
        for *crude, degree, ridge, rho in zip(*parts, *columns, strict=True)
    ]


def _sums(design: LadderDesign, arrays: dict[str, np.ndarray]) -> tuple[LevelStatistics, ...]:
    members, kappas = design.members, design.member_kappas.tolist()
    sizes = [
        member.crude.n_components * n_features(design.dim, member.degree) for member in members
    ]
    gram = _pieces(arrays["gram"], [size * size for size in sizes])
    cross = _pieces(arrays["cross"], sizes)
    scalars = arrays["energy"].tolist(), arrays["weight"].tolist()
    rows = zip(members, kappas, sizes, gram, cross, *scalars, strict=True)
    return tuple(
        LevelStatistics(
            crude=member.crude,
            kappa=kappa,
            degree=member.degree,
            rho=member.rho,
            gram=a.reshape(size, size),
            cross=b.reshape(size, design.dim),
            energy=energy,
            weight=weight,
        )
        for member, kappa, size, a, b, energy, weight in rows
    )


def _pieces(array: FloatArray, lengths: list[int]) -> list[FloatArray]:
    """Cut an array into pieces of these lengths, which must use it up."""
    if sum(lengths) != len(array):
        raise BadData(f"the pieces of an array take {sum(lengths)} of its {len(array)} rows.")
    return np.split(array, list(accumulate(lengths))[:-1])
