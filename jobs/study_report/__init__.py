"""A study's results as one page."""
