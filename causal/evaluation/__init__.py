"""Metrics of a ranking by effect, and of the effects themselves, on held-out AIPW scores."""
