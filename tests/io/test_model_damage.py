"""A saved model survives its writer's death, and damage is refused or changes no bit of it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from symscore import load, save
from symscore.errors import BadModelFile
from symscore.flow.flow import ScoreFlow
from tests.flows import make_flow, random_frame, random_mixture

ROOT = Path(__file__).parents[2]
FLOW = make_flow(random_mixture(2, 3, 0), degree=1, frame=random_frame(2, 0), max_ratio=2.4)


def bits(flow: ScoreFlow) -> tuple[object, ...]:
    """Everything that a model holds."""
    return flow.names, *(part.tobytes() for part in flow.packed)


@pytest.fixture
def whole(tmp_path):
    save(FLOW, tmp_path / "whole.npz")
    return (tmp_path / "whole.npz").read_bytes()


def assert_refused_or_the_same(path: Path) -> bool:
    """Return whether the file was refused."""
    try:
        loaded = load(path)
    except BadModelFile:
        return True
    assert bits(loaded) == bits(FLOW)
    return False


def test_an_undamaged_model_has_the_same_bits(whole, tmp_path):
    assert not assert_refused_or_the_same(tmp_path / "whole.npz")


def test_no_flipped_bit_loads_another_model(whole, tmp_path):
    path, refused = tmp_path / "flipped.npz", 0
    flips = np.random.default_rng(0).choice(8 * len(whole), size=500, replace=False)
    for bit in flips.tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        refused += assert_refused_or_the_same(path)
    assert refused >= 450  # time stamps and the like, which nobody reads, are a few percent


def test_no_truncated_model_loads(whole, tmp_path):
    path = tmp_path / "cut.npz"
    cuts = np.random.default_rng(1).integers(len(whole), size=200).tolist()
    for length in [0, 1, *cuts, *range(len(whole) - 30, len(whole))]:
        path.write_bytes(whole[:length])
        with pytest.raises(BadModelFile):
            load(path)


@pytest.mark.parametrize("size", [64, 512, 4096])
def test_no_zeroed_block_loads_another_model(whole, tmp_path, size):
    # What a disk that loses a write leaves behind.
    path = tmp_path / "holed.npz"
    for start in range(0, len(whole), max(size, len(whole) // 60)):
        holed = bytearray(whole)
        holed[start : start + size] = bytes(len(holed[start : start + size]))
        path.write_bytes(holed)
        assert_refused_or_the_same(path)


def test_parts_of_two_models_do_not_make_a_third(whole, tmp_path):
    another = make_flow(random_mixture(2, 3, 1), degree=1, max_ratio=2.4)
    save(another, tmp_path / "other.npz")
    other = (tmp_path / "other.npz").read_bytes()
    path, refused = tmp_path / "spliced.npz", 0
    cuts = range(100, min(len(whole), len(other)), 401)
    for cut in cuts:
        path.write_bytes(whole[:cut] + other[cut:])
        try:
            loaded = load(path)
        except BadModelFile:
            refused += 1
        else:  # cut where the files still, or again, agree
            assert bits(loaded) in (bits(FLOW), bits(another))
    assert refused >= len(cuts) - 3


# A process that writes one file for ever, in children that it kills one after the other.
KILLER = """
import os, random, signal, sys, time
import numpy as np
from symscore import load, save
from symscore.errors import BadModelFile
from tests.flows import make_flow, random_mixture

def naive(flow, path):
    packed = flow.packed
    np.savez(path, numbers=packed.numbers, layout=packed.layout)

def readable(path):
    if sys.argv[2] == "naive":
        try:
            with np.load(path) as archive:
                return all(np.isfinite(archive[name]).all() for name in archive.files)
        except Exception:
            return False
    try:
        loaded = load(path)
    except BadModelFile:
        return False
    return any(
        all((one == other).all() for one, other in zip(loaded.packed, flow.packed))
        for flow in FLOWS
    )

FLOWS = [make_flow(random_mixture(10, 20, seed)) for seed in (0, 1)]
WRITE = {"naive": naive, "save": save}[sys.argv[2]]
path, kills = sys.argv[1], int(sys.argv[3])
random.seed(0)
WRITE(FLOWS[0], path)
corrupt = strays = 0
for _ in range(kills):
    child = os.fork()
    if child == 0:
        while True:
            for flow in FLOWS:
                WRITE(flow, path)
    time.sleep(random.uniform(0.01, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    corrupt += not readable(path)
    strays += len(os.listdir(os.path.dirname(path))) > 1
WRITE(FLOWS[0], path)
print(corrupt, strays, len(os.listdir(os.path.dirname(path))))
"""


def kill(path: Path, writer: str, kills: int) -> tuple[int, int, int]:
    """Return how often the file was corrupt, how often a stray lay beside it, files at the end."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(path), writer, str(kills)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    corrupt, strays, files = map(int, done.stdout.split())
    return corrupt, strays, files


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_no_kill_in_the_middle_of_saving_leaves_a_corrupt_model(tmp_path, kills):
    corrupt, strays, files = kill(tmp_path / "model.npz", "save", kills)
    assert corrupt == 0
    assert strays >= kills / 5  # so that the kills did come in the middle of a save
    assert files == 1  # the last save sweeps what the dead left


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_such_kills_do_corrupt_what_is_written_in_place(tmp_path):
    corrupt, _, _ = kill(tmp_path / "model.npz", "naive", 10)
    assert corrupt >= 1
