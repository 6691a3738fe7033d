"""Simulated outreach laid over real members: the contacts, and the real claims that they would have prevented."""

from __future__ import annotations

from contracts.model import Phi, Rule, column, table
from contracts.tables.shapes import OutreachContactShape, Sourced
from contracts.types import Str


@table("staging.overlay__outreach_contact", key=("data_source", "contact_id"), partition_by=("data_source",), rules=(
    Rule("randomised_has_probability", "assigned_by <> 'pilot' or assignment_probability is not null", "A randomised assignment logs its probability."),
    Rule("offered_has_channel", "not is_offered or channel is not null", "An offer is made through a channel."),
))  # fmt: skip
class OverlayOutreachContact(OutreachContactShape):
    """Assignments to simulated outreach of members of a source that brings no outreach of its own."""


@table("staging.overlay__prevented_claim", key=("data_source", "claim_id"), partition_by=("data_source",))
class OverlayPreventedClaim(Sourced):
    """Real claims that did not happen in the overlaid world; core leaves them out as if they had never been made."""

    claim_id: Str = column("Claim identifier, all versions and lines of it.", phi=Phi.ACCOUNT)
