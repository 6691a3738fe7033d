"""Effect learners behind one interface: see `registry.REGISTRY`."""
