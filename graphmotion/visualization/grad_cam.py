"""Which joints a model looks at, and when: Grad-CAM over frames and joints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import cosine_similarity, interpolate

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import (
    NEUTRAL,
    Axes,
    Figure,
    Normalize,
    PathLike,
    ScalarMappable,
    finish,
    new_figure,
    to_array,
)
from graphmotion.visualization.adjacency import LINKS, color_bar
from graphmotion.visualization.body import View, read_clips
from graphmotion.visualization.pose import choose_frames, draw_strips

Target = Callable[[Any], Tensor]
Maps = Tensor | np.ndarray | Mapping[str, Tensor | np.ndarray]

_GREY = '0.75'
_POSE_HEIGHT = 2.2  # inches
_MOST_PARTS = 6  # into which the rows of a heat map are divided


def grad_cam(
    model: Module,
    layer: Module | str,
    *inputs: Tensor,
    target: Target | None = None,
    layout: Callable[[Tensor], Tensor] | None = None,
    assignment: Tensor | None = None,
) -> Tensor:
    r"""How much each joint in each frame speaks for what a model says, as in the `"Grad-CAM: Visual
    Explanations from Deep Networks via Gradient-based Localization"
    <https://arxiv.org/abs/1610.02391>`_ paper, with joints and frames for rows and columns.

    .. math::
        \mathbf{M}_{v,t} = \mathrm{ReLU} \Big( \sum_c \alpha_c \mathbf{A}_{v,t,c} \Big), \qquad
        \alpha_c = \frac{1}{V T} \sum_{v,t} \frac{\partial s}{\partial \mathbf{A}_{v,t,c}}

    where :math:`\mathbf{A}` are the features that a layer gives for a sample and :math:`s` is the
    target. A layer with fewer frames than the input is interpolated linearly between them.

    The model runs as in inference; its mode, gradients and hooks are afterwards what they were.

    .. code-block:: python

        maps = grad_cam(model, 'temporal.3', data.x, target=cosine_to(gallery_mean))
        plot_grad_cam({'GaitMixer': maps[0]}, 'coco17', path='grad_cam.png')

    Args:
        model (Module): Any model.
        layer (Module or str): The layer, or its name in the model, as :obj:`"layers.9"`. What it
            gives is a motion tensor, of which each sample has as many nodes.
        *inputs (Tensor): What the model takes; the first tells the numbers of nodes and frames.
        target (callable, optional): A function from what the model gives for all samples to the
            numbers :math:`s` that are explained, one a sample; see :func:`class_logit` and
            :func:`cosine_to`. (default: the logit of the class that is predicted; embeddings, which
            have no classes, need one)
        layout (callable, optional): Brings what the layer gives into the layout of a motion tensor
            where it is another; only moves numbers, as it is used for their gradient, too.
            (default: :obj:`None`)
        assignment (Tensor, optional): If the layer's nodes are parts, the joints that belong to
            each, as :meth:`~graphmotion.skeletons.Skeleton.assignment` gives them; a joint gets
            what its part has. (default: :obj:`None`)

    Shapes:
        - **features of the layer:** :math:`(B \cdot V^{\prime}, T^{\prime}, C)`, or
          :math:`(B \cdot V^{\prime}, C)` in a model of static graphs
        - **assignment:** :math:`(V^{\prime}, V)`, zeros and ones
        - **output:** maps :math:`(B, V, T)`, or :math:`(B, V)` of static graphs, without negative
          numbers; :math:`V = V^{\prime}` without an assignment

    Raises:
        ValueError: If there is no such layer, it does not run once, or what it gives is no motion
            tensor of the samples; or if the target is not one number a sample, or knows no
            gradient.
        TypeError: If the layer, or the target, gives something else than a tensor.
    """
    if not inputs:
        raise ValueError('there is no input to explain')
    name, module = _find_layer(model, layer)
    with _inference(model), torch.inference_mode(False), torch.enable_grad():
        with _capture(module, name) as captured:
            out = model(*inputs)
        if len(captured) != 1:
            raise ValueError(f'the layer {name!r} ran {len(captured)} times in the model, not once')
        raw = captured[0]
        scores = (target or class_logit())(out)
        if not isinstance(scores, Tensor):
            raise TypeError(f'the target is a tensor, got {type(scores).__name__}')
        if scores.dim() != 1:
            raise ValueError(
                f'the target is one number for each sample, got the shape {list(scores.shape)}'
            )
        if not scores.requires_grad:
            raise ValueError(f'the target knows no gradient for the layer {name!r}')
        (gradient,) = torch.autograd.grad(scores.sum(), raw, allow_unused=True)
    raw = raw.detach()
    gradient = torch.zeros_like(raw) if gradient is None else gradient
    if layout is not None:
        raw, gradient = layout(raw), layout(gradient)
    _check_motion(raw, name, len(scores), inputs[0])
    static = inputs[0].dim() == 2
    if static:
        raw, gradient = raw.unsqueeze(1), gradient.unsqueeze(1)
    features, slope = (part.unflatten(0, (len(scores), -1)) for part in (raw, gradient))
    maps = torch.einsum('bvtc,bc->bvt', features, slope.mean(dim=(1, 2))).relu()
    if assignment is not None:
        if assignment.dim() != 2 or len(assignment) != maps.size(1):
            raise ValueError(
                f'assignment has the shape {list(assignment.shape)}, expected '
                f'[{maps.size(1)}, V]: the layer {name!r} has {maps.size(1)} nodes'
            )
        maps = torch.einsum('bpt,pv->bvt', maps, assignment.to(maps))
    if static:
        return maps.squeeze(2)
    if maps.size(2) < inputs[0].size(1):
        maps = interpolate(maps, size=inputs[0].size(1), mode='linear')
    return maps


def class_logit(classes: int | Tensor | None = None) -> Target:
    r"""The target of classifiers: the logit of a class.

    Args:
        classes (int or Tensor, optional): The class, or that of each sample; the one with the
            largest logit by default. (default: :obj:`None`)

    Shapes:
        - **classes:** :math:`(B)`, integers
        - **output of the model:** logits :math:`(B, K)`
    """

    def target(logits: Tensor) -> Tensor:
        logits = _check_rows(logits, 'logits')
        if classes is None:
            return logits.amax(dim=1)
        index = torch.as_tensor(classes, device=logits.device)
        if index.dtype.is_floating_point or index.dtype == torch.bool:
            raise TypeError(f'classes are integers, got {index.dtype}')
        if index.dim() and index.shape != logits.shape[:1]:
            raise ValueError(f'got classes of {list(index.shape)}, expected [{len(logits)}]')
        if bool(((index < 0) | (index >= logits.size(1))).any()):
            raise ValueError(f'classes are in 0..{logits.size(1) - 1}, got {index.tolist()}')
        return logits.gather(1, index.expand(len(logits)).unsqueeze(1)).squeeze(1)

    return target


def cosine_to(reference: Tensor) -> Target:
    r"""The target of embeddings: their cosine to those that they should be like, such as the mean
    of the same person in the gallery.

    Args:
        reference (Tensor): The reference, or that of each sample.

    Shapes:
        - **reference:** :math:`(D)` or :math:`(B, D)`
        - **output of the model:** embeddings :math:`(B, D)`
    """

    def target(embeddings: Tensor) -> Tensor:
        embeddings = _check_rows(embeddings, 'embeddings')
        if reference.shape not in (embeddings.shape, embeddings.shape[1:]):
            raise ValueError(
                f'the reference has the shape {list(reference.shape)}, expected '
                f'{list(embeddings.shape)} or {list(embeddings.shape[1:])}'
            )
        return cosine_similarity(embeddings, reference.to(embeddings).expand_as(embeddings))

    return target


def _check_rows(out: Tensor, what: str) -> Tensor:
    if not isinstance(out, Tensor):
        raise TypeError(f'the model gives {type(out).__name__}, not {what}: give a target for it')
    if out.dim() != 2:
        raise ValueError(
            f'the model gives the shape {list(out.shape)}, not {what} in two dimensions'
        )
    return out


# The layer ####################################################################


def _find_layer(model: Module, layer: Module | str) -> tuple[str, Module]:
    modules = dict(model.named_modules())
    if isinstance(layer, str):
        if layer not in modules:
            close = get_close_matches(layer, modules, n=4, cutoff=0.4)
            names = close or [name for name in modules if name and '.' not in name]
            raise ValueError(f'the model has no layer {layer!r}, but {names}, ...')
        return layer, modules[layer]
    for name, module in modules.items():
        if module is layer:
            return name, module
    raise ValueError(f'the layer {type(layer).__name__} is not a part of the model')


@contextmanager
def _inference(model: Module) -> Iterator[None]:
    """The mode of inference, and then for each module again the one it had."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _capture(module: Module, name: str) -> Iterator[list[Tensor]]:
    """What a module gives, each time that it runs."""
    captured: list[Tensor] = []

    def hook(_: Module, __: Any, out: Any) -> Tensor:
        if not isinstance(out, Tensor):
            raise TypeError(
                f'the layer {name!r} gives {type(out).__name__}, expected a tensor: choose a layer '
                f'inside it, or after it'
            )
        # A leaf, also where no weight before it takes a gradient; and what comes next may change
        # its own copy in place.
        captured.append(out.detach().requires_grad_())
        return captured[-1].clone()

    handle = module.register_forward_hook(hook)
    try:
        yield captured
    finally:
        handle.remove()


