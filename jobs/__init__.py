"""Everything that touches the lakehouse; each part runs alone as `python -m jobs.<name>`."""
