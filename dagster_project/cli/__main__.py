"""`python -m dagster_project.cli`, the same as `outreach`."""

from dagster_project.cli import main

main()
