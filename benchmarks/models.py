"""Size and speed of every model: parameters, operations, sequences a second, memory.

    python -m benchmarks.models                                   # all models, some minutes
    python -m benchmarks.models --model st_gcn --batch 64 --no-compile
    python -m benchmarks.models --device cuda
    python -m benchmarks.models --tiny                            # does it run: seconds

Every model of :func:`graphmotion.models.list_models` is here by itself. Where there is an
alternative in plain torch, it has the same weights, and has to give the same results and gradients
before anything is timed. How to read the table: README.md beside this file.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import (
    GELU,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Module,
    Parameter,
    ReflectionPad2d,
    Sequential,
)
from torch.nn.functional import normalize, softmax, triplet_margin_loss
from torch_geometric.data import Batch

from benchmarks.common import (
    environment,
    facts_line,
    markdown,
    operations,
    parse,
    parser,
    peak_memory,
    quartiles,
    ratio,
    time_together,
    write_json,
)
from graphmotion import models
from graphmotion.data import from_array, to_dense
from graphmotion.graphs import PointGraph, sample_pixels
from graphmotion.models.gaitmixer import AttentionBlock, GaitMixer, TemporalMixerBlock
from graphmotion.models.st_gcn import STGCN, SpatioTemporalBlock
from graphmotion.nn import MotionBatchNorm
from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import ToStream

TINY = {'batch': 2, 'frames': 8, 'compile': False}
TOLERANCE = 1e-3  # of single precision through a whole network
OURS, PLAIN = 'graphmotion', 'plain torch, NCHW'
EAGER, COMPILED = 'eager', 'compiled'

# Examples #####################################################################################


def mean_square(out: Tensor) -> Tensor:
    """A loss of whatever a model gives."""
    return out.square().mean()


def triplets(out: Tensor) -> Tensor:
    """The loss of embeddings, each nearer to the next than to that after it."""
    return triplet_margin_loss(out, out.roll(1, dims=0), out.roll(2, dims=0))


@dataclass(frozen=True)
class Example:
    """The sequences that a model is measured on, and what it is trained for."""

    skeleton: str = 'ntu25'
    frames: int = 64
    options: dict[str, Any] = field(default_factory=dict)  # of the builder
    at_least: int = 1  # frames that the model needs
    dim: int = 3  # coordinates of a joint
    silhouettes: tuple[int, int] | None = None  # height and width, for a model without skeleton
    face: bool = False  # on pixels of a face, for a model without skeleton
    at_most: int = 1024  # sequences of a batch, where one takes seconds
    loss: Callable[[Tensor], Tensor] = mean_square


# Those of its paper; a model that is not here is measured on Example().
EXAMPLES = {
    'gaitformer': Example('coco17', 60, dim=2, loss=triplets),
    'gaitmixer': Example('coco17', 60, at_least=31, dim=2, loss=triplets),
    'lmgcs': Example(frames=30, silhouettes=(64, 44), loss=triplets, at_most=4),
    'lmgcs_ou_mvlp': Example(frames=30, silhouettes=(64, 44), loss=triplets, at_most=4),
    'msa_gcn': Example('emotion_gait16', 48, {'num_classes': 4}),
    'spagnn': Example(frames=1, options={'num_classes': 7}, face=True),
    'spegnn': Example(frames=1, options={'num_classes': 7}, face=True),
    'ssgnn': Example(frames=1, options={'num_classes': 7}, face=True),
    'st_gcn': Example('ntu25', 64, {'num_classes': 60}),
}
# For what else a builder requires.
REQUIRED = {'num_classes': 60, 'embedding_dim': 128, 'in_channels': 3}


@cache
def face_graph() -> PointGraph:
    """Two pixels in five of an image of 48 x 48, with all modes, coarsened twice."""
    pos = sample_pixels(48, 48)
    return PointGraph.from_points(pos, num_modes=len(pos), levels=2, ratio=0.25)


def make_model(name: str, builder: Callable[..., Module], example: Example) -> Module:
    """The model for the skeleton of its example."""
    parameters = inspect.signature(builder).parameters.values()
    required = [p.name for p in parameters if p.default is p.empty and p.kind != p.VAR_KEYWORD]
    options = {key: REQUIRED[key] for key in required if key in REQUIRED} | example.options
    if example.face:
        options['graph'] = face_graph()
    elif example.silhouettes is None:
        options['skeleton'] = example.skeleton
    unknown = set(required) - set(options)
    if unknown or ('skeleton' in options and 'skeleton' not in [p.name for p in parameters]):
        raise ValueError(
            f'the builder {name!r} takes {required}, and the benchmark knows to give it a skeleton '
            f'and {sorted(REQUIRED)}: add what it needs to EXAMPLES'
        )
    return builder(**options)


def make_inputs(name: str, model: Module, example: Example, batch: int) -> list[Tensor]:
    """The fields of a batch of random sequences that the model names in its ``inputs``."""
    skeleton = get_skeleton(example.skeleton)
    shape = (batch, example.frames, skeleton.num_joints)
    sequences = zip(torch.randn(*shape, example.dim), 0.1 + 0.9 * torch.rand(shape))
    samples = [from_array(pos, skeleton, score, y=0) for pos, score in sequences]
    fields = ToStream('joint')(Batch.from_data_list(samples))
    if example.silhouettes is not None:
        fields.silhouettes = torch.rand(*shape[:2], *example.silhouettes).round()
    if example.face:
        fields.x = torch.rand(batch * face_graph().num_nodes, 1)
    unknown = [key for key in model.inputs if key not in fields]
    if unknown:
        raise ValueError(
            f'the model {name!r} reads the fields {list(model.inputs)}, of which a motion sequence '
            f'has no {unknown}: teach make_inputs to make them'
        )
    return [fields[key] for key in model.inputs]


# Alternatives #################################################################################


class PlainSTGCN(Module):
    """ST-GCN as code for skeletons usually has it, on images, with the weights of ours."""

    def __init__(self, model: STGCN) -> None:
        super().__init__()
        self.num_joints = model.skeleton.num_joints
        self.input_norm = copy_norm(model.input_norm, BatchNorm1d)
        self.layers = Sequential(*map(PlainBlock, model.layers))
        self.fc = Conv2d(model.lin.in_features, model.lin.out_features, 1)
        weight = model.lin.weight[..., None, None]
        self.fc.load_state_dict({'weight': weight, 'bias': model.lin.bias})

    def convert(self, x: Tensor, *_: Tensor) -> list[Tensor]:
        """[B * V, T, C] as [B, C, T, V], in memory of its own."""
        return [to_image(x, self.num_joints)]

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, T, V] to logits [B, num_classes]."""
        size, channels, frames, joints = x.shape
        x = x.permute(0, 3, 1, 2).contiguous().view(size, joints * channels, frames)
        x = self.input_norm(x).view(size, joints, channels, frames)
        x = x.permute(0, 2, 3, 1).contiguous()
        x = self.layers(x)
        x = torch.nn.functional.avg_pool2d(x, x.shape[2:])
        return self.fc(x).flatten(1)


