"""The experience graph for other programs (GraphML) and for the eye (SVG). Pure.

A drawing is the same every time: nothing in it is random.

Shapes: N things.
"""

import colorsys
import math
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from kb import GraphNode, Neighbourhood

WIDTH, HEIGHT, MARGIN = 1200, 900, 80
ROUNDS = 300
LABELLED = 60
"""Things whose names are written: those that stand in most facts."""

_GRAPHML = "http://graphml.graphdrawing.org/xmlns"
_KEYS = (
    ("name", "node", "string"),
    ("facts", "node", "int"),
    ("passes", "node", "int"),
    ("colour", "node", "string"),
    ("weight", "edge", "double"),
)

Doubles = npt.NDArray[np.float64]


def graphml(shown: Neighbourhood) -> str:
    """A GraphML document: names, numbers of facts and passages, colours as #rrggbb, weights."""
    root = ET.Element("graphml", xmlns=_GRAPHML)
    for name, of, kind in _KEYS:
        key = {"id": name, "for": of, "attr.name": name, "attr.type": kind}
        ET.SubElement(root, "key", key)
    graph = ET.SubElement(root, "graph", id="experience", edgedefault="undirected")
    for node in shown.nodes:
        element = ET.SubElement(graph, "node", id=f"n{node.id}")
        values = (_printable(node.name), node.fact_count, node.pass_count, hue(node))
        for name, value in zip(("name", "facts", "passes", "colour"), values, strict=True):
            ET.SubElement(element, "data", key=name).text = str(value)
    for edge in shown.edges:
        ends = {"source": f"n{edge.a}", "target": f"n{edge.b}"}
        data = ET.SubElement(ET.SubElement(graph, "edge", ends), "data", key="weight")
        data.text = f"{edge.weight:.6g}"
    return _text(root)


def svg(shown: Neighbourhood, title: str) -> str:
    """A drawing: what is met together stands together, like colours have like hues, thick lines are strong edges."""
    places = dict(zip((node.id for node in shown.nodes), layout(shown).tolist(), strict=True))
    size = {"width": str(WIDTH), "height": str(HEIGHT), "viewBox": f"0 0 {WIDTH} {HEIGHT}"}
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **size})
    ET.SubElement(root, "title").text = _printable(title)
    ET.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})
    strongest = max((edge.weight for edge in shown.edges), default=1.0)
    for edge in shown.edges:
        (x1, y1), (x2, y2) = places[edge.a], places[edge.b]
        ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
        width = 0.5 + 4.5 * edge.weight / strongest
        style = {"stroke": "#9aa4b2", "stroke-opacity": "0.6", "stroke-width": f"{width:.2f}"}
        ET.SubElement(root, "line", ends | style)
    for number, node in enumerate(shown.nodes):
        _draw(root, node, places[node.id], is_labelled=number < LABELLED)
    return _text(root)


def _draw(root: ET.Element, node: GraphNode, place: list[float], *, is_labelled: bool) -> None:
    x, y = place
    radius = 4 + 3 * math.sqrt(node.fact_count)
    at = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": f"{min(radius, 30):.1f}"}
    circle = ET.SubElement(root, "circle", {**at, "fill": hue(node), "stroke": "#ffffff"})
    ET.SubElement(circle, "title").text = f"{_printable(node.name)}: {node.fact_count} facts"
    if is_labelled:
        font = {"font-family": "sans-serif", "font-size": "13", "text-anchor": "middle"}
        where = {"x": f"{x:.1f}", "y": f"{y - min(radius, 30) - 4:.1f}", "fill": "#1f2933"}
        ET.SubElement(root, "text", {**where, **font}).text = _printable(node.name)


def hue(node: GraphNode) -> str:
    """A node's colour as #rrggbb: the angle of its first two numbers is the hue, their length how vivid it is."""
    x, y = node.colour[:2]
    turn = math.atan2(y, x) / (2 * math.pi) % 1.0
    vivid = 0.35 + 0.5 * min(1.0, math.hypot(x, y) * 2)
    red, green, blue = colorsys.hls_to_rgb(turn, 0.55, vivid)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def layout(shown: Neighbourhood) -> Doubles:
    """Places (N, 2) on the sheet: edges pull, everything pushes, less and less (Fruchterman and Reingold 1991)."""
    count = len(shown.nodes)
    if not count:
        return np.zeros((0, 2))
    turns = np.arange(count) * math.pi * (3 - math.sqrt(5))  # a sunflower: no two in one place
    places = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    places *= np.sqrt((np.arange(count) + 0.5) / count)[:, None]
    at = {node.id: number for number, node in enumerate(shown.nodes)}
    pull = np.zeros((count, count))
    for edge in shown.edges:
        pull[at[edge.a], at[edge.b]] = pull[at[edge.b], at[edge.a]] = math.sqrt(edge.weight)
    if pull.any():
        pull /= pull.max()
    apart = 1.6 / math.sqrt(count)
    for step in range(ROUNDS):
        between = places[:, None] - places[None]  # (N, N, 2)
        distance = np.maximum(np.linalg.norm(between, axis=2), 1e-6)
        force = apart**2 / distance**2 - pull * distance / apart
        moved = (between * force[:, :, None]).sum(axis=1) - 0.3 * places
        length = np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
        places = places + moved / length * np.minimum(length, 0.1 * (1 - step / ROUNDS))
    low, high = places.min(axis=0), places.max(axis=0)
    scaled = (places - low) / np.where(high > low, high - low, 1.0)
    scaled[:, high <= low] = 0.5
    found: Doubles = MARGIN + scaled * (np.array([WIDTH, HEIGHT]) - 2 * MARGIN)
    return found


def _printable(text: str) -> str:
    """The text without what XML cannot hold."""
    return "".join(char if char.isprintable() else " " for char in text)


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
