"""Strips of poses from motion sequences."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.visualization._figure import Figure, PathLike, finish_figure
from graphmotion.visualization._inputs import check_names
from graphmotion.visualization._strips import Strip, draw_strips, select_frames
from graphmotion.visualization.projection import Arrays, Poses, View, project_sequences


def plot_pose_strip(
    pos: Poses,
    skeleton: str | Skeleton,
    frames: Sequence[int] | None = None,
    num_poses: int = 6,
    score: Arrays | None = None,
    labels: Sequence[str] | None = None,
    view: View = 'oblique',
    up: str | None = None,
    follow: bool = True,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots a sequence as a row of poses, or several sequences as one row each.

    The left side of the body is blue, the right side is orange and the trunk is grey. All poses
    have the same scale. The numbers below the poses are frame indices.

    .. code-block:: python

        happy, sad = SyntheticGait(num_subjects=1, num_takes=1, emotions=['happy', 'sad'])
        plot_pose_strip([happy, sad], 'emotion_gait16', labels=['happy', 'sad'])

    Args:
        pos (Tensor, Data or list): The sequence, or several sequences of any lengths: positions, or
            samples with the fields :obj:`pos` and, if joints are missing, :obj:`score`.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        frames (sequence of int, optional): The frames to draw of each sequence. If set to
            :obj:`None`, :obj:`num_poses` evenly spaced frames are drawn. (default: :obj:`None`)
        num_poses (int, optional): The number of poses if :obj:`frames` is not given.
            (default: :obj:`6`)
        score (Tensor or list of Tensor, optional): The confidences of each sequence, by default
            those of the samples. Joints with a confidence of 0 or a non-finite position are not
            drawn; without confidences, joints at the origin are. (default: :obj:`None`)
        labels (sequence of str, optional): The label of each sequence. (default: :obj:`None`)
        view (str or tuple, optional): The viewpoint, see :func:`project`.
            (default: :obj:`"oblique"`)
        up (str, optional): The upward axis, see :func:`project`. (default: :obj:`None`)
        follow (bool, optional): If set to :obj:`False`, horizontal motion of the body is kept,
            which shrinks bodies that travel. (default: :obj:`True`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **pos:** :math:`(B \cdot V, T, D)` with :math:`B` bodies and :math:`D \in \{2, 3\}`
        - **score:** :math:`(B \cdot V, T)`

    Raises:
        ValueError: If a shape does not match the skeleton, a frame is out of range, or there is
            not one label for each sequence.
    """
    skeleton = get_skeleton(skeleton)
    sequences = project_sequences(pos, skeleton, score, view, up, follow)
    strips = [
        Strip(sequence, select_frames(sequence.num_frames, frames, num_poses), label)
        for sequence, label in zip(sequences, check_names(labels, 'labels', len(sequences)))
    ]
    return finish_figure(draw_strips({'': strips}, skeleton, bool(title)), path, title)


def plot_pose_gallery(
    pos: Poses,
    skeleton: str | Skeleton,
    target: torch.Tensor | Sequence[int],
    prediction: torch.Tensor | Sequence[int],
    class_names: Sequence[str],
    num_rows: int = 4,
    num_poses: int = 3,
    score: Arrays | None = None,
    view: View = 'oblique',
    up: str | None = None,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots correctly classified sequences next to misclassified ones.

    .. code-block:: python

        dataset = SyntheticGait(num_subjects=2, num_takes=1)
        prediction = torch.tensor([0, 1, 2, 3, 1, 1, 0, 3])
        plot_pose_gallery([*dataset], 'emotion_gait16', dataset.labels(), prediction,
                          dataset.class_names)

    Args:
        pos (list of Tensor or Data): The sequences, of any lengths.
        skeleton (str or Skeleton): The skeleton, or the name of a built-in one.
        target (Tensor or sequence of int): The class of each sequence.
        prediction (Tensor or sequence of int): The predicted class of each sequence.
        class_names (sequence of str): The class names.
        num_rows (int, optional): The maximum number of sequences in each column, taken in the
            given order. (default: :obj:`4`)
        num_poses (int, optional): The number of poses of each sequence. (default: :obj:`3`)
        score, view, up, title, path (optional): See :func:`plot_pose_strip`.

    Shapes:
        - **pos:** :math:`(B \cdot V, T, D)` with :math:`B` bodies and :math:`D \in \{2, 3\}`

    Raises:
        ValueError: If a shape does not match the skeleton, there is not one target and one
            prediction for each sequence, or a class has no name.
    """
    if not isinstance(pos, (list, tuple)):
        raise ValueError(f'pos must be a list of sequences, got {type(pos).__name__}')
    targets, predictions = (
        [int(label) for label in torch.as_tensor(labels).view(-1)]
        for labels in (target, prediction)
    )
    if not len(pos) == len(targets) == len(predictions):
        raise ValueError(
            f'target and prediction must have one entry for each of the {len(pos)} sequences, '
            f'got {len(targets)} and {len(predictions)}'
        )
    for index in targets + predictions:
        if not 0 <= index < len(class_names):
            raise ValueError(
                f'target and prediction must be in [0, {len(class_names) - 1}], the indices of '
                f'class_names, got {index}'
            )
    correct = [i for i in range(len(pos)) if targets[i] == predictions[i]][:num_rows]
    wrong = [i for i in range(len(pos)) if targets[i] != predictions[i]][:num_rows]
    skeleton = get_skeleton(skeleton)
    sequences = project_sequences(
        [pos[i] for i in correct + wrong],
        skeleton,
        None if score is None else [score[i] for i in correct + wrong],
        view,
        up,
        follow=True,
    )
    strips = []
    for i, sequence in zip(correct + wrong, sequences):
        label = class_names[targets[i]]
        if i in wrong:
            label += f'\npredicted {class_names[predictions[i]]}'
        strips.append(Strip(sequence, select_frames(sequence.num_frames, None, num_poses), label))
    columns = {'correct': strips[: len(correct)], 'misclassified': strips[len(correct) :]}
    columns = {heading: column for heading, column in columns.items() if column}
    return finish_figure(draw_strips(columns, skeleton, bool(title)), path, title)