class PlainBlock(Module):
    """A layer of it: pointwise convolution, einsum with the adjacency, temporal convolution."""

    def __init__(self, block: SpatioTemporalBlock) -> None:
        super().__init__()
        num, size, out = block.spatial.weight.shape
        self.register_buffer('adj', block.adj)
        self.edge_importance = Parameter(block.spatial.edge_importance.detach().clone())
        self.gcn = Conv2d(size, num * out, 1)
        weight = block.spatial.weight.transpose(1, 2).reshape(num * out, size, 1, 1)
        self.gcn.load_state_dict({'weight': weight, 'bias': block.spatial.bias.flatten()})
        self.tcn = Sequential(
            copy_norm(block.spatial_norm, BatchNorm2d),
            torch.nn.ReLU(),
            copy_conv(block.temporal.conv),
            copy_norm(block.temporal_norm, BatchNorm2d),
            Dropout(block.dropout.p),
        )
        self.shortcut = block.shortcut and Sequential()
        if isinstance(block.shortcut, Sequential):
            conv, norm = block.shortcut
            self.shortcut = Sequential(copy_conv(conv.conv), copy_norm(norm, BatchNorm2d))

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        out = self.gcn(x).unflatten(1, (len(self.adj), -1))
        out = torch.einsum('nkctv,kwv->nctw', out, self.adj * self.edge_importance).contiguous()
        out = self.tcn(out)
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        return out.relu()


