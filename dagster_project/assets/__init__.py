"""Assets by layer: each declares key, deps and policy, then calls functions of `jobs`.

No module here postpones annotations: Dagster reads the context and configuration classes from the signatures.
"""
