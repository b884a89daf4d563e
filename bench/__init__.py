"""Measurements beside peers. None of it is installed; `python -m bench.NAME --help` says what each takes."""
