"""Time every operator side by side with what one would write without this library.

    python benchmarks/operators.py                                # everything, about 2 minutes
    python benchmarks/operators.py --operator TemporalConv --batch 64 --frames 128
    python benchmarks/operators.py --tiny                         # does it run: seconds

Before anything is timed, both sides have to give the same results and gradients. How to read
the table: README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch_geometric
from torch import Tensor
from torch.nn import BatchNorm1d, BatchNorm2d, Conv1d, Conv2d, Module, ModuleList
from torch.utils.benchmark import Measurement, Timer
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GCNConv
from torch_geometric.utils import dense_to_sparse, scatter, softmax, to_torch_csr_tensor

from graphmotion.data import edges_of_bodies, from_array, to_dense
from graphmotion.datasets import MotionDataset
from graphmotion.nn import (
    ChannelGate,
    CrossScaleConv,
    MotionBatchNorm,
    PartPooling,
    ScaleFusion,
    SelectiveTemporalConv,
    SpatialConv,
    SpatialGate,
    TemporalConv,
)
from graphmotion.skeletons import get_skeleton, list_skeletons

SKELETONS = {get_skeleton(name).num_joints: name for name in list_skeletons()}
TINY = {'batch': 4, 'joints': 16, 'frames': 6, 'channels': 8, 'rounds': 2, 'seconds': 0.001}
TOLERANCE = 1e-4  # of single precision: summed in another order, relative to the largest number

# What a row is made of ########################################################################


class Call:
    """A module or function with its arguments; :obj:`view` brings what it returns to our layout."""

    def __init__(self, module: Callable, *args: Any, view: Callable = lambda out: out) -> None:
        self.module = module
        self.args = args
        self.view = view
        flat = [a for arg in args for a in (arg if isinstance(arg, (tuple, list)) else [arg])]
        self.inputs = [a for a in flat if isinstance(a, Tensor) and a.requires_grad]

    def to(self, device: torch.device) -> Call:
        """Move the parameters; tensors are made where they belong."""
        if isinstance(self.module, Module):
            self.module.to(device)
        return self

    def forward(self) -> Any:
        """Forward alone, without a record for gradients."""
        with torch.no_grad():
            return self.module(*self.args)

    @property
    def leaves(self) -> list[Tensor]:
        """What to differentiate for: inputs and parameters."""
        parameters = self.module.parameters() if isinstance(self.module, Module) else ()
        return [*self.inputs, *parameters]

    def backward(self) -> Callable[[], Any]:
        """A function that runs forward and backward."""
        leaves, gradient = self.leaves, torch.randn_like(self.forward())
        return lambda: torch.autograd.grad(self.module(*self.args), leaves, gradient)

    def results(self) -> list[Tensor]:
        """The output, and where there are inputs to differentiate for, their gradients."""
        out = self.view(self.module(*self.args))
        if not self.inputs:
            return [out]
        torch.manual_seed(1)
        gradient = torch.randn(out.shape, device=out.device)
        gradients = torch.autograd.grad(out, self.inputs, gradient)
        return [out.detach(), *map(self.view, gradients)]


class Setup:
    """Sizes, and the tensors of those sizes that rows share."""

    def __init__(
        self, batch: int, joints: int, frames: int, channels: int, device: str = 'cpu'
    ) -> None:
        self.batch, self.joints, self.frames, self.channels = batch, joints, frames, channels
        self.device = torch.device(device)
        self.skeleton = get_skeleton(SKELETONS[joints])
        self.adj = self.skeleton.adjacency()[0].to(self.device)
        self.parts = self.skeleton.assignment(1)
        self.x = self.features(joints)

    def features(self, num_nodes: int) -> Tensor:
        """Random features of graphs with that many nodes."""
        x = torch.randn(self.batch * num_nodes, self.frames, self.channels, device=self.device)
        return x.requires_grad_()

    def image(self, x: Tensor) -> Tensor:
        """[B * V, T, C] as [B, C, T, V], the layout of image convolutions."""
        return own(to_dense(x, x.size(0) // self.batch).permute(0, 3, 2, 1))


def own(x: Tensor) -> Tensor:
    """Its own contiguous memory and gradient, so that no side pays for the other's layout."""
    return x.detach().contiguous().requires_grad_()


def from_image(x: Tensor) -> Tensor:
    """[B, C, T, V] as [B * V, T, C]."""
    return x.permute(0, 3, 2, 1).flatten(0, 1)


