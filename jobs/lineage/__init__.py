"""Where every number comes from and who uses it: OpenLineage events from each step, and the graph read back from them."""
