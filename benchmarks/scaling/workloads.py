"""Operators, models and losses with the sizes that are swept and the exponents of theory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear, Module
from torch.nn.functional import cross_entropy, normalize

from benchmarks.operators import cases  # noqa: F401 (registers the cases)
from benchmarks.operators.harness import CASES, Case, Setup
from benchmarks.retrieval import random_walks
from graphmotion.graphs import pixel_graph
from graphmotion.metrics import GalleryProbeProtocol, gallery_probe, retrieve
from graphmotion.models import spagnn, spegnn, st_gcn
from graphmotion.skeletons import Skeleton

SWEEPS = {
    'nodes': (32, 64, 128, 256, 512),
    'frames': (32, 64, 128, 256, 512),
    'batch': (4, 8, 16, 32, 64),
    'classes': (64, 128, 256, 512, 1024),
    'pixels': (256, 512, 1024, 2048, 4096, 9000),
}
QUICK_SWEEPS = {
    'nodes': (32, 64, 128),
    'frames': (32, 64, 128),
    'batch': (4, 8, 16),
    'classes': (64, 128, 256),
    'pixels': (256, 512, 1024),
}
TINY_SWEEPS = {
    'nodes': (16, 32),
    'frames': (32, 40),
    'batch': (2, 4),
    'classes': (4, 8),
    'pixels': (64, 128),
}
OPERATOR_SWEEPS = ('nodes', 'frames', 'batch')
STEP, CALL = 'training step', 'call'  # a call has no backward pass


@dataclass(frozen=True)
class Sizes:
    """Sizes of a batch; few channels, so that the terms that grow fastest dominate."""

    batch: int = 2
    nodes: int = 16
    frames: int = 32
    channels: int = 16
    device: str = 'cpu'


# Sizes that do not change in a sweep, for the other sweeps Sizes().
BASES = {'frames': Sizes(batch=8)}  # the calls would be too short to exceed their overhead
TINY_BASE = Sizes(channels=8)


@dataclass(frozen=True)
class Workload:
    """A cost that grows with a size, and the exponent of its fastest growing term in theory.

    :obj:`make` returns the call to measure, given the sizes and whether it includes the backward
    pass; :obj:`timed` describes it in this case.
    """

    sweep: str
    name: str
    theory: float
    make: Callable[[Sizes, int, bool], Callable[[], Any]]
    timed: str = 'forward+backward'

    @property
    def operator(self) -> str:
        """The name without the variant."""
        return self.name.split(',')[0]


# Operators ####################################################################################

# Cases that are not measured in any sweep, and why.
EXCLUDED = {
    'MotionDataset, get_batch, 4 batches': 'not an operator, but batch assembly',
    'TemporalConv, kernel of 9, 128 channels': 'TemporalConv with other channels',
    'TemporalConv, kernel of 9, 256 channels': 'TemporalConv with other channels',
    'TemporalConv, kernel of 9, 256 channels, stride of 2': 'TemporalConv with other channels',
    'TemporalConv, the ten layers of ST-GCN': 'TemporalConv in several sizes',
}
FACE, ROWS = 'a face has no frames', 'logits have no frames'
# Cases whose input does not depend on the size of a sweep, and why.
CONSTANT = {
    'nodes': {
        'HorizontalPyramidPooling, strips of 16 to 1': 'a silhouette has no nodes',
        'SilhouetteBackbone, 2 layers': 'a silhouette has no nodes',
    },
    'frames': {
        'ClusterPooling, max, faces': FACE,
        'ClusterPooling, mean, faces': FACE,
        'DecisionFusion, maximum of 2 classifiers': ROWS,
        'Divergence, 8 neighbours': FACE,
        'LocallyConnectedConv, shared by offset, faces': FACE,
        'OrientedGradients, 8 directions, 8 neighbours': FACE,
        'SpectralConv, basis per graph, 64 modes, faces': FACE,
        'SpectralConv, shared basis, 256 modes, faces': FACE,
    },
    'batch': {},
}
# Operators whose cost grows with the square of a size; the cost of the others is linear.
QUADRATIC = {
    'nodes': {
        'AdaptiveSpatialConv',
        'ChannelTopologyConv',
        'CrossAttention',  # the number of parts grows with the number of joints
        'CrossScaleConv',
        'JointAttention',
        'SpatialConv',
    },
    'frames': {'ConvValueTemporalAttention', 'LocalGlobalTemporal', 'TemporalDecoder'},
    'batch': set(),
}
SPARSE = 'SpatialConv, sparse'


def case_name(case: Case) -> str:
    """Returns the name of an operator and its variant."""
    return f'{case.operator}, {case.variant}' if case.variant else case.operator


@cache
def tree_skeleton(num_joints: int) -> Skeleton:
    """Returns a skeleton of any size: a binary tree with parts of four joints."""
    joints = [f'joint_{i}' for i in range(num_joints)]
    bones = [(i, (i - 1) // 2) for i in range(1, num_joints)]
    parts = {f'part_{i}': joints[i : i + 4] for i in range(0, num_joints, 4)}
    return Skeleton(joints, bones, 'tree', center=0, hierarchies={'parts': [parts]})


def operator_workloads(sweep: str) -> Iterator[Workload]:
    """Yields the cases of the operators whose input grows with the size of a sweep."""
    for case in CASES:
        name = case_name(case)
        if name not in EXCLUDED and name not in CONSTANT[sweep]:
            is_quadratic = case.operator in QUADRATIC[sweep] and name != SPARSE
            yield Workload(sweep, name, 2 if is_quadratic else 1, operator_maker(case, sweep))


def operator_maker(case: Case, sweep: str) -> Callable[[Sizes, int, bool], Callable[[], Any]]:
    """Returns a function that makes a call of an operator."""

    def make(base: Sizes, size: int, backward: bool) -> Callable[[], Any]:
        sizes = {**vars(base), sweep: size}
        joints = sizes.pop('nodes')
        call, _ = case.make(Setup(joints=joints, **sizes, skeleton=tree_skeleton(joints)))
        call.to(torch.device(base.device))
        return call.backward() if backward else call.forward

    return make


# Classes ######################################################################################

CHANNELS, SAMPLES = 128, 64  # of embeddings
SEARCH = GalleryProbeProtocol('search', gallery={'take': 1}, probes={'00': {'take': 0}}, view=None)


def classifier(base: Sizes, num_classes: int, backward: bool) -> Callable[[], Any]:
    """Returns a training step or the forward pass of ST-GCN, with small layers."""
    skeleton, num_frames = tree_skeleton(base.nodes), base.frames
    model = st_gcn(skeleton, num_classes, channels=(16, 32)).to(base.device)
    x = torch.randn(base.batch * base.nodes, num_frames, 3, device=base.device)
    batch = torch.arange(base.batch, device=base.device).repeat_interleave(base.nodes)
    return step(model, (x, batch), backward)


def last_layer(base: Sizes, num_classes: int, backward: bool) -> Callable[[], Any]:
    """Returns a training step or the forward pass of the last layer of a classifier."""
    x = torch.randn(SAMPLES, CHANNELS, device=base.device)
    return step(Linear(CHANNELS, num_classes).to(base.device), (x,), backward)


def triplet_loss(base: Sizes, num_classes: int, backward: bool) -> Callable[[], Any]:
    """Returns the loss of all triplets in a batch of two samples for each of some subjects."""
    from graphmotion.training.part_triplet import part_triplet_loss  # needs the extra train

    num_subjects = num_classes // 2
    x = torch.randn(2 * num_subjects, 1, CHANNELS, device=base.device, requires_grad=True)
    labels = torch.arange(num_subjects, device=base.device).repeat(2)

    def run() -> Any:
        loss, _ = part_triplet_loss(x, labels, margin=0.2)
        return torch.autograd.grad(loss, x) if backward else loss

    return run


def evaluation(base: Sizes, num_classes: int, backward: bool) -> Callable[[], Any]:
    """Returns the evaluation of a gallery and a probe of each subject from 14 cameras."""
    embedding, labels = random_walks(max(num_classes // 4, 2), CHANNELS, base.device)
    return lambda: gallery_probe(embedding, labels, SEARCH)


def search(base: Sizes, num_classes: int, backward: bool) -> Callable[[], Any]:
    """Returns the search of a fixed number of probes in a gallery of ten samples per subject."""
    subject = torch.arange(num_classes).repeat(10)
    subject = torch.cat([subject, torch.randint(num_classes, (SAMPLES,))])
    take = (torch.arange(len(subject)) < 10 * num_classes).long()
    embedding = normalize(torch.randn(len(subject), CHANNELS), dim=1).to(base.device)
    return lambda: retrieve(embedding, {'subject': subject, 'take': take}, SEARCH)


CLASS_WORKLOADS = (
    Workload('classes', 'st_gcn, classifier of small layers', 1, classifier, STEP),
    Workload('classes', 'Linear, last layer and cross-entropy', 1, last_layer, STEP),
    Workload('classes', 'part_triplet_loss, all triplets of n / 2 subjects', 2, triplet_loss),
    Workload('classes', 'gallery_probe, all pairs of n / 4 subjects', 2, evaluation, CALL),
    Workload('classes', 'retrieve, 64 probes', 1, search, CALL),
)

# Faces ########################################################################################

NUM_NEIGHBORS, NUM_MODES, NUM_CLASSES, NUM_FACES = 8, 256, 7, 16
NODE_FRACTION = 0.4  # of the pixels of a square image


def face_model(build: Callable[..., Module]) -> Callable[[Sizes, int, bool], Callable[[], Any]]:
    """Returns a function that makes a training step with the options of the paper."""

    def make(base: Sizes, num_nodes: int, backward: bool) -> Callable[[], Any]:
        side = math.ceil(math.sqrt(num_nodes / NODE_FRACTION))
        graph = pixel_graph(side, num_nodes, NUM_NEIGHBORS, NUM_MODES)
        x = torch.rand(NUM_FACES * num_nodes, 1, device=base.device)
        return step(build(graph, NUM_CLASSES).to(base.device), (x,), backward)

    return make


FACE_WORKLOADS = (
    Workload('pixels', 'SPAGNN', 1, face_model(spagnn), STEP),
    Workload('pixels', 'SPEGNN', 1, face_model(spegnn), STEP),
)


def step(model: Module, inputs: tuple[Tensor, ...], backward: bool) -> Callable[[], Any]:
    """Returns a training step with Adam, or the forward pass."""
    optimizer = torch.optim.Adam(model.parameters())

    def forward() -> Tensor:
        with torch.no_grad():
            return model(*inputs)

    def training_step() -> None:
        logits = model(*inputs)
        optimizer.zero_grad()
        y = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        cross_entropy(logits, y).backward()
        optimizer.step()

    return training_step if backward else forward


def get_workloads(sweep: str) -> list[Workload]:
    """Returns the workloads of a sweep."""
    if sweep in OPERATOR_SWEEPS:
        return list(operator_workloads(sweep))
    return list(CLASS_WORKLOADS if sweep == 'classes' else FACE_WORKLOADS)
