"""Grad-CAM over joints and frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import cosine_similarity, interpolate

Target = Callable[[Any], Tensor]


def grad_cam(
    model: Module,
    layer: Module | str,
    x: Tensor,
    *inputs: Tensor,
    target: Target | None = None,
    layout: Callable[[Tensor], Tensor] | None = None,
    assignment: Tensor | None = None,
) -> Tensor:
    r"""Computes how much each joint in each frame contributes to the prediction.

    The method is Grad-CAM from the `"Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-based Localization" <https://arxiv.org/abs/1610.02391>`_ paper

    .. math::
        \mathbf{M}_{v,t} = \mathrm{ReLU} \Big( \sum_c \alpha_c \mathbf{A}_{v,t,c} \Big), \qquad
        \alpha_c = \frac{1}{V T} \sum_{v,t} \frac{\partial s}{\partial \mathbf{A}_{v,t,c}}

    where :math:`\mathbf{A}` denotes the output of a layer for one sample and :math:`s` the target.
    Joints and frames take the place of the rows and columns of an image. If the layer has fewer
    frames than the input, the map is interpolated linearly.

    The model runs in evaluation mode. Its mode, gradients and hooks are restored afterwards.

    .. code-block:: python

        model = gaitmixer('coco17', in_channels=3)
        data = SyntheticGait(skeleton='coco17', num_subjects=1, num_takes=1)[0]
        maps = grad_cam(model, 'temporal.3', data.pos, target=class_logit(7))
        plot_grad_cam_on_body(maps[0], data.pos, 'coco17')

    Args:
        model (Module): The model.
        layer (Module or str): The layer, or its name in the model, such as :obj:`"layers.9"`. Its
            output must be a motion tensor with the same number of nodes for each sample.
        x (Tensor): The first input of the model, which determines the numbers of nodes and frames.
        *inputs (Tensor): Further inputs of the model.
        target (callable, optional): A function that maps the output of the model to one number
            :math:`s` for each sample, such as :func:`class_logit` or :func:`cosine_to`. If set to
            :obj:`None`, it is the logit of the predicted class; models that return embeddings
            require a target. (default: :obj:`None`)
        layout (callable, optional): A function that rearranges the output of the layer into a
            motion tensor. It is also applied to the gradient, so it must only move values.
            (default: :obj:`None`)
        assignment (Tensor, optional): The assignment of joints to parts if the nodes of the layer
            are parts, as returned by :meth:`~graphmotion.skeletons.Skeleton.assignment`. Each
            joint receives the value of its part. (default: :obj:`None`)

    Shapes:
        - **output of the layer:** :math:`(B \cdot V^{\prime}, T^{\prime}, C)`, or
          :math:`(B \cdot V^{\prime}, C)` for static graphs
        - **assignment:** :math:`(V^{\prime}, V)`, zeros and ones
        - **output:** non-negative maps :math:`(B, V, T)`, or :math:`(B, V)` for static graphs;
          :math:`V = V^{\prime}` without an assignment

    Raises:
        ValueError: If the layer does not exist, does not run exactly once or does not return a
            motion tensor, or if the target is not one number for each sample or does not depend
            on the layer.
        TypeError: If the layer or the target does not return a tensor.
    """
    name, module = _find_layer(model, layer)
    with _evaluation_mode(model), torch.inference_mode(False), torch.enable_grad():
        with _capture_output(module, name) as captured:
            out = model(x, *inputs)
        if len(captured) != 1:
            raise ValueError(
                f'layer must run once in the model, got {len(captured)} runs of {name!r}'
            )
        features = captured[0]
        scores = (target or class_logit())(out)
        if not isinstance(scores, Tensor):
            raise TypeError(f'target must return a tensor, got {type(scores).__name__}')
        if scores.dim() != 1:
            raise ValueError(
                f'target must return one number for each sample, got shape {list(scores.shape)}'
            )
        if not scores.requires_grad:
            raise ValueError(f'target must depend on the layer {name!r}, got no gradient')
        (gradient,) = torch.autograd.grad(scores.sum(), features, allow_unused=True)
    features = features.detach()
    gradient = torch.zeros_like(features) if gradient is None else gradient
    if layout is not None:
        features, gradient = layout(features), layout(gradient)
    _check_motion_tensor(features, name, len(scores), x)
    static = x.dim() == 2
    if static:
        features, gradient = features.unsqueeze(1), gradient.unsqueeze(1)
    features, gradient = (t.unflatten(0, (len(scores), -1)) for t in (features, gradient))
    maps = torch.einsum('bvtc,bc->bvt', features, gradient.mean(dim=(1, 2))).relu()
    if assignment is not None:
        if assignment.dim() != 2 or len(assignment) != maps.size(1):
            raise ValueError(
                f'assignment must have shape [{maps.size(1)}, V], one row for each node of the '
                f'layer {name!r}, got {list(assignment.shape)}'
            )
        maps = torch.einsum('bpt,pv->bvt', maps, assignment.to(maps))
    if static:
        return maps.squeeze(2)
    if maps.size(2) < x.size(1):
        maps = interpolate(maps, size=x.size(1), mode='linear')
    return maps


def class_logit(classes: int | Tensor | None = None) -> Target:
    r"""Returns a Grad-CAM target for classifiers: the logit of a class.

    .. code-block:: python

        model = st_gcn('emotion_gait16', num_classes=4)
        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        maps = [grad_cam(model, 'layers.2', data.pos, target=class_logit(c))[0] for c in (0, 1)]
        plot_grad_cam({'happy': maps[0], 'angry': maps[1]}, 'emotion_gait16')

    Args:
        classes (int or Tensor, optional): The class, or the class of each sample. If set to
            :obj:`None`, it is the class with the largest logit. (default: :obj:`None`)

    Shapes:
        - **classes:** :math:`(B)`, integers
        - **output of the model:** logits :math:`(B, K)`
    """

    def target(logits: Tensor) -> Tensor:
        _check_rows(logits, 'logits')
        if classes is None:
            return logits.amax(dim=1)
        index = torch.as_tensor(classes, device=logits.device)
        if index.dtype.is_floating_point or index.dtype == torch.bool:
            raise TypeError(f'classes must be integers, got {index.dtype}')
        if index.dim() and index.shape != logits.shape[:1]:
            raise ValueError(f'classes must have shape [{len(logits)}], got {list(index.shape)}')
        if bool(((index < 0) | (index >= logits.size(1))).any()):
            raise ValueError(f'classes must be in [0, {logits.size(1) - 1}], got {index.tolist()}')
        return logits.gather(1, index.expand(len(logits)).unsqueeze(1)).squeeze(1)

    return target


def cosine_to(reference: Tensor) -> Target:
    r"""Returns a Grad-CAM target for embeddings: the similarity to a reference.

    The similarity is the cosine. The reference may be the mean embedding of the subject in the
    gallery.

    .. code-block:: python

        model = gaitmixer('coco17', in_channels=3)
        data, other = SyntheticGait(skeleton='coco17', num_subjects=1, num_takes=1)[:2]
        target = cosine_to(model(other.pos).detach())
        maps = grad_cam(model, 'temporal.3', data.pos, target=target)
        plot_grad_cam(maps[0], 'coco17')

    Args:
        reference (Tensor): The reference embedding, or one for each sample.

    Shapes:
        - **reference:** :math:`(D)` or :math:`(B, D)`
        - **output of the model:** embeddings :math:`(B, D)`
    """

    def target(embeddings: Tensor) -> Tensor:
        _check_rows(embeddings, 'embeddings')
        if reference.shape not in (embeddings.shape, embeddings.shape[1:]):
            raise ValueError(
                f'reference must have shape {list(embeddings.shape)} or '
                f'{list(embeddings.shape[1:])}, got {list(reference.shape)}'
            )
        return cosine_similarity(embeddings, reference.to(embeddings).expand_as(embeddings))

    return target


def _check_rows(out: Any, what: str) -> None:
    if not isinstance(out, Tensor):
        raise TypeError(
            f'the model must return {what}, got {type(out).__name__}; pass another target'
        )
    if out.dim() != 2:
        raise ValueError(
            f'the model must return {what} with 2 dimensions, got shape {list(out.shape)}'
        )


def _find_layer(model: Module, layer: Module | str) -> tuple[str, Module]:
    modules = dict(model.named_modules())
    if isinstance(layer, str):
        if layer not in modules:
            similar = get_close_matches(layer, modules, n=4, cutoff=0.4)
            names = similar or [name for name in modules if name and '.' not in name]
            raise ValueError(
                f'layer must be one of {names} or another module of the model, got {layer!r}'
            )
        return layer, modules[layer]
    for name, module in modules.items():
        if module is layer:
            return name, module
    raise ValueError(f'layer must be a submodule of the model, got another {type(layer).__name__}')


@contextmanager
def _evaluation_mode(model: Module) -> Iterator[None]:
    """Sets evaluation mode, and restores the mode of each module afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _capture_output(module: Module, name: str) -> Iterator[list[Tensor]]:
    """Collects the outputs of a module."""
    captured: list[Tensor] = []

    def hook(_: Module, __: Any, out: Any) -> Tensor:
        if not isinstance(out, Tensor):
            raise TypeError(
                f'layer must return a tensor, got {type(out).__name__} from {name!r}; choose a '
                f'layer inside or after it'
            )
        # A leaf, so that the gradient exists even if all preceding weights are frozen. The clone
        # protects it from in-place operations of the next layer.
        captured.append(out.detach().requires_grad_())
        return captured[-1].clone()

    handle = module.register_forward_hook(hook)
    try:
        yield captured
    finally:
        handle.remove()


def _check_motion_tensor(out: Tensor, name: str, num_samples: int, x: Tensor) -> None:
    """Raises unless the output of a layer can be node features of the samples."""
    static = x.dim() == 2
    expected = '[num_nodes, C]' if static else '[num_nodes, T, C]'
    got = f'got {list(out.shape)} from {name!r}; pass layout= to rearrange it'
    if out.dim() != (2 if static else 3):
        raise ValueError(f'the output of the layer must have shape {expected}, {got}')
    if len(out) % num_samples or len(out) == 0:
        raise ValueError(
            f'the output of the layer must have shape {expected} with a multiple of {num_samples} '
            f'nodes, the number of samples, {got}'
        )
    if static:
        return
    # In images and silhouettes, the second dimension holds frames, but the first one no nodes.
    num_nodes, num_frames = len(x) if x.dim() == 3 else None, x.size(1)
    if (num_nodes is not None and len(out) > num_nodes) or out.size(1) > num_frames:
        nodes = '' if num_nodes is None else f'{num_nodes} nodes and '
        raise ValueError(
            f'the output of the layer must have shape {expected} with at most {nodes}{num_frames} '
            f'frames, {got}'
        )
