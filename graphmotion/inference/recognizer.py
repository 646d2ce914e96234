"""A trained network with all that is needed to use it."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch_geometric.data import Data

from graphmotion.checks import check_choice, check_int, check_size
from graphmotion.config import from_config, tensor_names, to_config
from graphmotion.data import as_dataset
from graphmotion.data.layouts import check_layout
from graphmotion.data.list_dataset import ListDataset, Samples
from graphmotion.inference.answer import Answer, Answers
from graphmotion.inference.enrollment import EnrollmentMixin, Frames
from graphmotion.inference.fuse import fuse_for_inference
from graphmotion.inference.gallery import Gallery
from graphmotion.inference.predict import MAX_AUGMENTATIONS, mean_outputs
from graphmotion.inference.sources import (
    InputFormat,
    Recording,
    Substitutes,
    read_array,
    read_path,
    split_sources,
)
from graphmotion.inference.streaming import FrameStream
from graphmotion.inference.windows import count_frames, cut_frames, window_starts
from graphmotion.io import MalformedFileError
from graphmotion.io.images import MAX_PIXELS
from graphmotion.io.recognizer_file import (
    limited_memory,
    read_recognizer,
    write_recognizer,
)
from graphmotion.metrics.fusion import KINDS, fuse_streams
from graphmotion.skeletons import Skeleton, get_skeleton

Transforms = Callable | Sequence[Callable | None] | None

# The fields of a file: names of attributes and the types that they may have.
_FIELDS: dict[str, tuple[type, ...]] = {
    'models': (list,),
    'transforms': (list,),
    'skeleton': (Skeleton, type(None)),
    'class_names': (tuple, type(None)),
    'weights': (list, type(None)),
    'fusion': (str,),
    'num_augmentations': (int,),
    'window': (int, type(None)),
    'hop': (int, type(None)),
    'seed': (int,),
    'batch_size': (int,),
    'dataset_transform': (object,),
    'image_size': (tuple, type(None)),
    'info': (dict,),
}


class Recognizer(EnrollmentMixin):
    r"""One or more trained networks with their transforms, the layout of the joints and the names
    of the classes: everything that is needed to recognise people in new recordings, in one file.

    .. code-block:: python

        recognizer = Recognizer.load('results/gait_emotion/recognizer.safetensors')
        print(recognizer('walk.json'))

    Predictions equal those of :func:`predict`, with the same transform, augmentations and seed, and
    embeddings those of :func:`embed`, except for rounding: networks run as the faster copies of
    :func:`fuse_for_inference`. Networks are kept in evaluation mode.

    Several networks are the streams of one prediction, such as joints and bones, which are fused by
    :func:`~graphmotion.metrics.fuse_streams`.

    Args:
        model (Module or sequence of Module): The network, or the network of each stream. Without
            :obj:`class_names`, it returns embeddings.
        transform (callable or sequence, optional): The transform of test samples. A sequence holds
            the transform of each stream, or, for a single network, several transforms over which
            predictions are averaged. (default: :obj:`None`)
        skeleton (Skeleton or str, optional): The layout of recordings before the transform; by
            default the layout of the network or of its :class:`ConvertSkeleton`.
            (default: :obj:`None`)
        class_names (sequence of str, optional): Name of each class. (default: :obj:`None`)
        gallery (Gallery, optional): The people that embeddings are compared with.
            (default: :obj:`None`)
        weights (sequence of float, optional): Weight of each stream. (default: :obj:`None`)
        fusion (str, optional): What is fused: :obj:`"logits"` or :obj:`"probabilities"`.
            (default: :obj:`"logits"`)
        num_augmentations (int, optional): Number of random transforms of each sample over which
            predictions are averaged. (default: :obj:`1`)
        window (int, optional): Number of frames of the windows to which longer recordings are cut.
            By default, they are not cut. (default: :obj:`None`)
        hop (int, optional): Number of frames between windows, by default :obj:`window`.
            (default: :obj:`None`)
        seed (int, optional): Seed of the transforms. (default: :obj:`0`)
        batch_size (int, optional): Number of samples in a batch. (default: :obj:`64`)
        dataset_transform (callable, optional): The transform that the datasets of training applied
            to each sample, which is applied first to samples that are not from a dataset.
            (default: :obj:`None`)
        image_size (tuple, optional): Height and width to which images and silhouettes are resized;
            by default as the graph of the pixels or 64 by 44. (default: :obj:`None`)
        info (mapping, optional): How the network was trained: plain values, such as the recipe, the
            dataset and the scores. (default: :obj:`None`)

    Raises:
        ValueError: If an option is invalid.
    """

    def __init__(
        self,
        model: torch.nn.Module | Sequence[torch.nn.Module],
        transform: Transforms | Sequence[Transforms] = None,
        skeleton: str | Skeleton | None = None,
        class_names: Sequence[str] | None = None,
        gallery: Gallery | None = None,
        weights: Sequence[float] | None = None,
        fusion: str = 'logits',
        num_augmentations: int = 1,
        window: int | None = None,
        hop: int | None = None,
        seed: int = 0,
        batch_size: int = 64,
        dataset_transform: Callable | None = None,
        image_size: int | Sequence[int] | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        self.models = [model] if isinstance(model, torch.nn.Module) else list(model)
        if not self.models:
            raise ValueError('model must be at least one network, got none')
        for network in self.models:
            network.eval()
        #: The transforms of each network, over which its outputs are averaged.
        self.transforms = _transforms_of_each(transform, len(self.models))
        self.class_names = None if class_names is None else tuple(class_names)
        if self.class_names is not None and (
            len({*self.class_names}) != len(self.class_names)
            or not all(isinstance(name, str) for name in self.class_names)
        ):
            raise ValueError(f'class_names must be distinct names, got {list(self.class_names)}')
        self.gallery = gallery
        self.weights = None if weights is None else [float(weight) for weight in weights]
        if self.weights is not None and len(self.weights) != len(self.models):
            raise ValueError(
                f'weights must be one for each of {len(self.models)} networks, got {self.weights}'
            )
        if self.class_names is None and len(self.models) > 1:
            raise ValueError('class_names must be given for several networks, got None')
        self.fusion = check_choice('fusion', fusion, KINDS)
        self.num_augmentations = check_int(
            'num_augmentations', num_augmentations, 1, MAX_AUGMENTATIONS
        )
        self.window = None if window is None else check_int('window', window, 1)
        self.hop = None if hop is None else check_int('hop', hop, 1)
        self.seed = check_int('seed', seed)
        self.batch_size = check_int('batch_size', batch_size, 1)
        if dataset_transform is not None and not callable(dataset_transform):
            raise ValueError(f'dataset_transform must be callable, got {dataset_transform!r}')
        self.dataset_transform = dataset_transform
        self.image_size = None if image_size is None else check_size('image_size', image_size)
        if self.image_size is not None and math.prod(self.image_size) > MAX_PIXELS:
            raise ValueError(f'image_size must be at most {MAX_PIXELS} pixels, got {image_size}')
        self.info = dict(info or {})
        first = [self.dataset_transform, *self.transforms[0]]
        given = None if skeleton is None else get_skeleton(skeleton)
        self._format = InputFormat.of_network(self.models[0], first, given, self.image_size)
        self.skeleton = self._format.skeleton
        self._fused: dict[int, tuple[Any, list[Tensor], torch.nn.Module]] = {}

    @property
    def model(self) -> torch.nn.Module:
        r"""The network, or the network of the first stream."""
        return self.models[0]

    def to(self, device: torch.device | str) -> Recognizer:
        r"""Moves the networks to a device and returns the recognizer."""
        for model in self.models:
            model.to(device)
        return self

    # Use ######################################################################

    def __call__(
        self,
        source: Any,
        skeleton: str | Skeleton | None = None,
        format: str | None = None,
        axes: str | None = None,
        score: np.ndarray | Tensor | None = None,
        window: int | None = None,
        hop: int | None = None,
        substitutes: Substitutes = None,
        **options: Any,
    ) -> Answers:
        r"""Recognises the people in a recording, or other samples.

        .. code-block:: python

            recognizer('walk.json')                      # a file of a pose estimator, or a folder
            recognizer(array, axes='TVC')                # frames, joints, coordinates
            recognizer('walk.json', window=60, hop=30)   # and for each window

        A recording of several people has an answer for each, unless the network reads several.

        Args:
            source (str, array, Data, Batch, list or dataset): A file or a folder with a file for
                each frame, in a format of :func:`~graphmotion.io.list_formats`; an image or
                silhouettes for the networks that read them; an array of keypoints, see
                :func:`~graphmotion.data.from_array`; a list of files or arrays; or samples.
            skeleton (Skeleton or str, optional): The layout of the joints in a file or an array,
                if it is not the layout that the format is known for or that of the recognizer.
                Joints are converted by :func:`~graphmotion.skeletons.convert`.
                (default: :obj:`None`)
            format (str, optional): Format of a file; by default, the one that reads it.
                (default: :obj:`None`)
            axes (str, optional): Order of the axes of an array. (default: :obj:`None`)
            score (array, optional): Confidence of each joint of an array. (default: :obj:`None`)
            window (int, optional): Overrides :obj:`window`. (default: :obj:`None`)
            hop (int, optional): Overrides :obj:`hop`. (default: :obj:`None`)
            substitutes (mapping, optional): Joints that replace those which the layout of a file or
                an array lacks, such as :obj:`{'left_hand': 'left_wrist'}`. (default: :obj:`None`)
            **options (optional): Further options of the format's reader.

        Raises:
            FileNotFoundError: If a file does not exist.
            TypeError: If the source is of an unsupported type, or an option does not apply to it.
            ValueError: If a file is malformed, or the layout of the joints cannot be converted; the
                error lists the joints that are missing, and their substitutes.
        """
        names = self._check_classes()
        reading: dict[str, Any] = {
            'skeleton': skeleton,
            'format': format,
            'axes': axes,
            'score': score,
        }
        reading |= {'window': window, 'hop': hop, 'substitutes': substitutes, **options}
        answers = []
        runs = (self._run(self.probabilities, part, **reading) for part in split_sources(source))
        for recording, outputs, frames in chain.from_iterable(runs):
            where: dict[str, Any] = {'person': recording.person, 'source': recording.source}
            each = [Answer.from_row(row, names, at, **where) for row, at in zip(outputs, frames)]
            if len(each) > 1:
                cut = [at for at in frames if at is not None]
                mean, span = torch.stack(outputs).mean(dim=0), (cut[0][0], cut[-1][1])
                each = [Answer.from_row(mean, names, span, **where, windows=each)]
            answers += each
        return Answers(answers)

    def _run(
        self,
        compute: Callable[[Samples], Tensor],
        source: Any,
        skeleton: str | Skeleton | None = None,
        format: str | None = None,
        axes: str | None = None,
        score: np.ndarray | Tensor | None = None,
        window: int | None = None,
        hop: int | None = None,
        substitutes: Substitutes = None,
        **options: Any,
    ) -> Iterator[tuple[Recording, list[Tensor], list[Frames]]]:
        transform = self.dataset_transform
        if isinstance(source, (str, os.PathLike)):
            _refuse('a path', score=score)
            if axes is not None:
                options['axes'] = axes
            recordings = read_path(
                os.fspath(source), self._format, skeleton, format, substitutes, **options
            )
        elif isinstance(source, (np.ndarray, Tensor)):
            _refuse('an array', format=format, **options)
            recordings = read_array(source, self._format, skeleton, axes, score, substitutes)
        else:
            reading = {'skeleton': skeleton, 'axes': axes, 'substitutes': substitutes}
            _refuse('samples', format=format, score=score, **reading, **options)
            samples = as_dataset(source)
            if isinstance(source, Dataset):
                for model, transforms in zip(self.models, self.transforms):
                    for each in transforms:
                        check_layout(samples, each, model)
                transform = samples.transform
                samples = copy.copy(samples)
                samples.transform = None
            recordings = [Recording(data) for data in samples]
        for recording in recordings:
            self._format.check_dims(recording.data, recording.source)
        length = self.window if window is None else check_int('window', window, 1)
        step = self.hop if hop is None else check_int('hop', hop, 1)
        windows = [self._windows(recording.data, length, step) for recording in recordings]
        parts = [data for group in windows for data, _ in group]
        rows = iter(compute(ListDataset(parts, transform)))
        for recording, group in zip(recordings, windows):
            yield recording, [next(rows) for _ in group], [frames for _, frames in group]

    def stream(
        self,
        hop: int = 1,
        window: int | None = None,
        min_frames: int | None = None,
        skeleton: str | Skeleton | None = None,
        frame_rate: float | None = None,
        substitutes: Substitutes = None,
    ) -> FrameStream:
        r"""Recognises people while their frames arrive; see :class:`FrameStream`.

        .. code-block:: python

            stream = recognizer.stream(hop=5, window=48)
            for joints in camera:
                answers = stream.push(joints)  # None, or the answers every five frames
        """
        return FrameStream(self, hop, window, min_frames, skeleton, frame_rate, substitutes)

    def probabilities(self, dataset: Samples) -> Tensor:
        r"""Returns the class probabilities of samples, :math:`(N, \text{num\_classes})`.

        Args:
            dataset (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples.
                The transform of the dataset is applied first.

        Raises:
            ValueError: If the network returns embeddings, or the number of classes differs.
        """
        names = self._check_classes()
        if len(self.models) == 1:
            out = self._outputs(0, dataset, 'probabilities')
        else:
            logits = [self._outputs(i, dataset, 'logits') for i in range(len(self.models))]
            out = fuse_streams(logits, self.weights, self.fusion)
        if out.size(1) != len(names):
            raise ValueError(
                f'class_names must be {out.size(1)}, one for each output of the network, got '
                f'{list(names)}'
            )
        return out

    def embeddings(self, dataset: Samples) -> Tensor:
        r"""Returns the embeddings of samples, :math:`(N, D)`.

        Args:
            dataset (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples.
                The transform of the dataset is applied first.

        Raises:
            ValueError: If the network is a classifier.
        """
        if self.class_names is not None:
            raise ValueError('the network classifies and has no embeddings; use probabilities')
        return self._outputs(0, dataset, 'embeddings')

    def _outputs(self, number: int, dataset: Samples, kind: str) -> Tensor:
        transforms = [t for t in self.transforms[number] for _ in range(self.num_augmentations)]
        model = self.fused_model(number)
        return mean_outputs(model, dataset, transforms, self.batch_size, self.seed, kind)

    def fused_model(self, number: int = 0) -> torch.nn.Module:
        r"""Returns the copy of a network that computes predictions; see
        :func:`fuse_for_inference`. It is updated when the weights of the network change, but not
        when they are modified through :obj:`weight.data`.
        """
        model = self.models[number]
        tensors = list(chain(model.parameters(), model.buffers()))
        state = model, [(id(t), t.data_ptr(), _version(t)) for t in tensors]
        cached = self._fused.get(number)
        if cached is None or cached[0] != state:
            # The tensors are kept, so that no other tensor has their identity.
            self._fused[number] = state, tensors, fuse_for_inference(model)
        return self._fused[number][-1]

    def _check_classes(self) -> tuple[str, ...]:
        if self.class_names is None:
            raise ValueError(
                'class_names must be given to classify; without them, the network returns '
                'embeddings'
            )
        return self.class_names

    @staticmethod
    def _windows(
        data: Data, window: int | None, hop: int | None
    ) -> list[tuple[Data, tuple[int, int] | None]]:
        """Returns the windows of a sample with their first frame and the frame after the last."""
        num_frames = count_frames(data)
        if num_frames is None:
            return [(data, None)]
        if window is None or num_frames <= window:
            return [(data, (0, num_frames))]
        return [
            (cut_frames(data, start, start + window), (start, start + window))
            for start in window_starts(num_frames, window, hop or window)
        ]

    # Files ####################################################################

    def save(self, path: str | os.PathLike) -> None:
        r"""Writes the recognizer to a file atomically.

        The file holds the weights, as `safetensors <https://github.com/huggingface/safetensors>`_,
        and JSON; see :func:`~graphmotion.config.to_config`.

        Raises:
            TypeError: If a network or a transform is neither of this library nor registered.
            ValueError: If a network was changed after it was created, so that its arguments do not
                describe it.
        """
        values = {name: getattr(self, name) for name in _FIELDS}
        values['gallery'] = None if self.gallery is None else self.gallery.to_state()
        config, described = to_config(values)
        tensors = {f'config.{name}': value for name, value in described.items()}
        for number, model in enumerate(self.models):
            state = model.state_dict()
            rebuilt = _build(config['dict']['models'][number], described, f'models[{number}]')
            _check_rebuilt(model, rebuilt, state)
            tensors |= {f'models.{number}.{name}': value for name, value in state.items()}
        write_recognizer(os.fspath(path), {'recognizer': config['dict']}, tensors)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Recognizer:
        r"""Reads a recognizer from a file. Nothing in the file is executed, and only transforms and
        models of this library, and registered models, are created.

        .. code-block:: python

            recognizer = Recognizer.load('recognizer.safetensors')

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the file is damaged, is not a recognizer or was written in a newer
                format.
        """
        path = os.fspath(path)
        content, tensors = read_recognizer(path)
        fields = content.get('recognizer')
        expected = {*_FIELDS, 'gallery'}
        if not isinstance(fields, dict) or fields.keys() != expected:
            found = sorted(fields) if isinstance(fields, dict) else type(fields).__name__
            raise MalformedFileError(path, 'recognizer', f'{sorted(expected)}', f'{found}')
        described = _select(tensors, 'config.')
        values = {}
        with torch.random.fork_rng(devices=[]), limited_memory(path):
            for name, config in fields.items():
                try:
                    values[name] = from_config(config, described, name)
                except (ValueError, RecursionError) as error:
                    raise MalformedFileError(path, name, 'a valid field', str(error)) from error
        for name, types in _FIELDS.items():
            if not isinstance(values[name], types):
                found = type(values[name]).__name__
                names = ' or '.join(kind.__name__ for kind in types)
                raise MalformedFileError(path, name, names, found)
        models = values.pop('models')
        used = {f'config.{name}' for name in tensor_names(fields)}
        for number, model in enumerate(models):
            if not isinstance(model, torch.nn.Module):
                found = type(model).__name__
                raise MalformedFileError(path, f'models[{number}]', 'a network', found)
            prefix = f'models.{number}.'
            _load_state(model, _select(tensors, prefix), f'{path}: models[{number}]')
            for name, value in model.state_dict().items():
                if not value.isfinite().all():
                    found = 'NaN or infinity, as if the training diverged'
                    raise MalformedFileError(path, prefix + name, 'finite weights', found)
            used |= {name for name in tensors if name.startswith(prefix)}
        if used != tensors.keys():
            extra = sorted(tensors.keys() - used)
            raise MalformedFileError(path, 'tensors', 'only those in use', f'{extra[:5]}')
        state = values.pop('gallery')
        transforms = values.pop('transforms')
        try:
            gallery = None if state is None else Gallery.from_state(state)
            transform = transforms if len(models) > 1 else transforms[0]
            out = cls(models, transform, gallery=gallery, **values)
        except (ValueError, TypeError, IndexError) as error:
            raise MalformedFileError(path, 'recognizer', 'valid options', str(error)) from error
        return out

    def __repr__(self) -> str:
        networks = ' + '.join(type(model).__name__ for model in self.models)
        parts = [networks]
        if self.skeleton is not None:
            parts.append(f'skeleton={self.skeleton.name}')
        if self.class_names is not None:
            parts.append(f'classes={len(self.class_names)}')
        if self.gallery is not None:
            parts.append(f'gallery={self.gallery}')
        return f'{self.__class__.__name__}({", ".join(parts)})'


def _version(tensor: Tensor) -> int:
    """Counts the changes of a tensor; tensors made in inference mode do not count."""
    return 0 if tensor.is_inference() else tensor._version


def _transforms_of_each(transform: Any, num_models: int) -> list[list[Callable | None]]:
    """Returns the list of transforms of each network."""
    if transform is None or callable(transform):
        return [[transform] for _ in range(num_models)]
    groups = [transform] if num_models == 1 else list(transform)
    if len(groups) != num_models:
        raise ValueError(f'transform must be one for each of {num_models} networks, got {groups}')
    out = [[group] if group is None or callable(group) else list(group) for group in groups]
    for group in out:
        if not group or not all(part is None or callable(part) for part in group):
            raise ValueError(f'transform must be one or more transforms, got {group}')
    return out


def _select(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Returns the tensors whose names start with a prefix, without it."""
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def _build(config: Any, tensors: Mapping[str, Tensor], where: str) -> torch.nn.Module:
    """Creates a network without changing the state of random numbers."""
    with torch.random.fork_rng(devices=[]):
        return from_config(config, tensors, where)


def _dtype(state: Mapping[str, Tensor]) -> torch.dtype:
    """Returns the floating-point type of weights."""
    return next((t.dtype for t in state.values() if t.is_floating_point()), torch.float32)


def _load_state(model: torch.nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Loads weights that must have the names, shapes and types of those of the network."""
    model.to(_dtype(state))
    own = model.state_dict()
    for problem, names in (
        ('lacks', sorted(own.keys() - state.keys())),
        ('has unknown', sorted(state.keys() - own.keys())),
    ):
        if names:
            raise ValueError(f'{where} {problem} tensors {names[:5]}')
    for name, value in state.items():
        if value.shape != own[name].shape or value.dtype != own[name].dtype:
            raise ValueError(
                f'{where}.{name} must be {own[name].dtype} of shape {list(own[name].shape)}, got '
                f'{value.dtype} of shape {list(value.shape)}'
            )
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f'{where}: {error}') from error


def _check_rebuilt(
    model: torch.nn.Module, rebuilt: torch.nn.Module, state: Mapping[str, Tensor]
) -> None:
    """Checks that a network which was created from the arguments of another is the same."""
    name = type(model).__name__
    hint = 'it was changed after it was created, and its arguments do not describe it'
    try:
        _load_state(rebuilt, {key: value.cpu() for key, value in state.items()}, name)
    except ValueError as error:
        raise ValueError(f'{error}: {hint}') from error
    if _attributes(model) != _attributes(rebuilt) or not _same_buffers(model, rebuilt):
        raise ValueError(f'the attributes of {name} do not match its arguments: {hint}')


def _attributes(model: torch.nn.Module) -> dict[str, str]:
    """Returns the plain attributes of a network and its parts."""
    plain = (bool, int, float, str, tuple, type(None))
    out = {}
    for prefix, module in model.named_modules():
        for name, value in vars(module).items():
            if not name.startswith('_') and name != 'training' and isinstance(value, plain):
                out[f'{prefix}.{name}'] = repr(value)
    return out


def _same_buffers(model: torch.nn.Module, rebuilt: torch.nn.Module) -> bool:
    """Compares the buffers that are not saved, such as adjacencies."""
    state, others = rebuilt.state_dict(), dict(rebuilt.named_buffers())
    for name, buffer in model.named_buffers():
        other = others.get(name)
        if name in state:
            continue
        if other is None or other.shape != buffer.shape or other.dtype != buffer.dtype:
            return False
        # Averages of weights may round them.
        if not torch.allclose(buffer.cpu(), other, equal_nan=True):
            return False
    return True


def _refuse(source: str, **options: Any) -> None:
    """Raises an error if an option was given that has no effect on a source."""
    given = sorted(name for name, value in options.items() if value is not None)
    if given:
        raise TypeError(f'the options of {source} do not include {", ".join(given)}')
