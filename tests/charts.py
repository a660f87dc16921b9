"""Charts of every kind, alone and together."""

import numpy as np

from symscore.flow.charts import Block, Chart

PI = float(np.pi)
ONE = {
    "free": Block("free", ("a",)),
    "lower": Block("lower", ("a",), lower=2.5),
    "positive": Block("lower", ("a",), lower=0.0),
    "upper": Block("upper", ("a",), upper=-1.5),
    "interval": Block("interval", ("a",), -1.0, 3.0),
    "circle": Block("circle", ("a",), -PI, PI, 1.0),
    "degrees": Block("circle", ("a",), 0.0, 360.0, 0.0),
}
SEVERAL = {
    "ordered": Block("ordered", ("a", "b", "c")),
    "simplex of two": Block("simplex", ("a", "b")),
    "simplex": Block("simplex", ("a", "b", "c", "d")),
}
CHARTS = {name: Chart((block,)) for name, block in {**ONE, **SEVERAL}.items()}
CHARTS["all of them"] = Chart(
    Block(block.kind, [f"{kind}.{name}" for name in block.names], *figures)
    for kind, block in {**ONE, **SEVERAL}.items()
    for figures in [(block.lower, block.upper, block.cut)]
)
