"""GraphML and drawings of the experience graph: well formed, whole, and the same every time."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from agent.graph_views import HEIGHT, WIDTH, graphml, hue, layout, svg
from kb import GraphEdge, GraphNode, Neighbourhood

AXIS = (1.0, *[0.0] * 15)
NAMES = ("Ann Archer", "<b>Bold & Co</b>", "Line\nbreak \x07", "Dan Dyer")
SHOWN = Neighbourhood(
    tuple(GraphNode(n, name, n, n + 1, AXIS) for n, name in enumerate(NAMES, start=1)),
    (GraphEdge(1, 2, 0.5), GraphEdge(2, 3, 0.01)),
)
G = "{http://graphml.graphdrawing.org/xmlns}"


def test_graphml_holds_every_node_and_edge():
    root = ET.fromstring(graphml(SHOWN))
    nodes = root.findall(f".//{G}node")
    names = [node.findtext(f"{G}data[@key='name']") for node in nodes]
    assert names == ["Ann Archer", "<b>Bold & Co</b>", "Line break  ", "Dan Dyer"]
    edges = root.findall(f".//{G}edge")
    assert [(e.get("source"), e.get("target"), e.findtext(f"{G}data")) for e in edges] == [
        ("n1", "n2", "0.5"),
        ("n2", "n3", "0.01"),
    ]


def test_drawing_is_one_well_formed_sheet_the_same_every_time():
    drawn = svg(SHOWN, "A <story>")
    assert drawn == svg(SHOWN, "A <story>")
    root = ET.fromstring(drawn)
    tags = [element.tag.partition("}")[2] for element in root.iter()]
    assert (tags.count("circle"), tags.count("line"), tags.count("text")) == (4, 2, 4)
    assert "<b>" not in drawn


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_everything_is_on_the_sheet_and_nothing_in_one_place(count):
    nodes = tuple(GraphNode(n, f"Name {n}", 1, 1, AXIS) for n in range(count))
    edges = tuple(GraphEdge(n, n + 1, 0.1) for n in range(count - 1))
    places = layout(Neighbourhood(nodes, edges))
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()
    assert (places >= 0).all()
    assert (places <= [WIDTH, HEIGHT]).all()
    assert len(np.unique(places.round(3), axis=0)) == count


def test_like_colours_have_like_hues():
    def colour(*numbers):
        return hue(GraphNode(1, "", 1, 1, (*numbers, *[0.0] * 14)))

    assert colour(1.0, 0.0) == colour(1.0, 0.0) != colour(-1.0, 0.0)
