"""Answers for a stream of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import replace
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphmotion.checks import check_int
from graphmotion.data import from_array, graph_loader
from graphmotion.data.list_dataset import ListDataset
from graphmotion.inference.answer import Answer, Answers
from graphmotion.inference.identification import Identification
from graphmotion.inference.predict import call_model, check_rows, model_inputs
from graphmotion.inference.sliding_model import SlidingModel
from graphmotion.inference.sources import Substitutes, read_path
from graphmotion.metrics.fusion import fuse_streams
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms import ConvertSkeleton

if TYPE_CHECKING:
    from graphmotion.inference.recognizer import Recognizer

#: Joints of a person in a frame, or the joints and their scores.
Pose: TypeAlias = np.ndarray | Tensor | tuple[np.ndarray | Tensor, np.ndarray | Tensor]


def read_frames(
    recognizer: Recognizer,
    path: str,
    skeleton: str | Skeleton | None = None,
    format: str | None = None,
    substitutes: Substitutes = None,
    **options: Any,
) -> tuple[list[Pose | dict[int, Pose]], float | None]:
    r"""Reads a recording as frames for :meth:`FrameStream.push`, to replay it.

    .. code-block:: python

        frames, frame_rate = read_frames(recognizer, 'walk.json')
        stream = recognizer.stream(window=48, frame_rate=frame_rate)
        for frame in frames:
            print(stream.push(frame))

    Args:
        recognizer (Recognizer): The recognizer, whose layout joints are converted to.
        path (str): Path of a file or folder that the recognizer reads.
        skeleton (Skeleton or str, optional): See :class:`Recognizer`. (default: :obj:`None`)
        format (str, optional): See :class:`Recognizer`. (default: :obj:`None`)
        substitutes (mapping, optional): See :class:`Recognizer`. (default: :obj:`None`)
        **options (optional): Further options of the format's reader.

    Returns:
        tuple: The frames, which map people to joints and scores if there are several people, and
        the frames per second if the file states them.
    """
    recordings = read_path(path, recognizer._format, skeleton, format, substitutes, **options)
    assert recognizer.skeleton is not None
    people: list[tuple[Tensor, Tensor]] = []
    for recording in recordings:
        data, num_joints = recording.data, recognizer.skeleton.num_joints
        score = data.score if 'score' in data else torch.ones(data.pos.shape[:2])
        people += zip(data.pos.split(num_joints), score.split(num_joints))
    frames: list[Pose | dict[int, Pose]] = []
    for t in range(people[0][0].size(1)):
        poses: dict[int, Pose] = {i: (pos[:, t], s[:, t]) for i, (pos, s) in enumerate(people)}
        frames.append(poses if len(poses) > 1 else poses[0])
    rate = recordings[0].data.get('frame_rate')
    return frames, None if rate is None else float(rate)


class _Detection(NamedTuple):
    frame: int
    pos: np.ndarray  # [V, D]
    score: np.ndarray | None  # [V]


class _Output(NamedTuple):
    row: Tensor  # [C]
    frames: tuple[int, int]
    person: int | None


class _Person:
    """The latest frames of a person."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.detections: deque[_Detection] = deque()


