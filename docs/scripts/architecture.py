"""Import graph of the package: drawn as an SVG picture, and checked for cycles and layer breaks.

    python docs/scripts/architecture.py            # write docs/explanation/architecture.svg
    python docs/scripts/architecture.py --check    # exit code 1 on a cycle, a layer break or an outdated picture

Imports are read from the sources, so an import inside a function counts like one at the top of a file.
A room is a folder of modules with what lies below it; a module that lies directly in a package is a room of its own.
"""

import ast
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "explanation" / "architecture.svg"
FOLDERS = {"edgelstm.runtime": "runtime", "edgelstm.converters": "converters", "edgelstm": "edgelstm"}
# Each package may import itself and the ones behind it, never the ones before it.
LAYERS = ("edgelstm", "edgelstm.converters", "edgelstm.runtime")
FRONTS = {"edgelstm"}
Graph = dict[str, set[str]]


@dataclass(frozen=True)
class Module:
    """One source file.

    Attributes:
        name: Absolute module name.
        path: The file.
        package: Package that relative imports start from.
    """

    name: str
    path: Path
    package: str


def modules(root: Path = ROOT) -> dict[str, Module]:
    """Modules of the three packages by name."""
    result = {}
    for package, folder in FOLDERS.items():
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root / folder).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join([package, *(parts[:-1] if is_package else parts)])
            result[name] = Module(name, path, name if is_package else name.rsplit(".", 1)[0])
    return result


