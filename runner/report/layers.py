"""Which layer of the picture each table is in: right of those that its keys name, and no layer much too high."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

GAP_X, GAP_Y = 64.0, 26.0
_LOW = 420.0  # no need to spread to the side what is not higher


@dataclass(frozen=True)
class Box:
    """What is to be placed: a table's size."""

    name: str
    width: float
    height: float


def mean_width(boxes: Sequence[Box]) -> float:
    return sum(box.width + GAP_X for box in boxes) / max(len(boxes), 1)


def without_circles(names: Collection[str], links: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """The parents of each, from pairs of child and parent; of a circle the key that closes it is left out."""
    parents: dict[str, set[str]] = {name: set() for name in names}
    for child, parent in links:
        parents[child].add(parent)
    done: set[str] = set()
    for start in sorted(names):
        path: dict[str, Iterator[str]] = {} if start in done else {start: iter(sorted(parents[start]))}
        while path:
            name, rest = next(reversed(path.items()))
            above = next(rest, None)
            if above is None:
                done.add(name)
                del path[name]
            elif above in path:
                parents[name].discard(above)
            elif above not in done:
                path[above] = iter(sorted(parents[above]))
    return parents


def layers_of(boxes: Sequence[Box], parents: Mapping[str, set[str]], width: float) -> dict[str, int]:
    """A layer for each, right of its parents; as many tables in one as keep the picture within its width."""
    total = sum(box.height + GAP_Y for box in boxes)
    tallest = max((box.height for box in boxes), default=0.0)
    limit = max(tallest, _LOW, 0.8 * total * mean_width(boxes) / width)
    while True:
        found = _layers_within(boxes, parents, limit)
        right = edges_of(boxes, found, 1 + max(found.values(), default=0))[-1][1]
        if right <= width or limit > total:
            return found
        limit *= 1.08


def _layers_within(boxes: Sequence[Box], parents: Mapping[str, set[str]], limit: float) -> dict[str, int]:
    heights = {box.name: box.height + GAP_Y for box in boxes}
    children: dict[str, set[str]] = defaultdict(set)
    for name, above in parents.items():
        for parent in above:
            children[parent].add(name)
    below = _depths(heights, children)
    alone = {name for name in heights if not parents[name] and not children[name]}
    filled: dict[int, float] = defaultdict(float)
    found: dict[str, int] = {}
    # What has most below it comes first: before its children, and not crowded out by leaves.
    for name in sorted(heights.keys() - alone, key=lambda name: (-below[name], name)):
        layer = 1 + max((found[parent] for parent in parents[name]), default=-1)
        while filled[layer] and filled[layer] + heights[name] > limit:
            layer += 1
        found[name] = layer
        filled[layer] += heights[name]
    for name in sorted(alone, key=lambda name: (-heights[name], name)):
        known = range(1 + max(filled, default=-1))
        layer = min((one for one in known if filled[one] + heights[name] <= limit), default=len(known))
        found[name] = layer
        filled[layer] += heights[name]
    return found


def _depths(names: Collection[str], children: Mapping[str, set[str]]) -> dict[str, int]:
    """How long the longest chain of children below each is."""
    depths: dict[str, int] = {}
    path: list[str] = []
    for start in names:
        path.append(start)
        while path:
            name = path[-1]
            open_ones = [child for child in children.get(name, ()) if child not in depths]
            if open_ones:
                path += open_ones
            else:
                depths[name] = 1 + max((depths[child] for child in children.get(name, ())), default=-1)
                path.pop()
    return depths


def edges_of(boxes: Sequence[Box], layer_of: Mapping[str, int], columns: int) -> list[tuple[float, float]]:
    """Left and right of each layer, which is as wide as its widest box."""
    widths = [0.0] * columns
    for box in boxes:
        widths[layer_of[box.name]] = max(widths[layer_of[box.name]], box.width)
    found, left = [], 0.0
    for one in widths:
        found.append((left, left + one))
        left += one + GAP_X
    return found