@dataclass(frozen=True)
class Row:
    """An operator, how it is used, and the function that makes both sides."""

    operator: str
    variant: str
    make: Callable[[Setup], tuple[Call, dict[str, Call]]]


ROWS: list[Row] = []


def row(operator: type, variant: str = '') -> Callable[[Callable], Callable]:
    """Add a function to the benchmark: it returns our call, and the alternatives by their names."""

    def add(make: Callable) -> Callable:
        ROWS.append(Row(operator.__name__, variant, make))
        return make

    return add


# Rows #########################################################################################


@row(SpatialConv, 'dense, shared')
def spatial_shared(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = SpatialConv(s.channels, s.channels)
    return Call(conv, s.x, s.adj), gcn_convs(s, conv, s.adj.expand(s.batch, -1, -1))


@row(SpatialConv, 'dense, per graph')
def spatial_per_graph(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv, adj = SpatialConv(s.channels, s.channels), weighted_bones(s)
    return Call(conv, s.x, adj), gcn_convs(s, conv, adj)


@row(SpatialConv, 'sparse')
def spatial_sparse(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv, adj = SpatialConv(s.channels, s.channels), weighted_bones(s)
    return Call(conv, s.x, edges_of(adj)), gcn_convs(s, conv, adj)


@row(SpatialConv, 'dense, 3 partitions')
def spatial_partitions(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = SpatialConv(s.channels, s.channels, num_partitions=3)
    adj = s.skeleton.adjacency('spatial').to(s.device)
    image = ImageSpatialConv(conv)
    return (
        Call(conv, s.x, adj),
        {'Conv2d, then einsum, in NCHW': Call(image, s.image(s.x), adj, view=from_image)},
    )


@row(CrossScaleConv, 'joints to parts')
def cross_scale(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = CrossScaleConv(s.channels, s.channels)
    sizes = (s.joints, len(s.parts))
    pair = (s.x, s.features(sizes[1]))
    all_to_all = torch.ones(sizes, device=s.device).nonzero().t()
    edges = edges_of_bodies(all_to_all, sizes, s.batch)
    return (
        Call(conv, pair, sizes),
        {'messages along all edges, softmax, scatter': Call(BipartiteMessages(conv), pair, edges)},
    )


@row(TemporalConv, 'kernel of 9')
def temporal(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = TemporalConv(s.channels, s.channels, kernel_size=9)
    line = Conv1d(s.channels, s.channels, 9, padding=4)
    line.load_state_dict({'weight': conv.conv.weight.squeeze(2), 'bias': conv.conv.bias})
    return (
        Call(conv, s.x),
        {
            'Conv1d on [B*V, C, T]': Call(line, own(s.x.mT), view=lambda out: out.mT),
            'Conv2d in NCHW': Call(image_conv(conv.conv), s.image(s.x), view=from_image),
        },
    )


@row(SelectiveTemporalConv, 'kernels of 5 and 9')
def selective(s: Setup) -> tuple[Call, dict[str, Call]]:
    conv = SelectiveTemporalConv(s.channels, s.channels, kernel_sizes=(5, 9))
    image = Call(ImageSelectiveConv(conv), s.image(s.x), view=from_image)
    return Call(conv, s.x, s.joints), {'the same in NCHW': image}


@row(PartPooling, 'mean')
def mean_pooling(s: Setup) -> tuple[Call, dict[str, Call]]:
    return pooling(s, 'mean')


@row(PartPooling, 'max')
def max_pooling(s: Setup) -> tuple[Call, dict[str, Call]]:
    return pooling(s, 'max')


@row(MotionBatchNorm)
def norm(s: Setup) -> tuple[Call, dict[str, Call]]:
    image = Call(BatchNorm2d(s.channels), s.image(s.x), view=from_image)
    return Call(MotionBatchNorm(s.channels), s.x), {'BatchNorm2d in NCHW': image}


@row(MotionBatchNorm, 'each node apart')
def norm_by_node(s: Setup) -> tuple[Call, dict[str, Call]]:
    size = s.joints * s.channels
    rows = own(to_dense(s.x, s.joints).mT.flatten(1, 2))
    line = Call(
        BatchNorm1d(size),
        rows,
        view=lambda out: out.unflatten(1, (s.joints, -1)).mT.flatten(0, 1),
    )
    return Call(MotionBatchNorm(s.channels, s.joints), s.x), {'BatchNorm1d on [B, V*C, T]': line}


@row(SpatialGate)
def spatial_gate(s: Setup) -> tuple[Call, dict[str, Call]]:
    gate = SpatialGate(s.channels)
    image = Call(ImageSpatialGate(gate), s.image(s.x), view=from_image)
    return Call(gate, s.x), {'the same in NCHW': image}


@row(ChannelGate)
def channel_gate(s: Setup) -> tuple[Call, dict[str, Call]]:
    gate = ChannelGate(s.channels)
    image = Call(ImageChannelGate(gate), s.image(s.x), view=from_image)
    return Call(gate, s.x, s.joints), {'the same in NCHW': image}


@row(ScaleFusion, '4 scales')
def fusion(s: Setup) -> tuple[Call, dict[str, Call]]:
    module = ScaleFusion(s.channels, num_scales=4)
    scales = [s.features(s.joints) for _ in range(4)]
    image = Call(ImageScaleFusion(module), [s.image(x) for x in scales], view=from_image)
    return Call(module, scales, s.joints), {'the same in NCHW': image}


@row(MotionDataset, 'get_batch, 4 batches')
def batches(s: Setup) -> tuple[Call, dict[str, Call]]:
    dataset = Walks(s, 4 * s.batch)
    plain = Plain(list(dataset))
    order = torch.arange(len(dataset)).split(s.batch)
    return (
        Call(lambda: [dataset.get_batch(samples) for samples in order], view=join),
        {
            'DataLoader, this dataset': Call(lambda: list(DataLoader(dataset, s.batch)), view=join),
            "DataLoader, PyG's InMemoryDataset": Call(
                lambda: list(DataLoader(plain, s.batch)), view=join
            ),
        },
    )


# Alternatives #################################################################################


def gcn_convs(s: Setup, conv: SpatialConv, adj: Tensor) -> dict[str, Call]:
    """PyG's convolution with the weights of ours, over the adjacency [B, V, V] of each graph.

    It gets the normalised edge weights, so that it needs not normalise.
    """
    gcn = GCNConv(s.channels, s.channels, normalize=False)
    weights = conv.state_dict()
    gcn.load_state_dict({'lin.weight': weights['weight'][0].t(), 'bias': weights['bias'][0]})
    frames = own(to_dense(s.x, s.joints).transpose(1, 2).flatten(0, 2))
    edge_index, weight = edges_of(adj.repeat_interleave(s.frames, dim=0))
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Sparse')  # that torch's support is in beta
        matrix = to_torch_csr_tensor(edge_index.flip(0), weight, (len(frames), len(frames)))

    def view(out: Tensor) -> Tensor:
        return out.view(s.batch, s.frames, s.joints, -1).transpose(1, 2).flatten(0, 1)

    return {
        'GCNConv, block-diagonal batch of frames': Call(gcn, frames, edge_index, weight, view=view),
        'GCNConv, the same as a sparse CSR matrix': Call(gcn, frames, matrix, view=view),
        'GCNConv, static graph on [T, B*V, C]': Call(
            gcn,
            own(s.x.transpose(0, 1)),
            *edges_of(adj),
            view=lambda out: out.transpose(0, 1),
        ),
    }


def edges_of(adj: Tensor) -> tuple[Tensor, Tensor]:
    """The edges and weights of the adjacency [B, V, V], whose rows receive."""
    return dense_to_sparse(adj.mT.contiguous())


def weighted_bones(s: Setup) -> Tensor:
    """The adjacency [B, V, V] of skeletons each of which weighs its bones in its own way."""
    adj = s.adj * (0.5 + torch.rand(s.batch, s.joints, s.joints, device=s.device))
    return adj / adj.sum(dim=-1, keepdim=True)


def pooling(s: Setup, reduce: str) -> tuple[Call, dict[str, Call]]:
    pool = PartPooling(s.parts, reduce)
    part = pool.part_of + pool.num_parts * torch.arange(s.batch).unsqueeze(1)
    part, num_parts = part.flatten().to(s.device), s.batch * pool.num_parts
    return Call(pool, s.x), {'scatter': Call(scatter, s.x, part, 0, num_parts, reduce)}


def image_conv(conv: Conv2d) -> Conv2d:
    """A convolution along frames for images [B, C, T, V] with the weights of ours."""
    size = conv.kernel_size[1]
    out = Conv2d(conv.in_channels, conv.out_channels, (size, 1), padding=(size // 2, 0))
    weight = conv.weight.transpose(2, 3).contiguous()
    out.load_state_dict({'weight': weight, 'bias': conv.bias})
    return out


class ImageSpatialConv(Module):
    """The partitioned convolution as the code of the ST-GCN paper has it."""

    def __init__(self, conv: SpatialConv) -> None:
        super().__init__()
        num, size, out = conv.weight.shape
        self.conv = Conv2d(size, num * out, 1)
        weight = conv.weight.transpose(1, 2).reshape(num * out, size, 1, 1)
        self.conv.load_state_dict({'weight': weight, 'bias': conv.state_dict()['bias'].flatten()})

    def forward(self, x: Tensor, adj: Tensor) -> Tensor:
        """Images [B, C, T, V] to images."""
        parts = self.conv(x).unflatten(1, (len(adj), -1))
        return torch.einsum('nkctv,kwv->nctw', parts, adj)


class BipartiteMessages(Module):
    """The convolution between scales as message passing from all joints to all parts."""

    def __init__(self, conv: CrossScaleConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, pair: tuple[Tensor, Tensor], edges: Tensor) -> Tensor:
        """Features of joints and parts to features of parts."""
        source = self.conv.source_embedding(pair[0].mean(dim=1))[edges[0]]
        target = self.conv.target_embedding(pair[1].mean(dim=1))[edges[1]]
        weight = softmax((source * target).sum(dim=-1), edges[1], num_nodes=pair[1].size(0))
        message = weight.view(-1, 1, 1) * self.conv.lin(pair[0])[edges[0]]
        return scatter(message, edges[1], dim=0, dim_size=pair[1].size(0), reduce='sum')


class ImageSelectiveConv(Module):
    """The selection among kernels on images [B, C, T, V]."""

    def __init__(self, conv: SelectiveTemporalConv) -> None:
        super().__init__()
        branches = (branch.get_submodule('conv') for branch in conv.convs)
        self.convs = ModuleList(image_conv(branch) for branch in branches)  # type: ignore[arg-type]
        self.squeeze, self.norm, self.select = conv.squeeze, conv.norm, conv.select

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        branches = [conv(x) for conv in self.convs]
        z = self.norm(self.squeeze(sum(branches).mean(dim=(2, 3)))).relu()
        weights = torch.stack([select(z) for select in self.select]).softmax(dim=0)
        return sum(u * a[:, :, None, None] for u, a in zip(branches, weights))


class ImageSpatialGate(Module):
    """The gate of nodes on images [B, C, T, V]."""

    def __init__(self, gate: SpatialGate) -> None:
        super().__init__()
        self.conv = Conv2d(gate.channels, 1, 1)
        weight = gate.lin.weight[..., None, None]
        self.conv.load_state_dict({'weight': weight, 'bias': gate.lin.bias})

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        return self.conv(x).sigmoid() * x


class ImageChannelGate(Module):
    """The gate of channels on images [B, C, T, V]."""

    def __init__(self, gate: ChannelGate) -> None:
        super().__init__()
        self.mlp = gate.mlp

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        return x * self.mlp(x.mean(dim=(2, 3))).sigmoid()[:, :, None, None]


class ImageScaleFusion(Module):
    """The fusion of scales on images [B, C, T, V]."""

    def __init__(self, module: ScaleFusion) -> None:
        super().__init__()
        self.channel_gate = ImageChannelGate(module.channel_gate)  # type: ignore[arg-type]
        self.spatial_gate = ImageSpatialGate(module.spatial_gate)  # type: ignore[arg-type]

    def forward(self, xs: list[Tensor]) -> Tensor:
        """Images to an image."""
        gated = self.channel_gate(torch.cat(xs, dim=1)).unflatten(1, (len(xs), -1))
        return self.spatial_gate(gated.sum(dim=1))


class Walks(MotionDataset):
    """Random positions, labelled."""

    def __init__(self, s: Setup, num_samples: int) -> None:
        self.skeleton = s.skeleton
        self.shape = (num_samples, s.frames, s.joints, 3)
        super().__init__()

    def read(self) -> Iterator[Data]:
        """Yield the samples."""
        for i, keypoints in enumerate(torch.randn(self.shape)):
            yield from_array(keypoints, self.skeleton, y=i % 4, subject=i)


class Plain(InMemoryDataset):
    """Samples as PyG keeps them; it holds on to each once it was asked for."""

    def __init__(self, samples: list[Data]) -> None:
        super().__init__()
        self.data, self.slices = self.collate(samples)


def join(batches: list) -> Tensor:
    """The fields of batches in one line."""
    names = ('pos', 'edge_index', 'batch', 'ptr', 'y', 'subject', 'num_frames')
    return torch.cat([batch[name].flatten().float() for batch in batches for name in names])


# Measurement ##################################################################################


def difference(ours: Call, other: Call) -> float:
    """The largest difference of results and gradients, relative to the largest number in them."""
    pairs = list(zip(ours.results(), other.results(), strict=True))
    for a, b in pairs:
        if a.shape != b.shape:
            raise AssertionError(f'shapes differ: {list(a.shape)} and {list(b.shape)}')
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def count_operations(call: Call, backward: bool) -> int | None:
    """Operations of the matrix products; None where they are too few to bound the time."""
    if not call.inputs:
        return None
    with FlopCounterMode(display=False) as counter:
        out = call.module(*call.args)
        if backward:
            out.sum().backward()
    for leaf in call.leaves:
        leaf.grad = None
    numbers = out.numel() + sum(x.numel() for x in call.inputs)
    return counter.get_total_flops() if counter.get_total_flops() >= 10 * numbers else None


def time_together(
    runs: dict[str, Callable], rounds: int, seconds: float, threads: int
) -> dict[str, list[Measurement]]:
    """Time all in turn, several rounds, each round beginning with another of them."""
    timers = {
        name: Timer('run()', globals={'run': run}, num_threads=threads)
        for name, run in runs.items()
    }
    names = list(runs)
    times: dict[str, list[Measurement]] = {name: [] for name in names}
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            times[name].append(timers[name].blocked_autorange(min_run_time=seconds))
    return times


def quartiles(values: list[float]) -> dict[str, float]:
    low, median, high = torch.tensor(values, dtype=torch.float64).quantile(
        torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    )
    return {'median': float(median), 'low': float(low), 'high': float(high)}


def measure(entry: Row, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One result for each pass and alternative of a row."""
    torch.manual_seed(0)
    s = Setup(args.batch, args.joints, args.frames, args.channels, args.device)
    ours, others = entry.make(s)
    calls = {'ours': ours.to(s.device), **{k: v.to(s.device) for k, v in others.items()}}
    apart = {name: difference(ours, other) for name, other in others.items()}
    for name, value in apart.items():
        if not value <= TOLERANCE:
            raise AssertionError(f'{entry.operator} differs from {name}: {value:.1e}')

    size = 64 if args.tiny else 1024 if s.device.type == 'cpu' else 8192
    a, b = torch.randn(2, size, size, device=s.device)
    first = 'forward' if ours.inputs else 'call'
    passes: dict[str, dict[str, Callable]] = {first: {k: c.forward for k, c in calls.items()}}
    if args.backward and ours.inputs:
        passes['forward+backward'] = {k: c.backward() for k, c in calls.items()}
    for label, runs in passes.items():
        flops = count_operations(ours, backward=label == 'forward+backward')
        matmul = {'matmul': lambda: a @ b} if flops else {}
        times = time_together({**runs, **matmul}, args.rounds, args.seconds, args.threads)
        rounds = {name: [m.median for m in parts] for name, parts in times.items()}
        merged = {name: Measurement.merge(parts)[0] for name, parts in times.items()}
        # Numbers measured in one round were measured on a machine that was equally busy.
        of_matmul = flops and quartiles(
            [p * flops / (o * 2 * size**3) for o, p in zip(rounds['ours'], rounds['matmul'])]
        )
        for name in others:
            ratio = [other / ours for ours, other in zip(rounds['ours'], rounds[name])]
            yield {
                'operator': entry.operator,
                'variant': entry.variant,
                'pass': label,
                'seconds': merged['ours'].median,
                'seconds_iqr': merged['ours'].iqr,
                'flops': flops,
                'gflops': flops and flops / merged['ours'].median / 1e9,
                'of_matmul': of_matmul and of_matmul['median'],
                'alternative': name,
                'alternative_seconds': merged[name].median,
                'alternative_seconds_iqr': merged[name].iqr,
                'ratio': quartiles(ratio),
                'difference': apart[name],
            }


# Reports ######################################################################################


def busy_processors(seconds: float = 0.3) -> float:
    """How many processors other programs keep busy; 0 where the system does not tell."""

    def used() -> float:
        counts = Path('/proc/stat').read_text().split(maxsplit=4)[1:4]
        return sum(map(int, counts)) / os.sysconf('SC_CLK_TCK')

    try:
        before = used()
        time.sleep(seconds)
        return round((used() - before) / seconds, 1)
    except OSError:
        return 0.0


def environment(args: argparse.Namespace) -> dict[str, Any]:
    """What the numbers depend on."""
    names = ('OMP_NUM_THREADS', 'THP_MEM_ALLOC_ENABLE', 'PYTORCH_ALLOC_CONF')
    if torch.device(args.device).type == 'cuda':
        kind = torch.cuda.get_device_name(args.device)
    else:
        kind = f'{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}'
    return {
        'device': kind,
        'threads': args.threads,
        'processors': os.cpu_count() or 1,
        'busy': busy_processors(),
        'torch': torch.__version__,
        'torch_geometric': torch_geometric.__version__,
        'python': platform.python_version(),
        **{name: os.environ[name] for name in names if name in os.environ},
    }


HEAD = ('operator', 'pass', 'ms', 'GFLOP/s', 'of matmul', 'against', 'ms', 'ratio', 'from - to')
LEFT = ('operator', 'pass', 'against')


def cells(result: dict[str, Any]) -> tuple[str, ...]:
    """A result as the table shows it."""
    ratio, gflops = result['ratio'], result['gflops']
    return (
        ', '.join(filter(None, (result['operator'], result['variant']))),
        result['pass'],
        f'{1e3 * result["seconds"]:#.3g}',
        f'{gflops:.0f}' if gflops else '',
        f'{result["of_matmul"]:.0%}' if gflops else '',
        result['alternative'],
        f'{1e3 * result["alternative_seconds"]:#.3g}',
        f'{ratio["median"]:.2f}',
        f'{ratio["low"]:.2f} - {ratio["high"]:.2f}',
    )


def table(results: list[dict[str, Any]]) -> str:
    """All results, as a table in Markdown."""
    lines = [HEAD, *map(cells, results)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    aligns = ['<' if name in LEFT else '>' for name in HEAD]
    rule = ['-' * (w - 1) + ('-' if a == '<' else ':') for w, a in zip(widths, aligns)]
    return '\n'.join(
        '| ' + ' | '.join(f'{c:{a}{w}}' for c, a, w in zip(line, aligns, widths)) + ' |'
        for line in (HEAD, rule, *lines[1:])
    )


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = sorted({entry.operator for entry in ROWS})
    parser.add_argument('--operator', nargs='+', choices=names, default=names, metavar='NAME')
    parser.add_argument('--batch', type=int, default=16, help='graphs B')
    parser.add_argument(
        '--joints', type=int, default=25, choices=sorted(SKELETONS), help='nodes V of a graph'
    )
    parser.add_argument('--frames', type=int, default=48, help='frames T')
    parser.add_argument('--channels', type=int, default=64, help='channels C, in and out')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument('--rounds', type=int, default=9, help='how often each side has its turn')
    parser.add_argument('--seconds', type=float, default=0.1, help='how long a turn lasts')
    passes = parser.add_mutually_exclusive_group()
    passes.add_argument(
        '--backward', action='store_true', default=True, help='also time forward+backward (default)'
    )
    passes.add_argument('--forward-only', dest='backward', action='store_false')
    parser.add_argument('--tiny', action='store_true', help='small and short: does it run?')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write all numbers there')
    args = parser.parse_args(argv)
    if args.tiny:
        vars(args).update(TINY)
    return args


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    args = parse(argv)
    # Single precision is single precision, on both sides and in the matrix product.
    torch.backends.cudnn.allow_tf32 = False
    facts = environment(args)
    if args.threads > 1 and facts['busy'] + args.threads > facts['processors'] + 0.2:
        print('Other programs are running: threads that wait for each other measure the waiting.')
        print('Use --threads 1, or wait until the machine is idle.\n')
    chosen = [entry for entry in ROWS if entry.operator in args.operator]
    results = [result for entry in chosen for result in measure(entry, args)]
    sizes = {name: getattr(args, name) for name in ('batch', 'joints', 'frames', 'channels')}
    print(', '.join(f'{k} {v}' for k, v in {**facts, **sizes}.items()), end='\n\n')
    print(table(results))
    for result in results:
        if result['ratio']['median'] < 1:
            name, label, *_, other, _, ratio, _ = cells(result)
            print(f'\nSlower: {name} ({label}), {ratio} against {other}', end='')
    print()
    if args.json:
        report = {'environment': facts, 'sizes': sizes, 'results': results}
        args.json.write_text(json.dumps(report, indent=2) + '\n')
    return results


if __name__ == '__main__':
    main()
