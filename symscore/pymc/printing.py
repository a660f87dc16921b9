"""How a learned density shows itself in a notebook."""

from collections.abc import Sequence
from functools import partial

from pytensor.tensor.variable import TensorVariable

from symscore.flow.flow import ScoreFlow


def described(
    variable: TensorVariable,
    print_name: tuple[str, str],
    flows: Sequence[ScoreFlow],
    *,
    batched: bool,
) -> TensorVariable:
    """Return the variable, which from now on shows its flow rather than the numbers of it."""
    what = f"{len(flows)} flows" if batched else "flow"
    content = f"{what} of {', '.join(flows[0].names)}"
    plain, latex = print_name
    variable.str_repr = partial(
        _text, f"{variable.name} ~ {plain}", f"{_text_mode(variable.name)} \\sim {latex}", content
    )
    variable._repr_latex_ = partial(variable.str_repr, formatting="latex")
    return variable


def _text(
    plain: str, latex: str, content: str, formatting: str = "plain", include_params: bool = True
) -> str:
    if "latex" in formatting:
        return f"${latex}({_text_mode(content)})$" if include_params else f"${latex}$"
    return f"{plain}({content})" if include_params else plain


def _text_mode(words: str) -> str:
    escaped = words.replace("$", r"\$").replace("_", r"\_")
    return rf"\text{{{escaped}}}"
