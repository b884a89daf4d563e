"""The migration runner of maxwell-db and its command line."""

__version__ = "0.1.0"
