"""Life cycle of the embedded Spark Connect engine: one JVM per state folder, shared by all local processes.

Belongs here: finding Java and the Delta jars, configuring, starting, probing and stopping the server.
Does not belong here: anything that runs a query; clients use `jobs.session.spark_session`.
"""
