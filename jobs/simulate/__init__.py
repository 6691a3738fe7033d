"""A health plan with known truth: members, claims as they are delivered, outreach, and what it really changed."""

from jobs.simulate.config import Effects, Lag, Shifts, SimulationConfig
from jobs.simulate.run import ENTITIES, Simulated, simulate

__all__ = ["ENTITIES", "Effects", "Lag", "Shifts", "Simulated", "SimulationConfig", "simulate"]
