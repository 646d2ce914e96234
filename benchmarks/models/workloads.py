"""Data, losses and sizes with which models are measured."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import triplet_margin_loss
from torch_geometric.data import Batch

from graphmotion import models
from graphmotion.data import from_array
from graphmotion.graphs import PointGraph, sample_pixels
from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import ToStream


def mean_square(out: Tensor) -> Tensor:
    """Computes the mean square of the output, a loss that suits any model."""
    return out.square().mean()


def triplet_loss(out: Tensor) -> Tensor:
    """Computes a triplet loss of embeddings, with the next two samples of the batch."""
    return triplet_margin_loss(out, out.roll(1, dims=0), out.roll(2, dims=0))


@dataclass(frozen=True)
class Workload:
    """Random data for a model and the loss to train it with."""

    skeleton: str = 'ntu25'
    frames: int = 64
    options: dict[str, Any] = field(default_factory=dict)  # of the builder
    min_frames: int = 1
    dim: int = 3  # coordinates of a joint
    silhouettes: tuple[int, int] | None = None  # height and width, for silhouette models
    face: int | None = None  # height and width of a face, for models without a skeleton
    max_batch: int = 1024  # for models that take seconds per sequence
    loss: Callable[[Tensor], Tensor] = mean_square
    builder: str | None = None  # name of the model, if it is not that of the workload


# The sizes of the papers. Models without an entry are measured with Workload().
WORKLOADS = {
    'dsta_net': Workload(
        frames=128,
        options={
            'focal_joints': False,
            'part_branch': False,
            'temporal_attention': False,
            'normalization': 'tanh',
            'per_frame': False,
            'dilations': (1,),
        },
        builder='fg_stformer',
    ),
    'gaitformer': Workload('coco17', 60, dim=2, loss=triplet_loss),
    'gaitmixer': Workload('coco17', 60, min_frames=31, dim=2, loss=triplet_loss),
    'lmgcs': Workload(frames=30, silhouettes=(64, 44), loss=triplet_loss, max_batch=4),
    'lmgcs_ou_mvlp': Workload(frames=30, silhouettes=(64, 44), loss=triplet_loss, max_batch=4),
    'msa_gcn': Workload('emotion_gait16', 48, {'num_classes': 4}),
    'spagnn': Workload(frames=1, options={'num_classes': 7}, face=48),
    'spagnn_shared': Workload(
        frames=1,
        options={
            'num_classes': 7,
            'channels': (32, 64, 128),
            'num_layers': (1, 2, 2),
            'shared': True,
            'batch_norm': True,
            'pool_last': False,
        },
        face=48,
        builder='spagnn',
    ),
    'spegnn': Workload(frames=1, options={'num_classes': 7}, face=48),
    'ssgnn': Workload(frames=1, options={'num_classes': 7}, face=48),
    'st_gcn': Workload('ntu25', 64, {'num_classes': 60}),
}
# Values of required arguments of builders.
REQUIRED = {'num_classes': 60, 'embedding_dim': 128, 'in_channels': 3}


def get_workload(name: str, frames: int | None = None) -> Workload:
    """Returns the workload of a model, with another number of frames if it has frames."""
    workload = WORKLOADS.get(name, Workload())
    if frames is None or workload.face is not None:
        return workload
    return replace(workload, frames=max(frames, workload.min_frames))


def workload_names() -> list[str]:
    """Returns the models, and the networks that are models with other options."""
    return sorted({*models.list_models(), *WORKLOADS})


def get_builder(name: str) -> Callable[..., Module]:
    """Returns the builder of the model of a workload."""
    return getattr(models, get_workload(name).builder or name)


@cache
def face_graph(size: int) -> PointGraph:
    """Returns a graph of 40% of the pixels of a square with all modes, coarsened twice."""
    pos = sample_pixels(size, size)
    return PointGraph.from_points(pos, num_modes=len(pos), levels=2, ratio=0.25)


def make_model(name: str, builder: Callable[..., Module], workload: Workload) -> Module:
    """Builds a model for the skeleton or the face graph of its workload."""
    parameters = inspect.signature(builder).parameters.values()
    required = [p.name for p in parameters if p.default is p.empty and p.kind != p.VAR_KEYWORD]
    options = {key: REQUIRED[key] for key in required if key in REQUIRED} | workload.options
    if workload.face is not None:
        options['graph'] = face_graph(workload.face)
    elif workload.silhouettes is None:
        options['skeleton'] = workload.skeleton
    unknown = set(required) - set(options)
    if unknown or ('skeleton' in options and 'skeleton' not in [p.name for p in parameters]):
        raise ValueError(
            f'the builder {name!r} requires {required}, but the benchmark only provides a skeleton '
            f'and {sorted(REQUIRED)}: add an entry to WORKLOADS'
        )
    return builder(**options)


def make_inputs(name: str, model: Module, workload: Workload, batch_size: int) -> list[Tensor]:
    """Returns the fields in the ``inputs`` of the model for a batch of random sequences."""
    skeleton = get_skeleton(workload.skeleton)
    shape = (batch_size, workload.frames, skeleton.num_joints)
    sequences = zip(torch.randn(*shape, workload.dim), 0.1 + 0.9 * torch.rand(shape))
    samples = [from_array(pos, skeleton, score, 'TVC', y=0) for pos, score in sequences]
    batch = ToStream('joint')(Batch.from_data_list(samples))
    if workload.silhouettes is not None:
        batch.silhouettes = torch.rand(*shape[:2], *workload.silhouettes).round()
    if workload.face is not None:
        batch.x = torch.rand(batch_size * face_graph(workload.face).num_nodes, 1)
    unknown = [key for key in model.inputs if key not in batch]
    if unknown:
        raise ValueError(
            f'the model {name!r} reads the fields {list(model.inputs)}, but random batches have no '
            f'{unknown}: add them to make_inputs'
        )
    return [batch[key] for key in model.inputs]
