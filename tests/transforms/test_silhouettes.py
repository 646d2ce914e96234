"""Properties of transforms on samples with silhouettes and no joints."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

import graphmotion.transforms as T

# They change all frames of a clip in the same way and set no pixel of a blank clip.
ALIKE = [
    T.RandomSilhouetteAffine(),
    T.RandomSilhouetteAffine(20, (0.5, 1.5), (0.2, 0.1), per_axis=True, p=1),
    T.RandomSilhouetteMorphology(),
    T.RandomSilhouetteMorphology(2, p=1),
    T.RandomSilhouetteErasing(),
    T.RandomSilhouetteErasing((0.2, 0.9), (0.1, 10), p=1),
    T.SilhouetteStripDropout(4, p=0.4),
    T.RandomSilhouetteGround(),
    T.RandomSilhouetteGround(16, 20, p=1),
    T.DownsampleSilhouettes(1),
]
SILHOUETTES = [*ALIKE, T.SilhouetteNoise(0.1)]
ALSO = [
    T.CropFrames(5),
    T.CropFrames(20, 'center', pad='zero'),
    T.CropFrames(7, 'uniform'),
    T.PadFrames(20),
    T.ResampleFrames(9),
    T.RandomSpeed((0.4, 0.9)),
    T.RandomTimeReversal(),
    T.RandomTimeShift(),
    T.RandomMirror(),
    T.FrameDropout(0.4),
]
NAMES = [f'{i}-{type(transform).__name__}' for i, transform in enumerate(SILHOUETTES + ALSO)]
each = pytest.mark.parametrize('transform', SILHOUETTES + ALSO, ids=NAMES)
each_own = pytest.mark.parametrize('transform', SILHOUETTES, ids=NAMES[: len(SILHOUETTES)])
each_alike = pytest.mark.parametrize('transform', ALIKE, ids=NAMES[: len(ALIKE)])


def make(num_frames=12, padding=0, seed=0, dtype=torch.uint8, height=16, width=11):
    random = np.random.default_rng(seed)
    shape = (1, num_frames + padding, height, width)
    images = torch.tensor(random.uniform(size=shape) < 0.6, dtype=dtype)
    return Data(
        silhouettes=images,
        y=torch.tensor([seed]),
        num_frames=torch.tensor([num_frames]),
        num_nodes=4,
    )


@each
@pytest.mark.parametrize('dtype', [torch.uint8, torch.bool])
def test_batch_matches_its_samples(transform, dtype, assert_alike):
    samples = [make(n, 16 - n, seed=i, dtype=dtype) for i, n in enumerate((16, 9, 1, 12, 5))]
    _, batch = assert_alike(transform, samples)
    assert batch.silhouettes.dtype == dtype
    assert int(batch.silhouettes.max()) == 1
    assert batch.num_nodes == 20


@each_alike
def test_all_frames_change_the_same_way(transform):
    data = make(5, 3)
    data.silhouettes[:, 1:] = data.silhouettes[:, :1]
    out = transform(copy.copy(data)).silhouettes
    assert torch.equal(out, out[:, :1].expand_as(out))


@each_own
def test_invalid_silhouettes(transform):
    for wrong, found in (
        (Data(pos=torch.zeros(3, 2, 2)), 'got no field'),
        (Data(silhouettes=torch.zeros(3, 4, 5)), r'got shape \[3, 4, 5\]'),
        (Data(silhouettes=torch.zeros(2, 3, 4, 5)), r'got shape \[2, 3, 4, 5\]'),
    ):
        message = rf"'silhouettes' must have shape \[1, num_frames, H, W\], {found}"
        with pytest.raises(ValueError, match=message):
            transform(wrong)


@each_own
def test_repr_and_pickle(transform):
    assert repr(transform).startswith(f'{type(transform).__name__}(')
    assert repr(pickle.loads(pickle.dumps(transform))) == repr(transform)
    assert len({repr(t) for t in SILHOUETTES}) == len(SILHOUETTES)


@each_alike
@pytest.mark.parametrize('images', [torch.zeros(1, 1, 16, 11), torch.ones(1, 1, 16, 11)])
def test_blank_and_white_clips_of_one_frame(transform, images):
    out = transform(Data(silhouettes=images.byte(), num_frames=torch.tensor([1]))).silhouettes
    assert out.shape == images.shape
    assert not bool((out.float() > images).any())


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@each
def test_stays_on_the_device(transform):
    batch = Batch.from_data_list([make(seed=i) for i in range(3)]).to('cuda')
    assert transform(batch).silhouettes.is_cuda


@pytest.mark.parametrize('transform', ALIKE, ids=lambda t: type(t).__name__)
def test_pixels_of_255_raise(transform):
    data = Data(silhouettes=torch.full((1, 3, 8, 8), 255, dtype=torch.uint8), num_nodes=2)
    with pytest.raises(ValueError, match=r"'silhouettes' must be in \[0, 1\], got values from 255"):
        transform(data)
