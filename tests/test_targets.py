"""How a point of the history is named, and what lies before it and after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.domain.migration import Migration, Script, version_key
from runner.domain.outcome import Direction
from runner.domain.state import Standing, stand
from runner.domain.target import after, resolve, up_to
from runner.errors import UsageError
from tests.support.databases import Database, sqlite_database
from tests.support.folders import Folder, applied, footprint, marks, own_tables
from tests.support.tool import Result, maxwell_db

NAMED = [
    ("20260101_1000_phase1_books_make", "1.0.0", "001_make_books"),
    ("20260102_1000_phase1_pages_make", "1.0.1", "002_make_pages"),
    ("20260103_1000_phase1_pages_number", None, None),
    ("20260201_1000_phase2_maps_make", "1.9", "003_make_maps"),
    ("20260202_1000_phase2_maps_scale", "1.10.0", "004_scale_maps"),
]
IDS = [id for id, _, _ in NAMED]


def migration(id: str, version: str | None = None, revision: str | None = None) -> Migration:
    script = Script(Path(f"{id}.sql"), "SELECT 1;")
    return Migration(id, "sqlite", script, script, version=version, revision=revision)


def standing(count: int, named: Sequence[tuple[str, str | None, str | None]] = NAMED) -> Standing:
    """The first ``count`` migrations are applied."""
    migrations = [migration(*each) for each in named]
    return stand(migrations, {each.id: "2026-01-01T00:00:00Z" for each in migrations[:count]}, {})


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("head", IDS[4]),
        ("base", None),
        *[(id, id) for id in IDS],
        ("20260101", IDS[0]),
        ("20260103_1000_phase1_pages_n", IDS[2]),
        ("20260202_1000_phase2_maps_scal", IDS[4]),
        ("001_make_books", IDS[0]),
        ("004_scale_maps", IDS[4]),
        ("1.0.0", IDS[0]),
        ("v1.0.0", IDS[0]),
        ("1.0", IDS[0]),
        ("v1", IDS[0]),
        ("1.0.1", IDS[1]),
        ("1.0.9", IDS[1]),
        ("1.8", IDS[1]),
        ("1.9.0", IDS[3]),
        ("v1.9", IDS[3]),
        ("1.9.99", IDS[3]),
        ("1.10", IDS[4]),
        ("2.0", IDS[4]),
        ("v99", IDS[4]),
    ],
)
@pytest.mark.parametrize("direction", [Direction.APPLY, Direction.ROLLBACK, None])
@pytest.mark.parametrize("count", [0, 2, 5])
def test_a_target_names_one_migration(
    target: str, expected: str | None, direction: Direction | None, count: int
) -> None:
    assert resolve(target, standing(count), direction) == expected


@pytest.mark.parametrize(
    ("target", "code", "candidates"),
    [
        ("2026", "AMBIGUOUS_TARGET", IDS),
        ("202602", "AMBIGUOUS_TARGET", IDS[3:]),
        ("20260103_1000_phase1_pages_nope", "UNKNOWN_TARGET", IDS),
        ("nope", "UNKNOWN_TARGET", IDS),
        ("", "UNKNOWN_TARGET", IDS),
        ("0.9", "UNKNOWN_TARGET", IDS),
        ("v0.0.1", "UNKNOWN_TARGET", IDS),
        ("make_books", "UNKNOWN_TARGET", IDS),
        ("001_make", "UNKNOWN_TARGET", IDS),
        ("HEAD", "UNKNOWN_TARGET", IDS),
        ("1.0.x", "UNKNOWN_TARGET", IDS),
        ("1.2.3.4.5", "UNKNOWN_TARGET", IDS),
        ("*", "UNKNOWN_TARGET", IDS),
        (".", "UNKNOWN_TARGET", IDS),
        ("+x", "UNKNOWN_TARGET", IDS),
        ("٣", "UNKNOWN_TARGET", IDS),
    ],
)
def test_what_names_none_or_several_is_refused_with_the_candidates(
    target: str, code: str, candidates: list[str]
) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(target, standing(2), None)
    assert (refused.value.exit_code, refused.value.code) == (2, code)
    hint = str(refused.value.hint)
    assert [id for id in IDS if id in hint] == candidates
    if IDS[0] in candidates:
        assert "1.0.0" in hint and "001_make_books" in hint


@pytest.mark.parametrize(
    ("target", "count", "expected"),
    [
        ("+1", 0, IDS[0]),
        ("+5", 0, IDS[4]),
        ("+1", 4, IDS[4]),
        ("+0", 3, IDS[2]),
        ("+0", 0, None),
        ("-0", 3, IDS[2]),
        ("-1", 5, IDS[3]),
        ("-1", 1, None),
        ("-5", 5, None),
        ("-2", 3, IDS[0]),
    ],
)
def test_steps_from_where_the_database_stands(target: str, count: int, expected: str | None) -> None:
    direction = Direction.APPLY if target.startswith("+") else Direction.ROLLBACK
    for way in (direction, None):
        assert resolve(target, standing(count), way) == expected


@pytest.mark.parametrize(
    ("target", "count", "direction", "code"),
    [
        ("+1", 5, Direction.APPLY, "UNKNOWN_TARGET"),
        ("+6", 0, Direction.APPLY, "UNKNOWN_TARGET"),
        ("-1", 0, Direction.ROLLBACK, "UNKNOWN_TARGET"),
        ("-4", 3, None, "UNKNOWN_TARGET"),
        ("-1", 3, Direction.APPLY, "WRONG_DIRECTION"),
        ("+1", 3, Direction.ROLLBACK, "WRONG_DIRECTION"),
    ],
)
def test_steps_that_cannot_be_taken(target: str, count: int, direction: Direction | None, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(target, standing(count), direction)
    assert refused.value.code == code


def test_a_whole_name_wins_over_a_prefix() -> None:
    named = [("001", None, None), ("001_a", None, "001_a_b"), ("001_a_b", None, None), ("1.0", None, None)]
    assert resolve("001", standing(0, named), None) == "001"
    assert resolve("001_a", standing(0, named), None) == "001_a"
    assert resolve("1.0", standing(0, named), None) == "1.0"


VERSIONS = st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 3))


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


@given(st.lists(st.one_of(st.none(), VERSIONS), min_size=1, max_size=8), VERSIONS, st.booleans())
def test_a_version_is_the_last_migration_not_above_it(
    versions: list[tuple[int, int, int] | None], asked: tuple[int, int, int], with_v: bool
) -> None:
    grown = iter(sorted({version for version in versions if version}))
    named = [
        (f"{n:03}_x", dotted(v) if each and (v := next(grown, None)) else None, None) for n, each in enumerate(versions)
    ]
    below = [id for id, version, _ in named if version and version_key(version) <= version_key(dotted(asked))]
    target = ("v" if with_v else "") + dotted(asked)
    if below:
        assert resolve(target, standing(0, named), None) == below[-1]
    else:
        with pytest.raises(UsageError):
            resolve(target, standing(0, named), None)


@given(st.sets(st.text("ab_1", min_size=1, max_size=6), min_size=1, max_size=8), st.data())
def test_a_prefix_is_a_name_while_it_is_the_only_one(ids: set[str], data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(sorted(ids)))
    prefix = one[: data.draw(st.integers(1, len(one)))]
    found = standing(0, [(id, None, None) for id in sorted(ids)])
    beginning = [id for id in ids if id.startswith(prefix)]
    if prefix in ids or len(beginning) == 1:
        assert resolve(prefix, found, None) == (prefix if prefix in ids else one)
    else:
        with pytest.raises(UsageError) as refused:
            resolve(prefix, found, None)
        assert refused.value.code == "AMBIGUOUS_TARGET"


@given(st.integers(0, 5), st.one_of(st.none(), st.sampled_from(IDS)))
def test_before_and_after_are_the_whole(count: int, last: str | None) -> None:
    items = standing(count).migrations
    low, high = up_to(items, last), after(items, last)
    assert [*low, *high] == list(items)
    assert (low[-1].id if low else None) == last


# On the command line.


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "migrations", "sqlite")
    for number, (id, version, revision) in enumerate(NAMED):
        lines = [f"-- {key}: {value}\n" for key, value in (("version", version), ("revision", revision)) if value]
        folder.pair(id, f"CREATE TABLE t{number} (id INTEGER);\n", f"DROP TABLE t{number};\n", header="".join(lines))
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return sqlite_database(tmp_path / "targets.db")


def run(folder: Folder, database: Database, *arguments: str) -> Result:
    yes = ["--yes"] if arguments[0] == "rollback" else []
    return maxwell_db("--json", *arguments, *yes, database=database, sql=folder.root)


@pytest.mark.parametrize(
    ("target", "count"),
    [("head", 5), ("+1", 1), ("+3", 3), ("1.0", 1), ("v1.0.1", 2), ("1.5", 2), ("003_make_maps", 4), (IDS[2], 3)],
)
def test_apply_brings_the_database_up_to_its_target(
    folder: Folder, database: Database, target: str, count: int
) -> None:
    assert applied(folder.root, database, target) == IDS[:count]
    assert marks(database) == IDS[:count]
    assert own_tables(database) == {f"t{number}" for number in range(count)}
    if not target.startswith("+"):
        assert applied(folder.root, database, target) == []  # it is there


def test_apply_to_what_is_applied_long_since_does_nothing(folder: Folder, database: Database) -> None:
    applied(folder.root, database)
    before = marks(database)
    assert applied(folder.root, database, IDS[0]) == []
    assert marks(database) == before


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ((), 4),
        (("-2",), 3),
        (("-5",), 0),
        (("-n", "2"), 3),
        (("--number", "3"), 2),
        (("base",), 0),
        (("head",), 5),
        (("1.0",), 1),
        (("v1.9",), 4),
        (("1.5",), 2),
        (("002_make_pages",), 2),
        (("20260201",), 4),
        ((IDS[2],), 3),
    ],
)
def test_rollback_takes_back_all_after_its_target(
    folder: Folder, database: Database, arguments: tuple[str, ...], count: int
) -> None:
    applied(folder.root, database)
    result = run(folder, database, "rollback", *arguments)
    assert result.exit_code == 0, result.stdout
    assert [each["id"] for each in result.json()["rolled_back"]] == IDS[: count - 1 : -1] if count else IDS[::-1]
    assert marks(database) == IDS[:count]
    assert own_tables(database) == {f"t{number}" for number in range(count)}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("apply", "-1"), "WRONG_DIRECTION"),
        (("rollback", "+1"), "WRONG_DIRECTION"),
        (("apply", "base"), "WRONG_DIRECTION"),
        (("apply", "+4"), "UNKNOWN_TARGET"),
        (("rollback", "-3"), "UNKNOWN_TARGET"),
        (("rollback", "-n", "3"), "UNKNOWN_TARGET"),
        (("rollback", IDS[2]), "TARGET_NOT_APPLIED"),
        (("rollback", "1.9"), "TARGET_NOT_APPLIED"),
        (("rollback", "2026"), "AMBIGUOUS_TARGET"),
        (("apply", "2026"), "AMBIGUOUS_TARGET"),
        (("stamp", "2026"), "AMBIGUOUS_TARGET"),
        (("apply", "nope"), "UNKNOWN_TARGET"),
        (("rollback", "nope"), "UNKNOWN_TARGET"),
        (("stamp", "nope"), "UNKNOWN_TARGET"),
        (("apply", ""), "UNKNOWN_TARGET"),
        (("plan", ""), "UNKNOWN_TARGET"),
        (("plan", "--rollback", ""), "UNKNOWN_TARGET"),
    ],
)
def test_a_target_that_cannot_be_changes_nothing(
    folder: Folder, database: Database, arguments: tuple[str, ...], code: str
) -> None:
    applied(folder.root, database, IDS[1])
    before = footprint(database)
    result = run(folder, database, *arguments)
    assert (result.exit_code, result.json()["error"]["code"]) == (2, code)
    if code in ("AMBIGUOUS_TARGET", "UNKNOWN_TARGET") and arguments[-1] in ("nope", "2026"):
        assert all(id in result.json()["error"]["hint"] for id in IDS)
    assert footprint(database) == before


@pytest.mark.parametrize(("target", "count"), [("head", 5), ("base", 0), ("-1", 1), ("+2", 4), ("1.0", 1), (IDS[3], 4)])
def test_stamp_goes_either_way_and_runs_nothing(folder: Folder, database: Database, target: str, count: int) -> None:
    applied(folder.root, database, IDS[1])
    assert run(folder, database, "stamp", target, "--force").exit_code == 0
    assert marks(database) == IDS[:count]
    assert own_tables(database) == {"t0", "t1"}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["apply", "rollback"]), st.sampled_from(["head", "base", *IDS, "1.0.1", "v1.9", "+1", "-1"])
    ),
    min_size=3,
    max_size=6,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_any_walk_ends_where_it_should(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]) -> None:
    """The model: a database at N has the first N migrations. What cannot be leaves it at N."""
    place = tmp_path_factory.mktemp("walk")
    folder, database = Folder(place / "migrations", "sqlite"), sqlite_database(place / "walk.db")
    for number, (id, version, _) in enumerate(NAMED):
        header = f"-- version: {version}\n" if version else ""
        folder.pair(id, f"CREATE TABLE t{number} (id INTEGER);\n", f"DROP TABLE t{number};\n", header=header)
    database.script("SELECT 1")  # a file that is there
    at = 0
    fixed = {"head": 5, "base": 0, "1.0.1": 2, "v1.9": 4} | {id: number for number, id in enumerate(IDS, 1)}
    for command, target in steps:
        goal = fixed.get(target, at + 1 if target == "+1" else at - 1)
        legal = 0 <= goal <= 5 and (
            (command == "apply" and target != "-1" and (target != "base" or at == 0))
            or (command == "rollback" and target != "+1" and (goal <= at or target == "head"))
        )
        result = run(folder, database, command, target)
        assert result.exit_code == (0 if legal else 2), (command, target, at, result.stdout)
        if legal:
            at = max(at, goal) if command == "apply" else min(at, goal)
        assert marks(database) == IDS[:at]
        assert own_tables(database) == {f"t{number}" for number in range(at)}
