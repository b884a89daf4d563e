"""Where the tables of a picture stand: in layers by their foreign keys, so that lines cross little.

Parents stand left of their children. All lines to one parent run together as one trunk for as long as they can, and
past the tables of the layers between in a lane of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from runner.report.layers import GAP_Y, Box, edges_of, layers_of, mean_width, without_circles

LANE = 10.0
_FIRST = 200.0
_SWEEPS = 12


@dataclass(frozen=True)
class Line:
    """A foreign key: from where on the child's left side to where on the parent's right side, from their tops."""

    child: str
    parent: str
    child_y: float
    parent_y: float


@dataclass(frozen=True)
class Layout:
    """The corner of each box; by parent the height at which its trunk passes each layer; the layers' edges."""

    corners: Mapping[str, tuple[float, float]]
    layer_of: Mapping[str, int]
    trunks: Mapping[str, Mapping[int, float]]
    layers: Sequence[tuple[float, float]]  # left and right
    width: float
    height: float


@dataclass
class _Item:
    """A box, or a lane of a parent's trunk, in its layer."""

    key: tuple[str, int]  # the box's name and -1; or the parent's name and the layer that its trunk passes
    layer: int
    height: float
    #: Neighbours in the layers beside: which, at what height of mine, at what height of theirs.
    left: list[tuple[_Item, float, float]] = field(default_factory=list)
    right: list[tuple[_Item, float, float]] = field(default_factory=list)
    y: float = 0.0


def lay_out(boxes: Sequence[Box], lines: Sequence[Line], width: float = 1320.0) -> Layout:
    """Place the boxes: few in ``width`` if they can be, many in what is about a square.

    Lines to boxes that are not there are left out.
    """
    width = max(width, 0.9 * sum(box.height + GAP_Y for box in boxes) ** 0.5 * max(mean_width(boxes), 1.0) ** 0.5)
    by_name = {box.name: box for box in boxes}
    lines = [line for line in lines if line.child != line.parent and {line.child, line.parent} <= by_name.keys()]
    parents = without_circles(by_name, [(line.child, line.parent) for line in lines])
    layer_of = layers_of(boxes, parents, width)
    columns = 1 + max(layer_of.values(), default=0)
    items = _items(boxes, [line for line in lines if line.parent in parents[line.child]], layer_of, columns)
    _order(items)
    _place(items)
    edges = edges_of(boxes, layer_of, columns)
    corners = {item.key[0]: (edges[item.layer][0], item.y) for layer in items for item in layer if item.key[1] < 0}
    trunks: dict[str, dict[int, float]] = defaultdict(dict)
    for layer in items:
        for item in layer:
            if item.key[1] >= 0:
                trunks[item.key[0]][item.layer] = item.y + item.height / 2
    height = max((corners[box.name][1] + box.height for box in boxes), default=0.0)
    lanes = max((y for trunk in trunks.values() for y in trunk.values()), default=0.0)
    return Layout(corners, layer_of, trunks, edges, edges[-1][1], max(height, lanes + LANE))


def _items(boxes: Sequence[Box], lines: Sequence[Line], layer_of: Mapping[str, int], columns: int) -> list[list[_Item]]:
    """The layers with their boxes, and with a lane for each trunk that passes; each knows its neighbours."""
    layers: list[list[_Item]] = [[] for _ in range(columns)]
    known: dict[tuple[str, int], _Item] = {}

    def item(key: tuple[str, int], layer: int, height: float) -> _Item:
        if key not in known:
            known[key] = _Item(key, layer, height)
            layers[layer].append(known[key])
        return known[key]

    for box in boxes:
        item((box.name, -1), layer_of[box.name], box.height)
    joined: set[tuple[tuple[str, int], tuple[str, int]]] = set()
    for line in lines:
        before, at = known[line.parent, -1], line.parent_y
        for layer in range(layer_of[line.parent] + 1, layer_of[line.child]):
            lane = item((line.parent, layer), layer, LANE)
            if (before.key, lane.key) not in joined:
                joined.add((before.key, lane.key))
                before.right.append((lane, at, LANE / 2))
                lane.left.append((before, LANE / 2, at))
            before, at = lane, LANE / 2
        child = known[line.child, -1]
        before.right.append((child, at, line.child_y))
        child.left.append((before, line.child_y, at))
    return layers


def _order(layers: list[list[_Item]]) -> None:
    """Sort each layer by where its neighbours are, there and back, and keep the order with the fewest crossings."""
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for layer in layers[1:] if forward else reversed(layers[:-1]):
            places = {id(item): place for beside in layers for place, item in enumerate(beside)}

            def middle(item: _Item, places: dict[int, int] = places, forward: bool = forward) -> float:
                beside = item.left if forward else item.right
                # A little of where in the neighbour the line ends tells two lines of one table apart.
                found = [places[id(other)] + theirs / (other.height + 1) for other, _, theirs in beside]
                return sum(found) / len(found) if found else float(places[id(item)])

            layer.sort(key=middle)
        crossings = _crossings(layers)
        if crossings < fewest:
            fewest, best = crossings, [list(layer) for layer in layers]
    layers[:] = best


def _crossings(layers: Sequence[Sequence[_Item]]) -> int:
    """How often lines cross between neighbouring layers, by their ends."""
    total = 0
    for left, right in pairwise(layers):
        places = {id(item): place for place, item in enumerate(right)}
        ends = sorted(
            ((place, mine), (places[id(other)], theirs))
            for place, item in enumerate(left)
            for other, mine, theirs in item.right
        )
        seen: list[tuple[int, float]] = []
        for _, end in ends:
            total += sum(other > end for other in seen)
            seen.append(end)
    return total


def _place(layers: list[list[_Item]]) -> None:
    """Heights at which the lines are as level as the boxes let them be."""
    for layer in layers:
        y = 0.0
        for item in layer:
            item.y = y
            y += item.height + _space(item)
    for sweep in range(2 * _SWEEPS):
        forward = sweep % 2 == 0
        for layer in layers if forward else reversed(layers):
            wanted = []
            for item in layer:
                beside = item.left + item.right if sweep >= _SWEEPS else item.left if forward else item.right
                found = [other.y + theirs - mine for other, mine, theirs in beside]
                wanted.append(sum(found) / len(found) if found else item.y)
            _settle(layer, wanted)
    # On a phone the top left corner is seen first: there are the tables that all others lean on.
    top = min((item.y for layer in layers for item in layer), default=0.0)
    _settle(layers[0], [min(item.y, top + _FIRST) for item in layers[0]])
    top = min((item.y for layer in layers for item in layer), default=0.0)
    for layer in layers:
        for item in layer:
            item.y -= top


def _space(item: _Item) -> float:
    return GAP_Y if item.key[1] < 0 else LANE


def _settle(layer: Sequence[_Item], wanted: Sequence[float]) -> None:
    """Each as near to where it wants to be as its order and room allow: pooled neighbours share their mean."""
    offsets, offset = [], 0.0
    for item in layer:
        offsets.append(offset)
        offset += item.height + _space(item)
    pools: list[tuple[float, int]] = []  # mean and number
    for mean, place in zip(wanted, offsets, strict=True):
        pool = (mean - place, 1)
        while pools and pools[-1][0] > pool[0]:
            other, number = pools.pop()
            pool = ((other * number + pool[0] * pool[1]) / (number + pool[1]), number + pool[1])
        pools.append(pool)
    settled = [mean for mean, number in pools for _ in range(number)]
    for item, mean, place in zip(layer, settled, offsets, strict=True):
        item.y = mean + place
