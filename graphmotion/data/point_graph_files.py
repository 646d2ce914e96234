"""Files of graphs over points."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from graphmotion.data.tensor_files import load_tensors, save_tensors
from graphmotion.graphs import Coarsening, PointGraph

# The version of the file format.
_VERSION = 1


def save_graph(graph: PointGraph, path: str | Path) -> None:
    r"""Writes a graph to a file atomically.

    .. code-block:: python

        save_graph(pixel_graph((16, 16), num_nodes=100), 'graph.pt')
    """
    levels = [
        {field.name: getattr(level, field.name).cpu() for field in fields(Coarsening)}
        for level in graph.hierarchy
    ]
    own: dict[str, Any] = {**graph.to('cpu').tensors(), 'image_size': graph.image_size}
    save_tensors({'point_graph': _VERSION, **own, 'hierarchy': levels}, path)


def load_graph(path: str | Path) -> PointGraph:
    r"""Reads a graph from a file without executing any of its content.

    .. code-block:: python

        save_graph(pixel_graph((16, 16), num_nodes=100), 'graph.pt')
        print(load_graph('graph.pt').num_nodes)  # 100

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If the file is damaged or invalid.
    """
    stored = load_tensors(path)
    if not isinstance(stored, dict) or 'point_graph' not in stored:
        raise ValueError(f'{path}: not written by save_graph')
    version = stored.pop('point_graph')
    if version != _VERSION:
        raise ValueError(f'{path}: written in version {version}, expected {_VERSION}')
    try:
        levels = tuple(Coarsening(**level) for level in stored.pop('hierarchy'))
        return PointGraph(**stored, hierarchy=levels)
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, IndexError) as error:
        raise ValueError(f'{path}: not a valid graph ({error})') from error
