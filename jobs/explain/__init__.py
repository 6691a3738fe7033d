"""`outreach explain`: what stands behind one row of a list, from the Delta files and the model that scored it."""
