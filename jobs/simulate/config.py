"""What can be set about a simulated health plan."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lag(_Frozen):
    """Days from the end of a service to the delivery of its claim, log-normal: median and log standard deviation."""

    professional_median_days: float = 14.0
    institutional_median_days: float = 28.0
    log_sd: float = 0.6
    longest_days: int = 240
    pharmacy_longest_days: int = 4
    adjustment_share: float = Field(default=0.04, description="Claims delivered again with other amounts.")
    void_share: float = Field(default=0.015, description="Claims cancelled later.")
    duplicate_share: float = Field(default=0.008, description="Claims delivered twice, word for word.")


class Effects(_Frozen):
    """How strongly each program's outreach works; 0 switches a program's effect off, 1 is the documented size."""

    ed_diversion: float = Field(default=1.0, ge=0.0, le=1.3)
    transitions_of_care: float = Field(
        default=0.0, ge=0.0, le=1.3, description="Zero by default, as in the Camden trial."
    )
    medication_adherence: float = Field(default=1.0, ge=0.0, le=2.0)


class Shifts(_Frozen):
    """Optional changes of the world in mid-history, by month number from 0; None: never."""

    drift_month: int | None = Field(default=None, description="Emergency use rises by 30 % from here on.")
    new_coding_month: int | None = Field(
        default=None, description="Other diagnosis codes for diabetes and CKD from here on."
    )
    missing_feed_month: int | None = Field(
        default=None, description="Pharmacy claims of this one month are never delivered."
    )


class SimulationConfig(_Frozen):
    """A health plan, its history and its outreach; equal configurations give equal rows.

    Attributes:
        members: people ever enrolled.
        months: calendar months of history; the last one contains `end_date`.
        end_date: last delivery date; nothing that became known later is in the files.
        confounding: 0: care managers see only what the data show; 1: their hunches move selection and outcomes strongly.
        pilot_share: share of eligible members randomised in each pilot month.
        offered_share: share of the care managers' intended volume (about 1.5 % of members per program-month at 1).
        dirty_share: rows planted that break a contract.
    """

    members: int = Field(default=20_000, ge=3)
    months: int = Field(default=30, ge=6, le=120)
    end_date: date
    seed: int = 20260101
    confounding: float = Field(default=0.5, ge=0.0, le=2.0)
    pilot_share: float = Field(default=0.13, ge=0.0, le=1.0)
    offered_share: float = Field(default=1.0, ge=0.0, le=5.0)
    dirty_share: float = Field(default=0.001, ge=0.0, le=0.2)
    effects: Effects = Effects()
    lag: Lag = Lag()
    shifts: Shifts = Shifts()

    @property
    def first_month(self) -> date:
        """First day of month 0."""
        index = self.end_date.year * 12 + self.end_date.month - 1 - (self.months - 1)
        return date(index // 12, index % 12 + 1, 1)

    @property
    def pilot_months(self) -> tuple[int, ...]:
        """Every second month, once half a year of history stands, until a 90-day outcome can still run out."""
        return tuple(range(min(7, self.months // 3), self.months - 4, 2))
