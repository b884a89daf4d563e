"""Names the fixture modules; each has one kind of fixture."""

pytest_plugins = [
    "tests.fixtures_browser",
    "tests.fixtures_databases",
    "tests.fixtures_library",
    "tests.fixtures_shell",
    "pytester",
]
