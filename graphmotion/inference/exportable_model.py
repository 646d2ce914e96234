"""Models and their transforms as functions of plain tensors."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import Module, ModuleList
from torch_geometric.data import Batch
from torch_geometric.transforms import Compose

from graphmotion.data import make_uniform_batch

# Dimensions of the inputs. Those of samples with several people have people after batch.
MOTION_DIMS = {
    'joints': ('batch', 'frames', 'joints', 'channels'),
    'x': ('batch', 'frames', 'joints', 'channels'),
    'score': ('batch', 'frames', 'joints'),
    'num_frames': ('batch',),
}
SILHOUETTE_DIMS = {'silhouettes': ('batch', 'frames', 'height', 'width'), 'num_frames': ('batch',)}
FACE_DIMS = {'x': ('batch', 'nodes', 'channels'), 'eigenvectors': ('batch', 'nodes', 'modes')}


class Stream(NamedTuple):
    """A model with one or more transforms, over which its outputs are averaged."""

    model: Module
    transforms: Sequence[Callable | None] = (None,)
    weight: float = 1.0


class ExportableModel(Module):
    r"""One or more models with their transforms, as a function of plain tensors.

    The tensors are assembled to a batch, to which the transforms are applied. Several models are
    fused as by :func:`~graphmotion.metrics.fuse_streams`.

    Args:
        streams (sequence of Stream): The models.
        dims (mapping): For each input, in order, the names of its dimensions.
        num_nodes (int): Number of nodes of a sample.
        probabilities (bool, optional): If set to :obj:`True`, returns class probabilities. Always
            the case for several models. (default: :obj:`False`)
        fusion (str, optional): What is fused: :obj:`"logits"` or :obj:`"probabilities"`.
            (default: :obj:`"logits"`)
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        dims: Mapping[str, Sequence[str]],
        num_nodes: int,
        probabilities: bool = False,
        fusion: str = 'logits',
    ) -> None:
        super().__init__()
        self.models = ModuleList(stream.model for stream in streams)
        self.transforms = [
            [list(iter_transforms(transform)) for transform in stream.transforms]
            for stream in streams
        ]
        self.weights = [stream.weight for stream in streams]
        self.dims = {name: tuple(names) for name, names in dims.items()}
        self.num_nodes = num_nodes
        self.probabilities = probabilities
        self.fusion = fusion

    def forward(self, *inputs: Tensor) -> Tensor:
        """Returns the outputs of a batch; ``inputs`` are in the order of ``dims``."""
        single = len(self.models) == 1
        outputs = []
        for model, groups in zip(self.models, self.transforms):
            outs = [_call(model, self._transformed(transforms, inputs)) for transforms in groups]
            if single and self.probabilities:
                outs = [out.softmax(dim=-1) for out in outs]
            outputs.append(outs[0] if len(outs) == 1 else torch.stack(outs).mean(dim=0))
        if single:
            return outputs[0]
        if self.fusion == 'logits':
            parts = [weight * out for weight, out in zip(self.weights, outputs)]
            return torch.stack(parts).sum(dim=0).softmax(dim=-1)
        total = sum(self.weights)
        parts = [w / total * out.softmax(dim=-1) for w, out in zip(self.weights, outputs)]
        return torch.stack(parts).sum(dim=0)

    def _transformed(self, transforms: Sequence[Callable], inputs: Sequence[Tensor]) -> Batch:
        batch = self.make_batch(inputs)
        for transform in transforms:
            batch = _apply(transform, batch)
        return batch

    def make_batch(self, inputs: Sequence[Tensor]) -> Batch:
        """Assembles a batch of graphs."""
        fields = {}
        for (name, dims), value in zip(self.dims.items(), inputs):
            if 'joints' in dims:  # nodes first
                axis = dims.index('frames')
                value = value.transpose(axis, axis + 1).flatten(0, axis)
            elif 'nodes' in dims:
                value = value.flatten(0, 1)
            fields['pos' if name == 'joints' else name] = value
        return make_uniform_batch(fields, inputs[0].size(0), self.num_nodes, inputs[0].device)


def iter_transforms(transform: Callable | None) -> Iterator[Callable]:
    """Yields the transforms in a composition."""
    if isinstance(transform, Compose):
        for part in transform.transforms:
            yield from iter_transforms(part)
    elif transform is not None:
        yield transform


def check_deterministic(model: ExportableModel, inputs: Sequence[Tensor]) -> None:
    """Raises an error if a transform draws random numbers."""
    random = []
    for transforms in itertools.chain.from_iterable(model.transforms):
        batch = model.make_batch(inputs)
        for transform in transforms:
            with torch.random.fork_rng(devices=[]):
                state = torch.get_rng_state()
                batch = transform(batch)
                drawn = not torch.equal(state, torch.get_rng_state())
            if drawn:
                random.append(str(transform))
    if random:
        raise ValueError(
            f'transform must be deterministic to be exported, got the random {", ".join(random)}; '
            'pass one without them, as in export(recognizer.model, path, transform=...)'
        )


def _apply(transform: Callable, batch: Batch) -> Batch:
    try:
        return transform(batch)
    except Exception as error:  # exporters raise many types of exceptions
        reason = str(error).strip().partition('\n')[0]
        raise ValueError(
            f'transform must consist of tensor operations to be exported, got {transform}, which '
            f'does not ({type(error).__name__}: {reason}); export a transform without it and apply '
            f'it before calling the exported model'
        ) from error


def _call(model: Module, batch: Batch) -> Tensor:
    names: Any = getattr(model, 'inputs', ('x',))
    optional: Any = getattr(model, 'optional_inputs', ())
    # The vector batch only validates, and without num_frames there is no padding.
    args = [None if name == 'batch' else batch.get(name) for name in names]
    return cast(Tensor, model(*args, **{k: batch[k] for k in optional if k in batch}))
