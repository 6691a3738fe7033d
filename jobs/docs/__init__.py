"""The documentation that is built for reading in a browser: data dictionary, lineage, dbt's pages and a page that leads to them."""
