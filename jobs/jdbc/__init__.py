"""The door for BI tools: HiveServer2's protocol, which every JDBC and ODBC driver for Spark speaks.

A connection asks what `outreach sql --engine spark` would ask, through the same parser, roles, de-identified views and
access record; Spark's own Thrift server has none of these (docs/adr/0011-doors.md).
"""
