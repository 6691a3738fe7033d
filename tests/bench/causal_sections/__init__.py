"""Sections of the causal evidence, each of them `TITLE` and `run(full) -> Markdown`."""