class PlainGaitMixer(Module):
    """GaitMixer as one writes it first, with the weights of ours: attention on sequences of joints,
    depthwise and pointwise convolutions on images.
    """

    def __init__(self, model: GaitMixer) -> None:
        super().__init__()
        model = deepcopy(model)
        self.num_joints = model.skeleton.num_joints
        self.lin, self.position = model.spatial.lin, model.spatial.position
        self.blocks = Sequential(*map(PlainAttentionBlock, model.spatial.blocks))
        self.spatial_norm = model.spatial.norm
        self.layers = Sequential(*map(PlainTemporalBlock, model.temporal))
        self.norm, self.fc = model.norm, model.lin

    def convert(self, x: Tensor, *_: Tensor) -> list[Tensor]:
        """[B * V, T, C] as [B, C, T, V], in memory of its own."""
        return [to_image(x, self.num_joints)]

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, T, V] to embeddings [B, D]."""
        size, channels, frames, joints = x.shape
        x = x.permute(0, 2, 3, 1).reshape(size * frames, joints, channels)
        x = self.spatial_norm(self.blocks(self.lin(x) + self.position))
        x = x.view(size, frames, joints, -1).permute(0, 3, 1, 2).contiguous()
        x = self.layers(x)
        x = torch.nn.functional.avg_pool2d(x, x.shape[2:]).flatten(1)
        return normalize(self.fc(self.norm(x)), dim=-1)


class PlainAttentionBlock(Module):
    """A block of it over joints: one product for queries, keys and values, a softmax a head."""

    def __init__(self, block: AttentionBlock) -> None:
        super().__init__()
        self.heads = block.attention.heads
        self.norms = Sequential(block.attention_norm, block.mlp_norm)
        self.qkv, self.proj, self.mlp = block.attention.qkv, block.attention.proj, block.mlp

    def forward(self, x: Tensor) -> Tensor:
        """[B * T, V, C] to the same."""
        size, joints, channels = x.shape
        qkv = self.qkv(self.norms[0](x)).reshape(size, joints, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        weights = softmax(query @ key.transpose(-2, -1) * query.size(-1) ** -0.5, dim=-1)
        x = x + self.proj((weights @ value).transpose(1, 2).reshape(size, joints, channels))
        return x + self.mlp(self.norms[1](x))


class PlainTemporalBlock(Module):
    """A block of it over frames: mirrored frames, a kernel for each channel, then a linear map."""

    def __init__(self, block: TemporalMixerBlock) -> None:
        super().__init__()
        depthwise = block.conv.depthwise
        (begin, end), channels = depthwise.ends, depthwise.channels
        image = Conv2d(channels, channels, (block.conv.kernel_size, 1), groups=channels)
        weight = depthwise.weight.unsqueeze(3)
        image.load_state_dict({'weight': weight, 'bias': depthwise.bias})
        self.layers = Sequential(
            Dropout(block.dropout.p),
            ReflectionPad2d((0, 0, begin, end)),
            image,
            to_pointwise(block.conv.pointwise),
            GELU(),
            copy_norm(block.norm, BatchNorm2d),
        )
        self.shortcut = Sequential()
        if isinstance(block.shortcut, Sequential):
            lin, _, norm = block.shortcut
            self.shortcut = Sequential(to_pointwise(lin), GELU(), copy_norm(norm, BatchNorm2d))

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        return self.layers(x) + self.shortcut(x)


def to_image(x: Tensor, num_joints: int) -> Tensor:
    """[B * V, T, C] as [B, C, T, V], in memory of its own."""
    return to_dense(x, num_joints).permute(0, 3, 2, 1).contiguous()


def copy_conv(conv: Conv2d) -> Conv2d:
    """A convolution along frames for images [B, C, T, V] with the weights of ours."""
    (_, size), (_, stride), (_, padding) = conv.kernel_size, conv.stride, conv.padding
    out = Conv2d(conv.in_channels, conv.out_channels, (size, 1), (stride, 1), (padding, 0))
    out.load_state_dict({'weight': conv.weight.transpose(2, 3).contiguous(), 'bias': conv.bias})
    return out


def to_pointwise(lin: Module) -> Conv2d:
    """A linear map of channels as a convolution of images, with the weights of ours."""
    size, channels = lin.weight.shape[:2]
    out = Conv2d(channels, size, 1)
    out.load_state_dict({'weight': lin.weight.view(size, channels, 1, 1), 'bias': lin.bias})
    return out


def copy_norm(norm: MotionBatchNorm, kind: type) -> Module:
    """A normalisation of images with the weights of ours."""
    out = kind(norm.norm.num_features, norm.norm.eps)
    out.load_state_dict(norm.norm.state_dict())
    return out


# By the name of the model; each makes its own input of ours.
ALTERNATIVES: dict[str, Callable[[Any], Module]] = {
    'gaitmixer': PlainGaitMixer,
    'st_gcn': PlainSTGCN,
}


# Measurement ##################################################################################


@dataclass
class Side:
    """A model with its input, and how it is run."""

    name: str
    mode: str
    model: Module
    inputs: list[Tensor]
    run: Callable[..., Any]  # the model, or what a compiler made of it
    loss: Callable[[Tensor], Tensor] = mean_square

    def inference(self) -> Callable[[], Tensor]:
        """A function that gives the output, without a record for gradients."""
        self.model.eval()

        def call() -> Tensor:
            with torch.no_grad():
                return first(self.run(*self.inputs))

        return call

    def training(self) -> Callable[[], None]:
        """A function that makes one step: forward, backward, update."""
        self.model.train()
        # So slow that the weights stay what they are.
        optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-12)

        def step() -> None:
            self.loss(first(self.run(*self.inputs))).backward()
            optimizer.step()
            optimizer.zero_grad()

        return step

    def results(self) -> list[Tensor]:
        """Output and gradient of the first input, of the network as in inference."""
        self.model.eval()
        x = self.inputs[0].detach().requires_grad_()
        out = first(self.run(x, *self.inputs[1:]))
        # Not that of a square sum: embeddings of length one have none.
        weight = torch.linspace(-1, 1, out.numel(), device=x.device).view(out.shape)
        (gradient,) = torch.autograd.grad(out, x, weight)
        return [out.detach(), gradient]


def first(out: Any) -> Tensor:
    """The logits, or embeddings, of a model that returns more than those, too."""
    return out[0] if isinstance(out, (tuple, list)) else out


def check(side: Side, against: Side) -> float:
    """The largest distance of results and gradients, relative to the length of each.

    Not that of single numbers: where a number is about zero, a rectifier passes its gradient on
    one side and not on the other. Raises an error where it is more than rounding: what differs is
    not compared.
    """
    a, b = against.results(), side.results()
    if (side.name, against.name) == (PLAIN, OURS):
        a[1:] = side.model.convert(a[1])
    for x, y in zip(a, b, strict=True):
        if x.shape != y.shape:
            raise AssertionError(f'shapes differ: {list(x.shape)} and {list(y.shape)}')
    value = max(float((x - y).norm() / x.norm()) for x, y in zip(a, b))
    if not value <= TOLERANCE:
        names = [f'{s.name}, {s.mode}' for s in (side, against)]
        raise AssertionError(f'{names[0]} and {names[1]} differ by {value:.1e}')
    return value


def compiled(side: Side) -> tuple[Side | None, str]:
    """The side compiled, both for inference and for training, or why that is not possible."""
    out = replace(side, mode=COMPILED, run=torch.compile(side.model))
    try:
        out.inference()()
        out.training()()
    except Exception as error:  # whatever a compiler, or the compiler under it, may raise
        return None, f'{type(error).__name__}: {str(error).strip().splitlines()[0]}'
    return out, ''


def settle(model: Module, inputs: list[Tensor]) -> None:
    """Statistics of its data for the normalisations, so that numbers keep their size."""
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(*inputs)


def measure(
    name: str, builder: Callable[..., Module], args: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """One result for each pass, mode and side of a model."""
    torch.manual_seed(0)
    torch.compiler.reset()
    example = EXAMPLES.get(name, Example())
    if args.frames is not None and not example.face:
        example = replace(example, frames=max(args.frames, example.at_least))
    batch = min(args.batch, example.at_most)
    model = make_model(name, builder, example).to(args.device)
    inputs = [x.to(args.device) for x in make_inputs(name, model, example, batch)]
    settle(model, inputs)
    sides = [Side(OURS, EAGER, model, inputs, model, example.loss)]
    if name in ALTERNATIVES:
        other = ALTERNATIVES[name](model).to(args.device)
        sides.append(Side(PLAIN, EAGER, other, other.convert(*inputs), other, example.loss))
    facts = {
        'model': name,
        'skeleton': None if example.silhouettes or example.face else example.skeleton,
        'batch': batch,
        'joints': face_graph().num_nodes
        if example.face
        else getattr(model, 'num_strips', get_skeleton(example.skeleton).num_joints),
        'frames': example.frames,
        'parameters': sum(p.numel() for p in model.parameters()),
        'flops': operations(sides[0].inference()) // batch,
    }
    apart = [check(side, sides[0]) for side in sides]
    for side in list(sides) if args.compile else ():
        made, reason = compiled(side)
        if made is not None:
            sides.append(made)
            apart.append(check(made, side))
        else:
            yield {**facts, 'side': side.name, 'mode': COMPILED, 'error': reason}

    passes = {'inference': Side.inference}
    if args.backward:
        passes['training'] = Side.training
    for label, make in passes.items():
        runs = [make(side) for side in sides]
        for run in runs:
            run()  # what is made once, such as the state of the optimizer, is not of a step
        memory = [peak_memory(run, args.device) for run in runs]
        numbered = {str(i): run for i, run in enumerate(runs)}
        times = list(time_together(numbered, args.rounds, args.seconds, args.threads).values())
        for i, side in enumerate(sides):
            yield {
                **facts,
                'pass': label,
                'side': side.name,
                'mode': side.mode,
                'seconds': quartiles(times[i]),
                'rounds': times[i],
                'sequences_per_second': quartiles([batch / t for t in times[i]]),
                'memory': memory[i],
                'ratio': ratio(times[i], times[0]) if i else None,
                'difference': apart[i],
            }


# Reports ######################################################################################

HEAD = (
    'model',
    'size',
    'parameters',
    'MFLOP',
    'pass',
    'side',
    'sequences/s',
    'IQR',
    'MB',
    'ratio',
    'from - to',
)
TEXT = ('model', 'size', 'pass', 'side')


def cells(result: dict[str, Any]) -> tuple[str, ...]:
    """A result as the table shows it."""
    shape = 'x'.join(str(result[name]) for name in ('batch', 'joints', 'frames'))
    side = f'{result["side"]}, {result["mode"]}'
    size = f'{result["parameters"]:,}', f'{result["flops"] / 1e6:.0f}'
    if 'error' in result:
        return result['model'], shape, *size, '', f'{side}: {result["error"]}', *([''] * 5)
    speed, faster = result['sequences_per_second'], result['ratio']
    return (
        result['model'],
        shape,
        *size,
        result['pass'],
        side,
        f'{speed["median"]:#.3g}'.rstrip('.'),
        f'{speed["high"] - speed["low"]:#.2g}'.rstrip('.'),
        f'{result["memory"] / 1e6:.3g}',
        f'{faster["median"]:.2f}' if faster else '',
        f'{faster["low"]:.2f} - {faster["high"]:.2f}' if faster else '',
    )


def options() -> argparse.ArgumentParser:
    """What can be asked for on the command line."""
    out = parser(__doc__, rounds=5, seconds=0.2)
    names = models.list_models()
    out.add_argument('--model', nargs='+', choices=names, default=names, metavar='NAME')
    out.add_argument('--batch', type=int, default=16, help='sequences B')
    out.add_argument('--frames', type=int, help='frames T; by default those of the paper')
    out.add_argument(
        '--compile',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='also with torch.compile (default), which takes a minute or so a model',
    )
    return out


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    args = parse(options(), argv, TINY)
    facts = environment(args.device, args.threads)
    results = [
        result for name in args.model for result in measure(name, getattr(models, name), args)
    ]
    print(facts_line(facts), end='\n\n')
    print(markdown(HEAD, map(cells, results), left=TEXT))
    write_json(args.json, environment=facts, results=results)
    return results


if __name__ == '__main__':
    main()
