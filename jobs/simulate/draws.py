"""Random draws as Spark SQL: each is a pure function of (seed, stream, keys), so neither partitioning nor cores matter.

A draw is a 64-bit hash of its keys, scaled to (0, 1). Two potential outcomes use the same uniform with two rates:
they are coupled, and differ only where the effect makes them differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b

_UNIT = "1.1102230246251565E-16D"  # 2 ** -53


def num(value: float) -> str:
    """A double literal: a bare `0.35` would be a DECIMAL in Spark SQL and make exact, slow arithmetic."""
    return f"{float(value)!r}D"


def logistic(score: str) -> str:
    """Inverse logit."""
    return f"(1D / (1D + exp(-({score}))))"


@dataclass(frozen=True)
class Draws:
    """Named streams of independent draws under one seed; `keys` are integer SQL expressions."""

    seed: int

    def bits(self, stream: str, *keys: str) -> str:
        """64 random bits as BIGINT."""
        digest = blake2b(f"{self.seed}:{stream}".encode(), digest_size=8).digest()
        root = int.from_bytes(digest, "big", signed=True) >> 1
        return f"xxhash64({', '.join((f'{root}L', *keys))})"

    def uniform(self, stream: str, *keys: str) -> str:
        """Uniform on (0, 1), 53 bits."""
        return f"((shiftrightunsigned({self.bits(stream, *keys)}, 11) + 0.5D) * {_UNIT})"

    def normal(self, stream: str, *keys: str) -> str:
        """Standard normal by Box and Muller (1958)."""
        first, second = self.uniform(f"{stream}/r", *keys), self.uniform(f"{stream}/a", *keys)
        return f"(sqrt(-2D * ln({first})) * cos({num(2 * math.pi)} * {second}))"

    def exponential(self, stream: str, *keys: str) -> str:
        """Exponential with mean 1."""
        return f"(-ln({self.uniform(stream, *keys)}))"

    def integer(self, count: int, stream: str, *keys: str) -> str:
        """Uniform on 0 .. count - 1, INT."""
        return f"cast(pmod({self.bits(stream, *keys)}, {count}L) as int)"


def poisson(uniform: str, rate: str, top: int = 5) -> str:
    """Poisson count by inversion, cut at `top`; not decreasing in `rate` for one uniform, hence couplable.

    `rate` is written out many times: pass a column's name, not an expression.
    """
    tails, term = ["1D"], "1D"
    for k in range(1, top):
        term = f"{term} * {rate} / {k}D"
        tails.append(f"{tails[-1]} + {term}")
    count = str(top)
    for k in reversed(range(top)):  # asked for 0 first: most months have no event
        count = f"if({uniform} <= exp(-({rate})) * ({tails[k]}), {k}, {count})"
    return count


def choose(index: str, values: tuple[str, ...]) -> str:
    """The string at a 0-based INT index."""
    options = ", ".join(f"'{value}'" for value in values)
    return f"element_at(array({options}), ({index}) + 1)"


def case(subject: str, options: dict[object, str], otherwise: str = "null") -> str:
    """`CASE subject WHEN … THEN …`; keys are Python ints or strings, values SQL."""
    whens = " ".join(f"when {key!r} then {value}" for key, value in options.items())
    return f"(case {subject} {whens} else {otherwise} end)"


def npi(digits: str) -> str:
    """A National Provider Identifier: 1, eight digits and Luhn's check digit over 80840 and these (45 CFR 162.406).

    Args:
        digits: INT expression from 0 to 99,999,999.
    """
    number = f"(100000000L + {digits})"
    places = [f"({number} div {10**place}L % 10)" for place in range(9)]
    doubled = [f"2 * {digit} - 9 * ({digit} div 5)" for digit in places[::2]]
    total = " + ".join(["24", *doubled, *places[1::2]])
    return f"concat(cast({number} as string), cast(pmod(-({total}), 10) as string))"
