"""Short words for the rules below: most warn and belong to the logical tier."""

from __future__ import annotations

from contracts.model import Rule, Severity, Tier


def warn(name: str, sql: str, description: str) -> Rule:
    """Odd, but usable: counted and let through."""
    return Rule(name, sql, description, Severity.WARN)


def implausible(name: str, sql: str, description: str) -> Rule:
    """Possible, but hardly: a warning of the analytical tier."""
    return Rule(name, sql, description, Severity.WARN, Tier.ANALYTICAL)


def refuse(name: str, sql: str, description: str) -> Rule:
    """The row cannot be used."""
    return Rule(name, sql, description)
