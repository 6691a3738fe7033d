"""Roles: which layers a person may read, and whether as they are or de-identified.

A role is a setting (`OUTREACH_ROLE`), which keeps honest people from seeing what they need not; whoever can read the
state folder's files can read everything, so who may log in there is decided by the operating system.
"""

from __future__ import annotations

from enum import StrEnum

PUBLISHED_LAYERS = ("outreach", "causal", "features", "ops")
ALL_LAYERS = (*PUBLISHED_LAYERS, "core")


class Role(StrEnum):
    """`analyst` sees published layers de-identified; `care_manager` also `outreach` as it is, because they must know
    whom to call; `steward` every layer from `core` on as it is. Nobody reads `truth` through a door."""

    ANALYST = "analyst"
    CARE_MANAGER = "care_manager"
    STEWARD = "steward"

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers that the role may read at all."""
        return ALL_LAYERS if self is Role.STEWARD else PUBLISHED_LAYERS

    @property
    def identified_layers(self) -> tuple[str, ...]:
        """Layers that the role reads as they are; each such reading is audited."""
        if self is Role.STEWARD:
            return ALL_LAYERS
        return ("outreach",) if self is Role.CARE_MANAGER else ()
