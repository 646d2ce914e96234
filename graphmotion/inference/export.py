"""Export of models to files that run without this library."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.nn import Module
from torch_geometric.transforms import Compose

import graphmotion
from graphmotion.checks import check_choice, check_int
from graphmotion.extras import requires_extra
from graphmotion.inference.exportable_model import (
    FACE_DIMS,
    MOTION_DIMS,
    SILHOUETTE_DIMS,
    ExportableModel,
    Stream,
    check_deterministic,
    iter_transforms,
)
from graphmotion.inference.recognizer import Recognizer
from graphmotion.skeletons import Skeleton
from graphmotion.transforms import ConvertSkeleton, ToStream

FORMATS = ('onnx', 'torch')
# Sizes of the example. Networks divide the frames by up to 8, and equal sizes might be mistaken for
# each other.
_NUM_GRAPHS, _NUM_FRAMES = 3, 24


def export(
    model: Module | Recognizer,
    path: str | PathLike,
    format: str = 'onnx',
    *,
    transform: Callable | None = None,
    num_frames: int | None = None,
    padding: bool = False,
    score: bool = False,
    num_dims: int | None = None,
    image_size: Sequence[int] = (64, 44),
    class_names: Sequence[str] | None = None,
) -> dict[str, Any]:
    r"""Exports a model or a recognizer to a file that runs without this library.

    ONNX files run in `ONNX Runtime <https://onnxruntime.ai>`_ from many languages, also without
    Python. Files of format :obj:`"torch"` are read by :func:`torch.export.load`:

    .. code-block:: python

        model = st_gcn('coco17', num_classes=5, in_channels=2)
        transform = Compose([CenterJoint('coco17', per_frame=False), ToStream('joint')])
        export(model, 'model.onnx', transform=transform)
        session = onnxruntime.InferenceSession('model.onnx')
        (logits,) = session.run(None, {'joints': joints})  # [batch, frames, joints, channels]

        export(model, 'model.pt2', format='torch')
        program = torch.export.load('model.pt2').module()
        logits = program(x)

    A recognizer is exported with its transforms, of which it averages several, and its streams,
    which it fuses; windows of long recordings and the gallery are not part of the file. Its output
    is :obj:`probabilities`, or :obj:`embeddings` if it has no classes.

    The transform becomes part of the file if it is deterministic and consists of tensor operations,
    such as centring, scaling, resampling, conversion to another skeleton and
    :class:`~graphmotion.transforms.ToStream`. The inputs are in this order:

    ==================== ===========================================================================
    models               inputs
    ==================== ===========================================================================
    skeletons            :obj:`joints` :math:`(B, T, V, D)` if there is a transform, otherwise the
                         features :obj:`x` :math:`(B, T, V, C)`; :obj:`score` :math:`(B, T, V)` and
                         :obj:`num_frames` :math:`(B)`, if requested
    several people       the same with people after the batch, :math:`(B, M, T, V, D)`. Their number
                         :math:`M` is that of the model; absent people are zero
    silhouettes          :obj:`silhouettes` :math:`(B, T, H, W)` of zeros and ones;
                         :obj:`num_frames` :math:`(B)`, if requested
    faces                :obj:`x` :math:`(B, N, C)`, the pixels in the order of the nodes, and
                         :obj:`eigenvectors` :math:`(B, N, K)` if each graph has its own basis. A
                         shared graph and basis are part of the file
    ==================== ===========================================================================

    The batch size is always dynamic. The number of frames is dynamic as well, in the range

    ========================================= ===========================
    :class:`~graphmotion.models.GaitFormer`   up to its :obj:`num_frames`
    :class:`~graphmotion.models.GaitMixer`    from its :obj:`kernel_size`
    :class:`~graphmotion.models.LMGCS`        any
    networks with a temporal stride           from 2 or 3 in PyTorch
    faces                                     no frames
    ========================================= ===========================

    The file also has a description: as :obj:`metadata_props` in ONNX, where values other than
    strings are JSON, or in the extra file :obj:`"metadata.json"` of :func:`torch.export.load`.

    Args:
        model (torch.nn.Module or Recognizer): A model of this library, or one with the same inputs;
            or a recognizer. It is exported in evaluation mode, for CPUs.
        path (str): The file.
        format (str, optional): :obj:`"onnx"`, which needs the extra :obj:`export`, or
            :obj:`"torch"`. (default: :obj:`"onnx"`)
        transform (callable, optional): Transform of each batch; that of a recognizer if it is one.
            (default: :obj:`None`)
        num_frames (int, optional): If given, the number of frames is fixed.
            (default: :obj:`None`)
        padding (bool, optional): If set to :obj:`True`, :obj:`num_frames`, the number of frames of
            each sample before padding, is an input. (default: :obj:`False`)
        score (bool, optional): If set to :obj:`True`, :obj:`score`, zero for missing joints, is an
            input of the transform. Otherwise all joints count as visible, and
            :class:`~graphmotion.transforms.FillMissing` has no effect. (default: :obj:`False`)
        num_dims (int, optional): Number :math:`D` of coordinates; by default it is inferred from
            the channels of the model. (default: :obj:`None`)
        image_size (sequence of int, optional): Height and width of silhouettes.
            (default: :obj:`(64, 44)`)
        class_names (sequence of str, optional): Names for the description; by default those of the
            recognizer. (default: :obj:`None`)

    Returns:
        dict: The description: the version of this library, the name of the model, its inputs and
        their dimensions, the name of the output, the range of the number of frames and the names of
        joints and classes.

    Raises:
        ValueError: If the transform cannot be exported, or the number of frames cannot be dynamic.
    """
    check_choice('format', format, FORMATS)
    if isinstance(model, Module):
        streams = [Stream(model, [transform])]
        options: dict[str, Any] = {}
        output = getattr(model, 'output', 'logits')
    else:
        if transform is not None:
            raise ValueError(f'transform must be that of the recognizer, None, got {transform}')
        streams = _streams(model)
        class_names = model.class_names if class_names is None else class_names
        image_size = model.image_size or image_size
        output = 'embeddings' if model.class_names is None else 'probabilities'
        options = {'probabilities': output == 'probabilities', 'fusion': model.fusion}
    streams = [s._replace(model=copy.deepcopy(s.model).cpu().eval()) for s in streams]
    network, transforms = streams[0].model, list(iter_transforms(streams[0].transforms[0]))
    if score and not transforms:
        raise ValueError('transform must be given if score is an input, got None')
    sizes = _sizes(network, transforms, num_frames, num_dims, image_size)
    dims = _dims(network, bool(transforms), padding, score)
    num_nodes = sizes.get('people', 1) * sizes.get('joints', sizes.get('nodes', 1))
    wrapper = ExportableModel(streams, dims, num_nodes, **options).eval()
    inputs = _example(network, dims, sizes)
    check_deterministic(wrapper, inputs)
    dynamic = ['batch'] if num_frames is not None else ['batch', 'frames']
    program = _trace(wrapper, inputs, dynamic)
    description = {
        'library': 'graphmotion',
        'version': graphmotion.__version__,
        'model': ' + '.join(type(stream.model).__name__ for stream in streams),
        'inputs': {
            name: [d if d in dynamic else sizes[d] for d in names] for name, names in dims.items()
        },
        'output': output,
        **_frame_range(program, dims, num_frames),
    }
    skeleton = _input_skeleton(network, transforms)
    if skeleton is not None:
        description |= {'skeleton': skeleton.name, 'joints': list(skeleton.joints)}
    if class_names is not None:
        description['class_names'] = list(class_names)
    if format == 'torch':
        extra = {'metadata.json': json.dumps(description)}
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            torch.export.save(program, fspath(path), extra_files=extra)
    else:
        _save_onnx(program, fspath(path), dims, dynamic, output, description)
    return description


def _streams(recognizer: Recognizer) -> list[Stream]:
    """Returns the networks of a recognizer with their transforms and weights."""
    first = recognizer.dataset_transform
    weights = recognizer.weights or [1.0] * len(recognizer.models)
    streams = []
    for model, transforms, weight in zip(recognizer.models, recognizer.transforms, weights):
        parts = [
            [part for part in (first, transform) if part is not None] for transform in transforms
        ]
        streams.append(Stream(model, [Compose(part) if part else None for part in parts], weight))
    return streams


def _input_skeleton(model: Module, transforms: Sequence[Callable]) -> Skeleton | None:
    """Returns the layout of the joints that the first transform receives."""
    for transform in transforms:
        if isinstance(transform, ConvertSkeleton):
            return transform.source
    skeleton: Any = getattr(model, 'skeleton', None)
    return skeleton


def _sizes(
    model: Any,
    transforms: Sequence[Callable],
    num_frames: int | None,
    num_dims: int | None,
    image_size: Sequence[int],
) -> dict[str, int]:
    """Returns the size of each dimension in the example."""
    frames = max(_NUM_FRAMES, getattr(model, 'min_frames', 1) + 1)
    frames = min(frames, getattr(model, 'max_frames', frames))
    if num_frames is not None:
        frames = check_int('num_frames', num_frames, 1)
    out = {'batch': _NUM_GRAPHS, 'frames': frames}
    if 'silhouettes' in model.inputs:
        height, width = image_size
        return out | {'height': height, 'width': width}
    skeleton = _input_skeleton(model, transforms)
    if skeleton is None:
        part = getattr(model, 'spectral', model)  # of SSGNN
        return {
            'batch': _NUM_GRAPHS,
            'nodes': part.num_nodes,
            'channels': part.in_channels,
            'modes': getattr(part, 'num_modes', 0),
        }
    channels = num_dims
    if not transforms:
        channels = model.in_channels
    elif channels is None:
        channels = _num_dims(model.in_channels, transforms)
    people = getattr(model, 'num_people', 1)
    return out | {'people': people, 'joints': skeleton.num_joints, 'channels': channels}


def _num_dims(in_channels: int, transforms: Sequence[Callable]) -> int:
    """Returns the number of coordinates that gives the channels of a model."""
    streams = [transform for transform in transforms if isinstance(transform, ToStream)]
    if len(streams) != 1:
        raise ValueError(f'transform must contain one ToStream, got {len(streams)}')
    found = [dim for dim in (2, 3) if streams[0].num_channels(dim) == in_channels]
    if len(found) != 1:
        raise ValueError(
            f'num_dims must be given, since a model with in_channels={in_channels} and '
            f'{streams[0]} can have {found or "no"} coordinates, got None'
        )
    return found[0]


def _dims(model: Any, transformed: bool, padding: bool, score: bool) -> dict[str, tuple[str, ...]]:
    """Returns the names of the dimensions of each input."""
    if 'silhouettes' in model.inputs:
        names = ['silhouettes', *['num_frames'] * padding]
        return {name: SILHOUETTE_DIMS[name] for name in names}
    if not hasattr(model, 'skeleton'):
        if padding:
            raise ValueError('padding must be False for models without frames, got True')
        return {name: FACE_DIMS[name] for name in model.inputs if name in FACE_DIMS}
    names = ['joints' if transformed else 'x', *['score'] * score, *['num_frames'] * padding]
    out = {name: MOTION_DIMS[name] for name in names}
    if getattr(model, 'num_people', 1) > 1:
        for name, dims in out.items():
            if 'joints' in dims:
                out[name] = ('batch', 'people', *dims[1:])
    return out


def _example(
    model: Module, dims: Mapping[str, Sequence[str]], sizes: Mapping[str, int]
) -> list[Tensor]:
    """Returns random inputs."""
    generator = torch.Generator().manual_seed(0)
    parameter = next(model.parameters(), torch.zeros(()))
    out = []
    for name, names in dims.items():
        size = [sizes[dim] for dim in names]
        if name == 'num_frames':
            out.append(torch.full(size, sizes['frames']))
        else:
            out.append(torch.rand(size, generator=generator, dtype=parameter.dtype))
    return out


def _trace(
    model: ExportableModel, inputs: Sequence[Tensor], dynamic: Sequence[str]
) -> ExportedProgram:
    shapes = tuple(
        {axis: Dim.DYNAMIC for axis, name in enumerate(names) if name in dynamic}
        for names in model.dims.values()
    )
    try:
        with torch.no_grad():
            return torch.export.export(model, tuple(inputs), dynamic_shapes=(shapes,), strict=False)
    except Exception as error:  # exporters raise many types of exceptions
        if 'specialized it to be a constant' not in str(error):
            raise
        raise ValueError(
            f'the sizes {list(dynamic)} cannot all be dynamic for this model and transform; '
            f'num_frames fixes the number of frames'
        ) from error


def _frame_range(
    program: ExportedProgram, dims: Mapping[str, Sequence[str]], num_frames: int | None
) -> dict[str, Any]:
    """Returns the range of the number of frames."""
    names = next(iter(dims.values()))
    if 'frames' not in names:
        return {}
    if num_frames is not None:
        return {'min_frames': num_frames, 'max_frames': num_frames}
    placeholder = next(
        node for node in program.graph.nodes if node.name == program.graph_signature.user_inputs[0]
    )
    symbol = placeholder.meta['val'].shape[names.index('frames')].node.expr
    bounds = program.range_constraints[symbol]
    low = int(bounds.lower)
    return {
        'min_frames': low if low > 2 else 1,  # sizes of one are traced as two
        'max_frames': int(bounds.upper) if bounds.upper.is_Integer else None,
    }


def _save_onnx(
    program: ExportedProgram,
    path: str,
    dims: Mapping[str, Sequence[str]],
    dynamic: Sequence[str],
    output: str,
    description: Mapping[str, Any],
) -> None:
    with requires_extra('export'):
        import onnxscript  # noqa: F401
    axes = [
        {axis: name for axis, name in enumerate(names) if name in dynamic}
        for names in dims.values()
    ]
    with warnings.catch_warnings():  # from the exporter and its imports
        warnings.simplefilter('ignore')
        converted = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            input_names=list(dims),
            output_names=[output],
            dynamic_shapes=(tuple(axes),),
        )
        assert converted is not None
        converted.model.metadata_props.update(
            {k: v if isinstance(v, str) else json.dumps(v) for k, v in description.items()}
        )
        converted.save(path)
