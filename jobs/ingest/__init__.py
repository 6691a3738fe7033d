"""Landing of delivered files into `raw`: `python -m jobs.ingest --source NAME PATH`.

Belongs here: finding files, telling what each is, refusing bad ones with a reason, appending good ones once.
Does not belong here: what a column means (`contracts.sources`) or how it is typed (dbt staging).
"""
