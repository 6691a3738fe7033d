"""`outreach sql`: one read-only statement over what the role may see, answered from Delta files or by Spark.

Belongs here: telling what a statement is, what it may name, running it, and printing the rows. Nothing here is imported
by a night; imports stay light, so that a first answer takes less than two seconds.
"""
