"""The program manager's report: one self-contained HTML page per night and source, aggregates only."""
