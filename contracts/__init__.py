"""What tables, programs and settings are: the vocabulary that every other package imports."""
