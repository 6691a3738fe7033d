"""One module per layer; each class is the contract of one table."""
