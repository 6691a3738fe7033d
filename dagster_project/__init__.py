"""Registration only: assets, checks, partitions, schedules, sensors, resources, the command line."""
