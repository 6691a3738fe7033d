"""Colours of the report in light and dark, and which of them meet: the contrast test reads the same tables."""

from __future__ import annotations

LIGHT = {
    "page": "#f6f7f9", "card": "#ffffff", "ink": "#16202b", "soft": "#4a5866", "line": "#d5dbe1", "track": "#e6ebf0",
    "accent": "#0b5cad", "mark": "#1769bd", "other": "#66727e",
    "good": "#0f6b3c", "good_back": "#e3f4ea", "warn": "#7a4b00", "warn_back": "#fdf0d5",
    "bad": "#a3222b", "bad_back": "#fce8e9",
}  # fmt: skip
DARK = {
    "page": "#10161d", "card": "#18212b", "ink": "#e8edf2", "soft": "#aab6c2", "line": "#33404d", "track": "#26323e",
    "accent": "#7db8f5", "mark": "#6aaef2", "other": "#94a1ae",
    "good": "#7ddba4", "good_back": "#12301f", "warn": "#f0c168", "warn_back": "#3a2a08",
    "bad": "#ff9da3", "bad_back": "#3f171b",
}  # fmt: skip

# (foreground, background): text needs 4.5 : 1, graphics 3 : 1 (WCAG 2.2, 1.4.3 and 1.4.11).
TEXT_PAIRS = (
    ("ink", "page"), ("ink", "card"), ("soft", "page"), ("soft", "card"), ("accent", "card"), ("accent", "page"),
    ("good", "good_back"), ("warn", "warn_back"), ("bad", "bad_back"),
    ("good", "card"), ("warn", "card"), ("bad", "card"),
)  # fmt: skip
GRAPHIC_PAIRS = (("mark", "card"), ("mark", "track"), ("other", "card"))


def variables(colours: dict[str, str]) -> str:
    """CSS custom properties of one scheme."""
    return " ".join(f"--{name.replace('_', '-')}: {value};" for name, value in colours.items())
