"""What a contract compiles to: enforcement rules for Spark (`rules`) and dbt's `schema.yml` (`dbt_yml`).

Everything here is a pure function of a `TableContract`. Nothing is typed twice: a target that cannot say
what the contract says is an error, never a silent gap.
"""
