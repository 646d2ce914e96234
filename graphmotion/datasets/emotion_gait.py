"""Emotion-Gait."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch_geometric.data import Data

from graphmotion.data import from_array, read_emotion_gait
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.skeletons import Skeleton, get_skeleton


class EmotionGait(MotionDataset):
    r"""Emotion-Gait: 3D gaits with the emotion that people perceive in them, from the `"STEP:
    Spatial Temporal Graph Convolutional Networks for Emotion Perception from Gaits"
    <https://arxiv.org/abs/1910.12906>`_ paper.

    Gaits are of any length. The root joint is the origin or nearly so, y points up, and the unit
    is that of the files. Walkers are not identified, so that splits are by gait:

    .. code-block:: python

        dataset = EmotionGait('data/emotion_gait')
        train, val, test = dataset.split((8, 1, 1), seed=0)
        for train, test in dataset.folds(5, seed=0):
            ...

    Args:
        root (str): Where :obj:`raw/features.h5` and :obj:`raw/labels.h5` are found.
        skeleton (str or Skeleton, optional): :obj:`"emotion_gait16"` or, for the files with 21
            joints, :obj:`"emotion_gait21"`. (default: :obj:`"emotion_gait16"`)
        transform (callable, optional): Applied to each gait on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each gait once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Gaits for which it is false are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): Process again what was processed before.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are not there.
        ValueError: If one of them is damaged or no gait in them can be used; see
            :func:`~graphmotion.data.read_emotion_gait`.
    """

    class_names = ('happy', 'angry', 'sad', 'neutral')

    def __init__(
        self,
        root: str,
        skeleton: str | Skeleton = 'emotion_gait16',
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    @property
    def raw_file_names(self) -> list[str]:
        r"""The positions and the classes."""
        return ['features.h5', 'labels.h5']

    @property
    def processed_file_names(self) -> list[str]:
        r"""One file for each layout."""
        return [f'{self.skeleton.name.replace("/", "-")}.pt']

    def download(self) -> None:
        r"""The licence asks for a request to the authors, so this only says where.

        Raises:
            FileNotFoundError: Always.
        """
        raise FileNotFoundError(
            f'Emotion-Gait needs the files {self.raw_file_names} in {self.raw_dir}. Its authors '
            f'give it out on request: see "STEP" at https://gamma.umd.edu'
        )

    def read(self) -> Iterator[Data]:
        r"""The gaits, sorted by name."""
        features, labels = self.raw_paths
        gaits = read_emotion_gait(
            features, labels, self.skeleton.num_joints, num_classes=len(self.class_names)
        )
        for _, pos, label in gaits:
            yield from_array(pos, self.skeleton, y=label)
