"""When realised effects and drift call a person: how many windows must signal, and how large a shift matters."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Patience(BaseModel):
    """K of the last N windows must signal. One excluded prediction in twenty is chance; two of three are not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: int = Field(2, ge=1)
    n: int = Field(3, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> Patience:
        if self.k > self.n:
            raise ValueError(f"{self.k} of {self.n} windows cannot signal")
        return self


class Monitoring(BaseModel):
    """Limits of the checks that run after a list was published.

    A variable has moved when its mean has, by a share that matters (`mean_shift`) and by more standard errors than chance
    gives among some hundred variables (`mean_z`); or when its population stability index is high and there is a shift of
    place or of missing values behind it (`psi_displacement`). The index alone sees too little (emergency visits up by
    30 % move it by less than 0.01) and too much (which day of the month a refill falls on).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uplift: Patience = Patience()
    drift: Patience = Patience()
    psi_limit: float = Field(0.25, gt=0, description="Usual reading: from 0.25 on a distribution has moved.")
    psi_displacement: float = Field(
        0.1, ge=0, description="Least change of the mean in standard deviations, or of the share of missing values."
    )
    mean_shift: float = Field(0.20, gt=0, description="Relative change of a mean.")
    mean_z: float = Field(4.5, gt=0, description="Change of a mean in standard errors.")