class FrameStream:
    r"""Answers of a recognizer for a stream of frames, made by :meth:`Recognizer.stream`.

    .. code-block:: python

        stream = recognizer.stream(hop=5, window=48)
        for joints in camera:  # [V, 3]
            answers = stream.push(joints)
            if answers is not None:
                print(answers)

    Each answer equals the answer of the recognizer for an array of the same frames, up to rounding.
    A recognizer with a gallery instead of classes answers with an :class:`Identification`, whose
    :obj:`people` are the numbers of the people in the stream.

    The transform is applied to each window. Networks reuse features of previous windows as far as
    the transformed frames have not changed; see :class:`SlidingModel`. Transforms that depend on
    the entire window, such as :class:`~graphmotion.transforms.MinMaxNormalize`, or
    :class:`~graphmotion.transforms.CenterJoint` with :obj:`per_frame=False`, change all frames, and
    prevent reuse.

    Only the frames of the window are kept. A person who is missing for an entire window is removed
    and starts again when seen later.

    Args:
        recognizer (Recognizer): The recognizer, of a network that reads poses.
        hop (int, optional): Number of frames between answers. (default: :obj:`1`)
        window (int, optional): Number of frames of an answer; by default, the window of the
            recognizer. (default: :obj:`None`)
        min_frames (int, optional): Number of frames after which a person is first recognised; until
            there are :obj:`window` frames, from all frames of the person.
            (default: :obj:`window`)
        skeleton (Skeleton or str, optional): The layout of the joints, which are converted; by
            default the layout of the recognizer. (default: :obj:`None`)
        frame_rate (float, optional): Frames per second. (default: :obj:`None`)
        substitutes (mapping, optional): Joints that replace those which the layout lacks, such as
            :obj:`{'left_hand': 'left_wrist'}`. (default: :obj:`None`)

    Raises:
        ValueError: If an option is invalid, no window is known, the network does not read poses, or
            the recognizer has neither classes nor a gallery.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        hop: int = 1,
        window: int | None = None,
        min_frames: int | None = None,
        skeleton: str | Skeleton | None = None,
        frame_rate: float | None = None,
        substitutes: Substitutes = None,
    ) -> None:
        if recognizer.skeleton is None:
            raise ValueError('recognizer must read poses to recognise a stream of frames')
        if recognizer.class_names is None and recognizer.gallery is None:
            raise ValueError(
                'recognizer must have class_names or a gallery to recognise a stream of frames'
            )
        window = recognizer.window if window is None else window
        if window is None:
            raise ValueError('window must be given, since the recognizer has none')
        self.recognizer = recognizer
        self.hop = check_int('hop', hop, 1)
        self.window = check_int('window', window, 1)
        self.min_frames = window if min_frames is None else check_int('min_frames', min_frames, 1)
        if self.min_frames > window:
            raise ValueError(f'min_frames must be at most window={window}, got {min_frames}')
        own = recognizer.skeleton
        self.skeleton = own if skeleton is None else get_skeleton(skeleton)
        self.frame_rate = frame_rate
        same = self.skeleton.joints == own.joints
        self._convert = None if same else ConvertSkeleton(self.skeleton, own, substitutes)
        self._num_people = getattr(recognizer.model, 'num_people', 1)
        self.reset()

    def reset(self) -> None:
        r"""Starts another stream."""
        self.num_frames = 0
        self._dim = self.recognizer._format.num_dims
        self._people: dict[Hashable, _Person] = {}
        # By person and network.
        self._sliding: dict[Hashable, dict[int, SlidingModel]] = {}

    def push(self, frame: Pose | Mapping[int, Pose] | None) -> Answers | Identification | None:
        r"""Adds a frame, and returns the answers every :obj:`hop` frames.

        Args:
            frame (array, tuple, dict or None): Joints of a person :math:`(V, D)`, with NaN for
                missing joints; or a tuple of joints and scores :math:`(V)`, with 0 for missing
                joints; or a dictionary with either for the number of each person, as a tracker
                returns them; or :obj:`None` if no person was found.

        Returns:
            Answers or Identification: The answer for each person, or :obj:`None` if none is due.

        Raises:
            ValueError: If joints do not have the shape of the layout.
        """
        poses: Mapping[Any, Any] = frame if isinstance(frame, Mapping) else {None: frame}
        # Numbers of NumPy and of torch become plain ones, by which torch's are the same each time.
        numbers = {key: index(key) if hasattr(key, '__index__') else key for key in poses}
        found = {numbers[key]: self._read(p) for key, p in poses.items() if p is not None}
        self.num_frames += 1
        for key, detection in found.items():
            person = self._people.setdefault(key, _Person(detection.frame))
            person.detections.append(detection)
        oldest = self.num_frames - self.window
        for key, person in list(self._people.items()):
            while person.detections and person.detections[0].frame < oldest:
                person.detections.popleft()
            if not person.detections:
                del self._people[key]
                self._sliding.pop(key, None)
        waited = self.num_frames - self.min_frames
        if waited < 0 or waited % self.hop:
            return None
        outputs = self._compute_scene() if self._num_people > 1 else self._compute_people()
        return self._answer(outputs) if outputs else None

    def _read(self, pose: Pose) -> _Detection:
        """Checks the joints of a person in the next frame."""
        joints, scores = pose if isinstance(pose, tuple) else (pose, None)
        pos = np.asarray(joints).astype(np.float64)
        num_joints, dim = self.skeleton.num_joints, self._dim
        if (
            pos.ndim != 2
            or len(pos) != num_joints
            or pos.shape[1] not in ((dim,) if dim else (2, 3))
        ):
            raise ValueError(
                f'joints must have shape [{num_joints}, {dim or "2 or 3"}] for the layout '
                f'{self.skeleton.name!r}, got {list(pos.shape)}'
            )
        score = None if scores is None else np.asarray(scores).astype(np.float64)
        if score is not None and score.shape != (num_joints,):
            raise ValueError(f'scores must have shape [{num_joints}], got {list(score.shape)}')
        self._dim = pos.shape[1]
        return _Detection(self.num_frames, pos, score)

    # Windows ##################################################################

    def _compute_people(self) -> list[_Output]:
        """Returns the output for each person that was tracked for long enough."""
        outputs = []
        for key, person in self._people.items():
            first = max(person.start, self.num_frames - self.window)
            if self.num_frames - first >= self.min_frames:
                data = self._make_data([person], first, 'TVC')
                outputs.append(self._compute(data, first, key))
        return outputs

    def _compute_scene(self) -> list[_Output]:
        """Returns one output for the people that are visible in most frames."""
        people = sorted(self._people.values(), key=lambda person: -len(person.detections))
        chosen = [p for p in self._people.values() if p in people[: self._num_people]]
        if not chosen:
            return []
        first = max(min(p.start for p in chosen), self.num_frames - self.window)
        if self.num_frames - first < self.min_frames:
            return []
        return [self._compute(self._make_data(chosen, first, 'MTVC'), first, None)]

    def _make_data(self, people: list[_Person], first: int, axes: str) -> Data:
        """Makes a sample of the frames of people since a frame; other frames are missing."""
        num_people = self._num_people
        shape = (num_people, self.num_frames - first, self.skeleton.num_joints)
        assert self._dim is not None
        pos, score = np.full((*shape, self._dim), np.nan), np.ones(shape)
        has_score = False
        for i, person in enumerate(people):
            for detection in person.detections:
                pos[i, detection.frame - first] = detection.pos
                if detection.score is not None:
                    score[i, detection.frame - first] = detection.score
                    has_score = True
        if axes == 'TVC':
            pos, score = pos[0], score[0]
        scores = score if has_score else None
        data = from_array(pos, self.skeleton, scores, axes, frame_rate=self.frame_rate)
        return data if self._convert is None else self._convert(data)

    # Networks #################################################################

    def _answer(self, outputs: list[_Output]) -> Answers | Identification:
        """Returns the classes of people, or their identities."""
        recognizer = self.recognizer
        if recognizer.class_names is not None:
            names = recognizer.class_names
            return Answers([Answer.from_row(o.row, names, o.frames, o.person) for o in outputs])
        assert recognizer.gallery is not None
        embeddings = recognizer._split_parts(torch.stack([output.row for output in outputs]))
        people = tuple(output.person for output in outputs)
        return replace(recognizer.gallery.identify(embeddings), people=people)

    def _compute(self, data: Data, first: int, key: Hashable) -> _Output:
        """Returns the output for a sample that starts at a frame."""
        recognizer = self.recognizer
        logits = len(recognizer.models) > 1
        outputs = [
            self._mean_output(number, data, first, key, logits)
            for number in range(len(recognizer.models))
        ]
        out = fuse_streams(outputs, recognizer.weights, recognizer.fusion) if logits else outputs[0]
        person = key if isinstance(key, int) else None
        return _Output(out[0], (first, self.num_frames), person)

    @torch.no_grad()
    def _mean_output(
        self, number: int, data: Data, first: int, key: Hashable, logits: bool
    ) -> Tensor:
        """Averages the output of a network over its transforms, as the recognizer does."""
        recognizer = self.recognizer
        classifies = recognizer.class_names is not None
        what = 'logits' if classifies else 'embeddings'
        model = recognizer.fused_model(number)
        dataset = ListDataset([data], recognizer.dataset_transform)
        device = next(model.parameters()).device
        batches: list[Batch] = []
        for transform in recognizer.transforms[number]:
            for _ in range(recognizer.num_augmentations):
                seed = recognizer.seed + len(batches)
                loader = graph_loader(dataset, 1, transform, seed=seed)
                batches.append(next(iter(loader)).to(device))
        if _can_slide(model, batches):
            sliding = self._sliding.setdefault(key, {})
            if number not in sliding or sliding[number].model is not model:
                sliding[number] = SlidingModel(model)
            x = torch.cat([model_inputs(model, batch)[0] for batch in batches])
            out = check_rows(model, sliding[number](x, first), len(batches), what)
        else:
            out = torch.cat([check_rows(model, call_model(model, b), 1, what) for b in batches])
        out = out.float().cpu()
        if classifies and not logits:
            out = out.softmax(dim=-1)
        return out.mean(dim=0, keepdim=True)


def _can_slide(model: torch.nn.Module, batches: list[Batch]) -> bool:
    """Returns whether a network reads features only, of the same number of frames."""
    if getattr(model, 'inputs', None) != ('x', 'batch'):
        return False
    lengths = {batch.x.size(1) for batch in batches if 'x' in batch}
    counts = {int(n) for batch in batches for n in batch.get('num_frames', ())}
    return len(lengths) == 1 and counts <= lengths
