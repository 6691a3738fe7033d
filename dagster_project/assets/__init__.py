"""Assets by layer: each declares key, deps and policy, then calls functions of `jobs`."""
