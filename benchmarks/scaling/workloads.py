"""Operators and models with the sizes that are swept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from graphmotion.data import repeat_edge_index
from graphmotion.graphs import knn_graph, laplacian_eigenbasis, pixel_graph
from graphmotion.models import spagnn, spegnn
from graphmotion.nn import (
    JointAttention,
    LargeKernelTemporalConv,
    LocallyConnectedConv,
    SpatialConv,
    SpectralConv,
    TemporalConv,
)


@dataclass(frozen=True)
class Sizes:
    """Sizes of a batch of motion sequences, of one large static graph, or of faces."""

    batch: int = 16
    joints: int = 25
    frames: int = 64
    channels: int = 64
    nodes: int = 0
    pixels: int = 0


MOTION = Sizes()
GRAPH = Sizes(batch=1, joints=0, frames=0, channels=16, nodes=1024)
FACES = Sizes(batch=16, joints=0, frames=0, channels=1, pixels=1024)
NUM_NEIGHBORS = 8
GRAPH_MODES, FACE_MODES = 64, 256
NUM_CLASSES = 7
NODE_FRACTION = 0.4  # of the pixels of a square image
NUM_HEADS = 4

SWEEPS = {
    'frames': (8, 16, 32, 64, 128, 256),
    'joints': (8, 16, 32, 64, 128),
    'batch': (1, 2, 4, 8, 16, 32, 64),
    'nodes': (256, 512, 1024, 2048, 4096, 9000),
    'pixels': (256, 512, 1024, 2048, 4096, 9000),
}
TINY_SWEEPS = {
    'frames': (4, 8),
    'joints': (4, 8),
    'batch': (1, 2),
    'nodes': (64, 128),
    'pixels': (64, 128),
}

# A module, its features and its other arguments.
Workload = tuple[Module, Tensor, tuple[Any, ...]]


def motion_features(s: Sizes) -> Tensor:
    """Returns random features of motion sequences."""
    return torch.randn(s.batch * s.joints, s.frames, s.channels)


def binary_tree(num_joints: int) -> tuple[Tensor, Tensor]:
    """Returns edges with self-loops and normalised weights of a skeleton of any size."""
    child = torch.arange(1, num_joints)
    bones = torch.stack([child, (child - 1) // 2])
    loops = torch.arange(num_joints).expand(2, -1)
    edge_index = torch.cat([bones, bones.flip(0), loops], dim=1)
    return edge_index, 1 / edge_index[1].bincount()[edge_index[1]]


def spatial_dense(s: Sizes) -> Workload:
    """Returns a spatial convolution with one matrix for all graphs."""
    (source, target), weight = binary_tree(s.joints)
    adj = torch.zeros(s.joints, s.joints).index_put((target, source), weight)
    return SpatialConv(s.channels, s.channels), motion_features(s), (adj,)


def spatial_sparse(s: Sizes) -> Workload:
    """Returns a spatial convolution with the edges of all graphs."""
    edge_index, weight = binary_tree(s.joints)
    edges = repeat_edge_index(edge_index, s.joints, s.batch), weight.repeat(s.batch)
    return SpatialConv(s.channels, s.channels), motion_features(s), (edges,)


def temporal(s: Sizes) -> Workload:
    """Returns a temporal convolution with a kernel of 9 frames."""
    return TemporalConv(s.channels, s.channels, kernel_size=9), motion_features(s), ()


def large_kernel(s: Sizes) -> Workload:
    """Returns a separable temporal convolution with a kernel of 31 frames."""
    # Reflection padding would require more frames than the kernel has.
    conv = LargeKernelTemporalConv(s.channels, s.channels, kernel_size=31, padding='zeros')
    return conv, motion_features(s), ()


def joint_attention(s: Sizes) -> Workload:
    """Returns attention over the joints of each frame."""
    return JointAttention(s.channels, NUM_HEADS), motion_features(s), (s.joints,)


def random_graph(s: Sizes) -> tuple[Tensor, Tensor]:
    """Returns random features and the edges between nearest neighbours in the plane."""
    return torch.randn(s.nodes, s.channels), knn_graph(torch.rand(s.nodes, 2), NUM_NEIGHBORS)


def spectral(s: Sizes) -> Workload:
    """Returns a spectral convolution with a precomputed eigenbasis."""
    x, edge_index = random_graph(s)
    _, modes = laplacian_eigenbasis(edge_index, s.nodes, GRAPH_MODES)
    return SpectralConv(s.channels, s.channels, GRAPH_MODES), x, (modes.to(x.dtype), s.nodes)


def locally_connected(s: Sizes) -> Workload:
    """Returns a convolution with a weight matrix for each edge."""
    x, edge_index = random_graph(s)
    return LocallyConnectedConv(s.channels, s.channels, edge_index, s.nodes), x, ()


def spatial_graph(s: Sizes) -> Workload:
    """Returns a spatial convolution on a large graph."""
    x, edge_index = random_graph(s)
    return SpatialConv(s.channels, s.channels), x, ((edge_index, None),)


def face_model(build: Callable[..., Module]) -> Callable[[Sizes], Workload]:
    """Returns a function that builds a model with the options of its paper, and random faces."""

    def make(s: Sizes) -> Workload:
        side = math.ceil(math.sqrt(s.pixels / NODE_FRACTION))
        graph = pixel_graph(side, s.pixels, NUM_NEIGHBORS, FACE_MODES)
        return build(graph, NUM_CLASSES), torch.rand(s.batch * s.pixels, s.channels), ()

    return make


OPERATORS: dict[str, Callable[[Sizes], Workload]] = {
    'SpatialConv, dense': spatial_dense,
    'SpatialConv, sparse': spatial_sparse,
    'TemporalConv': temporal,
    'LargeKernelTemporalConv': large_kernel,
    'JointAttention': joint_attention,
}
GRAPH_OPERATORS: dict[str, Callable[[Sizes], Workload]] = {
    'SpatialConv, sparse': spatial_graph,
    'SpectralConv': spectral,
    'LocallyConnectedConv': locally_connected,
}
FACE_MODELS: dict[str, Callable[[Sizes], Workload]] = {
    'SPAGNN': face_model(spagnn),
    'SPEGNN': face_model(spegnn),
}
