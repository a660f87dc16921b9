"""Draws as files and from ArviZ: tables written by suffix, posterior groups read by their shape."""

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscore.arrays import FloatArray, IntArray, as_points, check_shape, frozen
from symscore.atomic import atomic_path
from symscore.errors import BadData, FileProblem
from symscore.io.text import header_fault

_SAMPLE_DIMS = ("chain", "draw")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Draws of named scalars, chain after chain.

    Parameters
    ----------
    values : (n, d) array_like
    names : tuple of str
        One for each column: ``mu``, ``theta[0]``, ``cov[0, 1]``.
    chains : (n,) array_like of int
        The chain of each row, counted from 0; draws of one chain are dependent.
    shares : (chains,) array_like, optional
        Weight of each chain as a whole, in the order of their labels; they sum to 1.
    """

    values: FloatArray
    names: tuple[str, ...]
    chains: IntArray
    shares: FloatArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen(self.values))
        object.__setattr__(self, "names", tuple(self.names))
        check_shape("values", self.values, None, len(self.names))
        chains = np.array(self.chains, dtype=np.int64)
        chains.setflags(write=False)
        object.__setattr__(self, "chains", chains)
        check_shape("chains", self.chains, len(self.values))
        if self.shares is not None:
            object.__setattr__(self, "shares", frozen(self.shares))
            check_shape("shares", self.shares, len(np.unique(chains)))

    def weighted(self, chain_weights: Sequence[float]) -> "Draws":
        """Return the draws of the chains that have a weight, one for each chain in label order.

        Raises
        ------
        BadData
            On another number of weights, or weights that are not a share of anything.
        """
        present, chain = np.unique(self.chains, return_inverse=True)
        shares = np.asarray(chain_weights, dtype=np.float64)
        check_shape("chain_weights", shares, len(present))
        if not (np.all(shares >= 0) and np.isfinite(shares).all() and shares.sum() > 0):
            raise BadData(f"Expected chain weights from 0 on, some positive; got {chain_weights}.")
        kept = (shares > 0)[chain]
        shares = shares[shares > 0] / shares.sum()
        return Draws(self.values[kept], self.names, self.chains[kept], shares)

    def thinned(self, step: int) -> "Draws":
        """Return every `step`-th draw of each chain, from its first on."""
        _, first, chain = np.unique(self.chains, return_index=True, return_inverse=True)
        kept = (np.arange(len(chain)) - first[chain]) % step == 0
        return Draws(self.values[kept], self.names, self.chains[kept], self.shares)

    @property
    def weights(self) -> FloatArray | None:
        """Weight of each draw, (n,), with mean 1; None where all chains count by their length.

        The share of a chain is that of its draws together, whatever their number.
        """
        if self.shares is None:
            return None
        _, chain, sizes = np.unique(self.chains, return_inverse=True, return_counts=True)
        return (self.shares * len(chain) / sizes)[chain]


def write_table(path: str | os.PathLike[str], values: ArrayLike, names: Sequence[str]) -> None:
    """Write named columns; the suffix names the format, and no digit is lost in any of them.

    ``.csv`` and ``.tsv`` have a header and the shortest decimals that give the same float64;
    ``.parquet`` has float64 columns; ``.nc`` is NetCDF with a group ``posterior`` of one chain,
    which ``arviz.from_netcdf`` loads. The file is replaced as a whole or not at all.

    Parameters
    ----------
    path : path-like
    values : (n, d) array_like
        Finite numbers, at least one row.
    names : sequence of str
        One for each column, all different.

    Raises
    ------
    BadData
        The values are not finite numbers, or a name would be misread from the file.
    FileProblem
        The file cannot be written, or its suffix is unknown.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "draws.csv"
    ...     write_table(path, [[0.1, 2.0]], ["mu", "theta[0]"])
    ...     print(path.read_text(), end="")
    mu,theta[0]
    0.1,2.0
    """
    path, names = Path(path), list(names)
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise FileProblem(
            f"{path}: Expected an output file that ends in {', '.join(_WRITERS)}; "
            f"got {suffix or 'no suffix'}."
        )
    points = as_points("values", values, len(names))
    if points.size == 0:
        raise BadData(f"Expected values with rows and columns; got shape {points.shape}.")
    _check_names(names)
    fault_of, write = _WRITERS[suffix]
    for name in names:
        fault = fault_of(name)
        if fault:
            raise BadData(f"Expected column names fit for {suffix}; {name!r} {fault}. Rename it.")
    with atomic_path(path) as temporary:
        write(temporary, points, names)


def from_arviz(idata: Any, var_names: str | Sequence[str] | None = None) -> Draws:
    """Take the posterior draws out of an ArviZ or xarray object.

    Parameters
    ----------
    idata : InferenceData, DataTree, Dataset, or mapping with ``posterior``
        With dimensions ``chain`` and ``draw``.
    var_names : str or sequence of str, optional
        The variables to take, in this order; all by default.

    Returns
    -------
    Draws
        With values of shape (chains * draws, d): one column for each scalar, those of an array in
        C order, named by position.

    Raises
    ------
    BadData
        No such posterior or variable, or a draw that is not a finite number.

    Examples
    --------
    >>> import xarray
    >>> theta = xarray.DataArray([[[1.0, 2.0]], [[3.0, 4.0]]], dims=("chain", "draw", "school"))
    >>> draws = from_arviz({"posterior": xarray.Dataset({"theta": theta})})
    >>> draws.names, draws.values.tolist(), draws.chains.tolist()
    (('theta[0]', 'theta[1]'), [[1.0, 2.0], [3.0, 4.0]], [0, 1])
    """
    posterior = posterior_group(idata)
    available = list(posterior.data_vars)
    wanted = _wanted(var_names, available)
    columns, names = [], []
    for name in wanted:
        block = _variable(posterior[name], name)
        names += _scalar_names(name, block.shape[2:])
        columns.append(block.reshape(block.shape[0] * block.shape[1], -1))
    _check_names(names)
    n_chains, n_draws = block.shape[:2]
    return Draws(np.hstack(columns), tuple(names), np.repeat(np.arange(n_chains), n_draws))


def _wanted(var_names: str | Sequence[str] | None, available: list[str]) -> list[str]:
    if var_names is None:
        wanted = available
    else:
        wanted = [var_names] if isinstance(var_names, str) else list(var_names)
    unknown = [name for name in wanted if name not in available]
    if unknown or not wanted:
        raise BadData(
            f"Expected variables among {', '.join(map(str, available)) or 'none'}; "
            f"got {', '.join(map(repr, unknown)) or 'none'}."
        )
    return wanted


def posterior_group(idata: Any) -> Any:
    """Return the group of posterior draws, a dataset, of an ArviZ or xarray object.

    Raises
    ------
    BadData
        If there is none over the dimensions chain and draw.
    """
    # Told by shape and not by class, so that neither ArviZ nor its two containers are imported.
    if set(_SAMPLE_DIMS) <= set(getattr(idata, "dims", ())):
        return idata
    try:
        group = idata["posterior"]
    except (KeyError, TypeError, IndexError, AttributeError):
        group = None
    if not set(_SAMPLE_DIMS) <= set(getattr(group, "dims", ())):
        raise BadData(
            "Expected an ArviZ or xarray object with a posterior group over the dimensions chain "
            f"and draw; got {type(idata).__name__} without one."
        )
    return group


def _variable(array: Any, name: str) -> NDArray[np.float64]:
    """Return the draws of one variable, of shape (chains, draws, ...)."""
    if not set(_SAMPLE_DIMS) <= set(array.dims):
        raise BadData(f"Expected variable {name!r} over chain and draw; got {array.dims}.")
    block = array.transpose(*_SAMPLE_DIMS, ...).to_numpy()
    if block.dtype.kind not in "fiu":
        raise BadData(f"Expected numbers for variable {name!r}; got {block.dtype}.")
    if block.size == 0:
        raise BadData(f"Expected draws of variable {name!r}; got none, shape {block.shape}.")
    bad = np.argwhere(~np.isfinite(block))
    if len(bad):
        chain, draw, *place = bad[0].tolist()
        raise BadData(
            f"Expected finite draws of {_element(name, place)}; got {block[tuple(bad[0])]} "
            f"at chain {chain}, draw {draw}."
        )
    return block.astype(np.float64)


def _scalar_names(name: str, shape: tuple[int, ...]) -> list[str]:
    return [_element(name, place) for place in np.ndindex(*shape)]


def _element(name: str, place: Sequence[int]) -> str:
    return f"{name}[{', '.join(map(str, place))}]" if len(place) else name


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not (isinstance(name, str) and name and name.isprintable()):
            raise BadData(f"Expected column names of printable characters; got {name!r}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadData(f"Expected distinct column names; repeated: {', '.join(twice)}.")


def _formula_fault(name: str) -> str | None:
    return "begins like a spreadsheet formula" if name.strip()[:1] in tuple("=+-@") else None


def _netcdf_fault(name: str) -> str | None:
    if name in _SAMPLE_DIMS:
        return "is the name of a dimension"
    reserved = name in (".", "..") or name.startswith("_nc4_")
    if reserved or "/" in name or name != name.strip():
        return "has a slash or blanks around it, or is reserved by NetCDF"
    return _formula_fault(name)


def _write_text(path: Path, values: FloatArray, names: list[str], *, delimiter: str) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(values.tolist())


def _write_parquet(path: Path, values: FloatArray, names: list[str]) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(list(values.T), names=names), path)


def _write_netcdf(path: Path, values: FloatArray, names: list[str]) -> None:
    import xarray

    columns = {name: (_SAMPLE_DIMS, values[None, :, j]) for j, name in enumerate(names)}
    coords = {"chain": [0], "draw": np.arange(len(values))}
    dataset = xarray.Dataset(columns, coords)
    dataset.to_netcdf(path, mode="w", group="posterior", engine="h5netcdf")


_WRITERS: dict[str, tuple[Callable[[str], str | None], Callable[..., None]]] = {
    ".csv": (header_fault, partial(_write_text, delimiter=",")),
    ".tsv": (header_fault, partial(_write_text, delimiter="\t")),
    ".parquet": (_formula_fault, _write_parquet),
    ".nc": (_netcdf_fault, _write_netcdf),
}
