"""The whole of a SQLite database into PostgreSQL, or nothing: read in one snapshot, written in one transaction, proven.

``preflight`` finds every value that the target cannot hold as it is meant, ``copying`` sends the rows, ``proof``
compares both sides. Connections come from the caller, and stay the caller's.
"""
