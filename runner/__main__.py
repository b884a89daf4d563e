"""``python -m runner`` is the ``maxwell-db`` command."""

from runner.cli import program

if __name__ == "__main__":
    program()
