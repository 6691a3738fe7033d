"""Numbers in the sentences of gates and reports."""

from __future__ import annotations

_LEAST_P = 1e-4


def figure(value: float, digits: int = 3) -> str:
    """So many significant digits: `0.0123`, `15,500`; powers of ten only beyond what a reader counts in zeros."""
    if not 10 ** min(digits, 3) <= abs(value) < 1e12:
        return f"{value:.{digits}g}".replace("e+", "e")
    return f"{float(f'{value:.{digits}g}'):,.0f}"


def share(value: float) -> str:
    """A share in per cent: `20%`, `0.3%`."""
    return f"{value:.0%}" if value >= 0.095 or value == 0 else f"{100 * value:.2g}%"


def p_value(value: float) -> str:
    """`p = 0.03`, `p < 0.0001`."""
    return f"p < {_LEAST_P:.4f}" if value < _LEAST_P else f"p = {value:.2g}"