def _check_motion(out: Tensor, name: str, num_samples: int, x: Tensor) -> None:
    """Raise unless what a layer gives can be the features of nodes of the samples."""
    static = x.dim() == 2
    wanted = '[num_nodes, C]' if static else '[num_nodes, T, C]'
    hint = f'expected {wanted}; layout= can bring it there'
    shape = list(out.shape)
    if out.dim() != (2 if static else 3):
        raise ValueError(f'the layer {name!r} gives the shape {shape}, {hint}')
    if len(out) % num_samples or len(out) == 0:
        raise ValueError(
            f'the layer {name!r} gives the shape {shape}, whose first dimension is no multiple of '
            f'{num_samples} samples of as many nodes, {hint}'
        )
    if static:
        return
    # Images and silhouettes have frames in the same place, but no nodes.
    num_nodes, num_frames = x.size(0) if x.dim() == 3 else None, x.size(1)
    if (num_nodes is not None and len(out) > num_nodes) or out.size(1) > num_frames:
        nodes = '' if num_nodes is None else f'{num_nodes} nodes and '
        raise ValueError(
            f'the layer {name!r} gives the shape {shape}, more than the {nodes}{num_frames} frames '
            f'of the input, {hint}'
        )


# Figures ######################################################################


def plot_grad_cam(
    maps: Maps,
    nodes: str | Skeleton | Sequence[str] | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw maps over joints and frames as heat maps, those of several models side by side, as Fig.
    4 of the `"GaitMixer: Skeleton-based Gait Representation Learning via Wide-spectrum Multi-axial
    Mixer" <https://arxiv.org/abs/2210.15491>`_ paper.

    The joints of a skeleton with a part hierarchy are sorted by body part. Each map is shown as a
    share of its largest value.

    .. code-block:: python

        plot_grad_cam({'GaitFormer': former[0], 'GaitMixer': mixer[0]}, 'coco17')

    Args:
        maps (Tensor or mapping): A map, or several by the names of the models.
        nodes (str, Skeleton or sequence of str, optional): The skeleton, the name of a built-in
            one, or the names of the nodes; by default they are numbered. (default: :obj:`None`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **maps:** each :math:`(V, T)`; :math:`T` may differ

    Raises:
        ValueError: If a shape does not fit the nodes, or a map has negative numbers.
    """
    panels = _read_maps(maps)
    num_nodes = {len(values) for values in panels.values()}
    if len(num_nodes) > 1:
        shapes = {name: list(values.shape) for name, values in panels.items()}
        raise ValueError(f'maps have the same nodes, got the shapes {shapes}')
    names, order, parts = _rows(nodes, num_nodes.pop())
    high = max(1.2, (0.155 if len(names) <= 60 else 0.05) * len(names))
    wide = [min(6.0, max(2.2, 0.045 * values.shape[1])) for values in panels.values()]
    beside = 0.3 + 0.065 * max(map(len, names)) + (0.3 if parts else 0)
    figure = new_figure(sum(wide) + 0.2 * len(wide) + beside + 0.9, high + (1.1 if title else 0.8))
    axes = figure.subplots(
        1, len(panels), squeeze=False, sharey=True, gridspec_kw={'width_ratios': wide}
    )[0]
    for ax, (label, values) in zip(axes, panels.items()):
        ax.imshow(
            values[order], cmap='inferno', vmin=0, vmax=1, aspect='auto', interpolation='nearest'
        )
        for part in parts[1:]:
            ax.axhline(part[1] - 0.5, color='white', linewidth=0.8)
        ax.set_title(label, fontsize='medium')
        ax.set_xlabel('frame')
        ax.tick_params(length=0, labelsize='small')
        ax.spines[:].set_visible(False)
    _label_rows(axes[0], [names[v] for v in order], parts)
    norm = ScalarMappable(Normalize(0, 1), 'inferno')
    color_bar(figure, norm, axes, label='share of the largest')
    return finish(figure, path, title)


def plot_grad_cam_on_body(
    maps: Maps,
    pos: Tensor | np.ndarray,
    skeleton: str | Skeleton,
    frames: Sequence[int] | None = None,
    num_poses: int = 6,
    view: View = 'front',
    up: str | None = None,
    follow: bool = True,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw maps over the poses of the sequence, those of several models below each other.

    The larger and darker a dot, the more its joint speaks for what the model says, as a share of
    the largest value of the model's map; zeros have no dot.

    Args:
        maps (Tensor or mapping): A map, or several by the names of the models.
        pos (Tensor): The sequence, with the frames that the models saw.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        frames (sequence of int, optional): The frames to draw; by default :obj:`num_poses` at
            equal distances. (default: :obj:`None`)
        num_poses (int, optional): The number of poses if :obj:`frames` is not given.
            (default: :obj:`6`)
        view (str or tuple, optional): See :func:`project`. (default: :obj:`"front"`)
        up (str, optional): See :func:`project`. (default: :obj:`None`)
        follow (bool, optional): If set to :obj:`False`, a body that travels is drawn where it is,
            smaller. (default: :obj:`True`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **maps:** each :math:`(M \cdot V, T)`, of :math:`M` bodies
        - **pos:** :math:`(M \cdot V, T, D)` with :math:`D \in \{2, 3\}`

    Raises:
        ValueError: If a shape does not fit the skeleton or the sequence, a map has negative
            numbers, or a frame is not there.
    """
    skeleton = get_skeleton(skeleton)
    (clip,) = read_clips(pos, skeleton, None, view, up, follow)
    panels = _read_maps(maps)
    for label, values in panels.items():
        if values.shape != clip.seen.shape:
            raise ValueError(
                f'the map {label!r} has the shape {list(values.shape)}, expected '
                f'{list(clip.seen.shape)} as the sequence'
            )
    chosen = choose_frames(clip.num_frames, frames, num_poses)

    def decorate(ax: Axes, row: int, t: int, points: np.ndarray) -> None:
        share = list(panels.values())[row][:, t] * clip.seen[:, t]
        there = np.argsort(share)
        there = there[share[there] > 0]
        across, high = points[there].T
        ax.scatter(
            across,
            high,
            s=6 + 70 * share[there],
            c=LINKS(share[there]),
            edgecolors='white',
            linewidths=0.5,
            zorder=6,
        )

    strips = [(clip, chosen, label) for label in panels]
    figure = draw_strips({'': strips}, skeleton, bool(title), _POSE_HEIGHT, _GREY, decorate)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + 0.9, height)
    norm = ScalarMappable(Normalize(0, 1), LINKS)
    color_bar(figure, norm, np.array(figure.axes), label='share of the largest')
    return finish(figure, path, title)


def _label_rows(ax: Axes, names: Sequence[str], parts: Sequence[tuple[str, int, int]]) -> None:
    """Name the rows, unless there are too many, and farther out the parts that they belong to."""
    if len(names) > 60:
        ax.set_ylabel('node')
        return
    ax.set_yticks(range(len(names)), names, fontsize='x-small')
    if not parts:
        return
    outer = ax.secondary_yaxis(0)
    centers = [(first + last) / 2 for _, first, last in parts]
    labels = [name.replace('_', '\n' if last - first < 3 else ' ') for name, first, last in parts]
    outer.set_yticks(centers, labels, fontsize='x-small', rotation=90, va='center', ha='center')
    outer.tick_params(length=0, labelcolor=NEUTRAL, pad=12 + 4.6 * max(map(len, names)))
    outer.spines[:].set_visible(False)


# Reading ######################################################################


def _read_maps(maps: Maps) -> dict[str, np.ndarray]:
    """Each map by its name, as a share of its largest value."""
    out = {}
    for name, values in (maps if isinstance(maps, Mapping) else {'': maps}).items():
        what = f'the map {name!r}' if name else 'the map'
        array = to_array(values, what, dims=(2,), finite=True)
        if array.min() < 0:
            raise ValueError(f'{what} has negative numbers, the lowest {array.min():g}')
        largest = array.max()
        out[name] = array / largest if largest > 0 else array
    if not out:
        raise ValueError('there is no map to draw')
    return out


def _rows(
    nodes: str | Skeleton | Sequence[str] | None, num_nodes: int
) -> tuple[list[str], list[int], list[tuple[str, int, int]]]:
    """The names of the nodes, their order from top to bottom, and name, first and last row of each
    part.
    """
    if nodes is None:
        return [str(v) for v in range(num_nodes)], list(range(num_nodes)), []
    if not isinstance(nodes, (str, Skeleton)):
        names = [str(name) for name in nodes]
        if len(names) != num_nodes:
            raise ValueError(f'got {len(names)} names for maps of {num_nodes} nodes')
        return names, list(range(num_nodes)), []
    skeleton = get_skeleton(nodes)
    if num_nodes % skeleton.num_joints:
        raise ValueError(
            f'maps are of {num_nodes} nodes, expected the {skeleton.num_joints} joints of '
            f'{skeleton.name!r}, or those of several bodies'
        )
    num_bodies = num_nodes // skeleton.num_joints
    groups: list[tuple[str, Sequence[int]]] = [('', range(skeleton.num_joints))]
    if skeleton.hierarchies:
        hierarchy = skeleton.hierarchy()
        few = [level for level, size in enumerate(hierarchy.sizes) if level and size <= _MOST_PARTS]
        level = few[0] if few else hierarchy.num_levels - 1
        groups = list(zip(hierarchy.names(level), hierarchy.members(level)))
    names = []
    order: list[int] = []
    parts: list[tuple[str, int, int]] = []
    for body in range(num_bodies):
        suffix = f' {body + 1}' if num_bodies > 1 else ''
        names += [name + suffix for name in skeleton.joints]
        for part, members in groups:
            if part:
                parts.append((part, len(order), len(order) + len(members) - 1))
            order += [body * skeleton.num_joints + v for v in members]
    return names, order, parts
