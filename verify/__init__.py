"""Is the data still whole? Orphans, keys, integrity and plain SQL checks, on any SQLite or PostgreSQL schema.

A leaf: it imports nothing of ``runner``, takes an open connection, writes nothing and returns values.
``verify.run.verify`` is the door for programs, ``python -m verify`` the one for people.
"""