def imported_names(module: Module) -> set[str]:
    """Absolute names that a module imports anywhere: modules, and `package.name` for each name taken from one."""
    names = set()
    for node in ast.walk(ast.parse(module.path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = module.package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            names |= {f"{source}.{alias.name}" for alias in node.names}
    return names


def import_graph(known: dict[str, Module]) -> Graph:
    """Modules that each module imports, among the known ones."""
    graph: Graph = {}
    for module in known.values():
        targets = set()
        # the front imports nothing by itself: whoever asks it for a name imports that name's home
        for name in set() if module.name in FRONTS else imported_names(module):
            owner = name if name in known else name.rpartition(".")[0]
            if owner in known:
                targets.add(owner)
        graph[module.name] = targets - {module.name}
    return graph


def package_of(name: str) -> str:
    """Package of the three that a module belongs to."""
    return next(package for package in FOLDERS if name == package or name.startswith(f"{package}."))


def room_of(name: str, known: dict[str, Module]) -> str:
    """Room that a module lies in; a folder inside a folder belongs to the outer one's room."""
    folder, package = known[name].package, package_of(name)
    return name if folder == package else f"{package}.{folder.removeprefix(package).split('.')[1]}"


def room_graph(graph: Graph, known: dict[str, Module]) -> Graph:
    """Rooms that each room imports."""
    rooms: Graph = {room_of(name, known): set() for name in graph}
    for name, targets in graph.items():
        room = room_of(name, known)
        rooms[room] |= {room_of(target, known) for target in targets} - {room}
    return rooms


def cycles(graph: Graph) -> list[list[str]]:
    """Groups of nodes that import each other (strongly connected components, Tarjan 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in order:
                visit(target)
            if target in stack:
                lowest[node] = min(lowest[node], lowest[target])
        if lowest[node] == order[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return groups


def layer_breaks(graph: Graph) -> list[str]:
    """Imports that run against `runtime <- converters <- edgelstm`."""
    return [
        f"{name} imports {target}"
        for name, targets in sorted(graph.items())
        for target in sorted(targets)
        if LAYERS.index(package_of(target)) < LAYERS.index(package_of(name))
    ]


def floors(graph: Graph) -> dict[str, int]:
    """Floor of each room: 0 where it imports no other room, else one above the highest that it imports.

    Raises:
        ValueError: If rooms import each other.
    """
    if cycles(graph):
        raise ValueError(f"Rooms import each other: {cycles(graph)}")
    heights: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in heights:
            heights[room] = 1 + max((height(target) for target in graph[room]), default=-1)
        return heights[room]

    for room in graph:
        height(room)
    return heights


def without_shortcuts(graph: Graph) -> Graph:
    """Arrows that no longer way implies (transitive reduction): what a picture can show without becoming a thicket."""

    def reached(room: str) -> set[str]:
        return {room}.union(*(reached(target) for target in graph[room]))

    return {
        room: {t for t in targets if not any(t in reached(other) for other in targets - {t})}
        for room, targets in graph.items()
    }


def short(room: str) -> str:
    """Name of a room inside its package."""
    return room.removeprefix(package_of(room)).lstrip(".") or "__init__"


def draw(graph: Graph) -> str:
    """SVG with one column a package, one box a room, its floor by height, one line an import that no longer way implies."""
    columns = {"edgelstm.runtime": 0, "edgelstm.converters": 1, "edgelstm": 2}
    heights = floors(graph)
    cells: dict[tuple[int, int], list[str]] = defaultdict(list)
    for room in sorted(graph):
        cells[columns[package_of(room)], heights[room]].append(room)
    per_row = {0: 3, 1: 2, 2: 3}
    width, height, gap = 150, 26, 16
    starts, left = {}, 20
    for column in (0, 1, 2):
        starts[column] = left
        left += per_row[column] * (width + gap) + 50
    places: dict[str, tuple[float, float]] = {}
    top = 60.0
    for floor in sorted({floor for _, floor in cells}, reverse=True):
        rows = 1
        for column in (0, 1, 2):
            rooms = cells.get((column, floor), [])
            rows = max(rows, -(-len(rooms) // per_row[column]))
            for number, room in enumerate(rooms):
                row, place = divmod(number, per_row[column])
                places[room] = (starts[column] + place * (width + gap), top + row * (height + 12))
        top += rows * (height + 12) + 26
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left} {top:.0f}" font-family="sans-serif" font-size="12">',
        "<style>text{fill:#222}.room{fill:#eef3f8;stroke:#5b7a99}.arrow{stroke:#8aa;stroke-opacity:.8;fill:none}"
        "@media (prefers-color-scheme:dark){text{fill:#ddd}.room{fill:#223040;stroke:#7d9cbb}}</style>",
    ]
    for package, column in columns.items():
        parts.append(f'<text x="{starts[column]}" y="30" font-size="16" font-weight="bold">{package}</text>')
    for room, targets in sorted(without_shortcuts(graph).items()):
        x, y = places[room]
        for target in sorted(targets):
            to_x, to_y = places[target]
            parts.append(
                f'<path class="arrow" d="M{x + width / 2:.0f} {y + height:.0f}L{to_x + width / 2:.0f} {to_y:.0f}"/>'
            )
    for room, (x, y) in sorted(places.items()):
        parts.append(f'<rect class="room" x="{x:.0f}" y="{y:.0f}" width="{width}" height="{height}" rx="4"/>')
        parts.append(f'<text x="{x + 8:.0f}" y="{y + 17:.0f}">{short(room)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def problems() -> list[str]:
    """Everything that `--check` reports."""
    known = modules()
    graph = import_graph(known)
    rooms = room_graph(graph, known)
    result = [f"import cycle: {', '.join(group)}" for group in cycles(graph)]
    result += [f"rooms import each other: {', '.join(group)}" for group in cycles(rooms)]
    result += [f"layer break: {line}" for line in layer_breaks(graph)]
    if not result and (not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != draw(rooms)):
        result.append(f"{PICTURE.relative_to(ROOT)} is out of date: python docs/scripts/architecture.py")
    return result


def main() -> int:
    """Write the picture, or check; print rooms, floors and arrows."""
    known = modules()
    rooms = room_graph(import_graph(known), known)
    if "--check" in sys.argv[1:]:
        for line in problems():
            print(line, file=sys.stderr)
        return 1 if problems() else 0
    PICTURE.write_text(draw(rooms), encoding="utf-8")
    print(f"{len(rooms)} rooms on {max(floors(rooms).values()) + 1} floors, {sum(map(len, rooms.values()))} arrows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
