import re

import numpy as np
import pytest
import torch
from PIL import Image

from graphmotion.datasets import SilhouetteDataset
from graphmotion.io import align_silhouettes
from tests.datasets.silhouettes import clip, pack, write_images, write_pickle


class Corridor(SilhouetteDataset):
    """Two people who walk along a corridor."""

    class_names = ('anna', 'ben')
    pattern = re.compile(r'(?P<person>\w+)/walk-(?P<take>\d+)')
    layout = 'anna/walk-1'

    def find_labels(self, person, take):
        if person not in self.class_names:
            return 'of a stranger'
        subject = self.class_names.index(person)
        return {'y': subject, 'subject': subject, 'take': int(take)}


def expected(images, size=(64, 44)):
    return torch.from_numpy(align_silhouettes(images, size)[0]).unsqueeze(0)


@pytest.mark.parametrize('packed', [False, True])
def test_reads_folders_of_images(tmp_path, packed):
    raw = tmp_path / 'raw'
    write_images(raw / 'anna' / 'walk-1', clip(3))
    write_images(raw / 'zone' / 'ben' / 'walk-2', clip(5, 1), 'frame{}.png', first=8)
    if packed:
        pack(raw)
    dataset = Corridor(str(tmp_path))
    assert dataset.labels('y').tolist() == dataset.labels('subject').tolist() == [0, 1]
    assert dataset.labels('take').tolist() == [1, 2]
    # Frames 8, 9, 10, 11, 12 are in the order of their numbers.
    for data, images in zip(dataset, (clip(3), clip(5, 1))):
        assert torch.equal(data.silhouettes, expected(images))
        assert (data.num_frames.tolist(), data.num_nodes) == ([len(images)], 16)
    assert dataset._data.silhouettes.shape == (8, 64, 6)  # bits
    assert dataset.num_classes == 2


def test_options(tmp_path):
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', clip(3))
    write_images(tmp_path / 'raw' / 'anna' / 'walk-2', clip(4))
    with pytest.warns(
        UserWarning,
        match=r'1 of 2 sequences: 1 with fewer than 4 frames with a body \(.*anna/walk-1\)',
    ):
        dataset = Corridor(str(tmp_path), num_strips=8, size=(32, 22), min_frames=4)
    assert torch.equal(dataset[0].silhouettes, expected(clip(4), (32, 22)))
    batch = dataset.get_batch([0, 0])
    assert (batch.num_nodes, batch.batch.bincount().tolist()) == (16, [8, 8])
    assert len(Corridor(str(tmp_path))) == 2  # processed by itself
    for options, message in (
        ({'num_strips': 0}, 'num_strips must be an integer >= 1, got 0'),
        ({'size': 64}, r'size must be \(height, width\), got 64'),
        ({'size': (64, 0)}, 'width must be an integer >= 1, got 0'),
        ({'min_frames': 1.5}, 'min_frames must be an integer >= 1, got 1.5'),
    ):
        with pytest.raises(ValueError, match=message):
            Corridor(str(tmp_path), **options)


def test_invalid_frames_and_sequences_are_skipped(tmp_path):
    raw = tmp_path / 'raw'
    images = clip(6)
    images[[0, 4]] = 0
    write_images(raw / 'anna' / 'walk-1', images)
    (raw / 'anna' / 'walk-1' / '003.png').write_bytes(b'damaged')
    write_images(raw / 'ben' / 'walk-1', clip(2))
    write_images(raw / 'carl' / 'walk-1', clip(2))
    write_images(raw / 'ben' / 'run-1', clip(2))
    write_images(raw / 'ben' / 'walk-2', 0 * clip(2))
    write_pickle(raw / 'ben' / 'walk-3' / 'a.pkl', clip(2).astype(float))
    with pytest.warns(UserWarning, match='skipped') as warned:
        dataset = Corridor(str(tmp_path))
    messages = [str(warning.message) for warning in warned]
    assert len(messages) == 2
    assert re.search(
        r'skipped 4 of 6 sequences: 1 not in folders named like anna/walk-1 \(ben/run-1\); '
        r'1 with fewer than 1 frames with a body \(ben/walk-2\); '
        r'1 of a stranger \(carl/walk-1\); '
        r'1 with silhouettes not an array of bytes of shape \[T, H, W\] \(ben/walk-3/a\)$',
        messages[0],
    )
    assert re.search(
        r'skipped 5 of 10 frames: 1 with content not a complete image .* \(anna/walk-1/003\.png\); '
        r'4 without a body \(anna/walk-1/001\.png, anna/walk-1/005\.png, .*\.\.\.\)$',
        messages[1],
    )
    assert torch.equal(dataset[0].silhouettes, expected(images[[1, 3, 5]]))


def test_images_are_preferred_to_pickles(tmp_path):
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', clip(3))
    write_pickle(tmp_path / 'raw' / 'anna' / 'walk-1' / 'a.pkl', clip(5))
    write_pickle(tmp_path / 'raw' / 'anna' / 'walk-2' / 'a.pkl', clip(4))
    assert Corridor(str(tmp_path)).num_frames.tolist() == [3, 4]  # without a warning


def test_aligned_pickles_are_read_as_they_are(tmp_path):
    images = clip(5, width=24)
    square = np.pad(align_silhouettes(images)[0], ((0, 0), (0, 0), (11, 9)))
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', images)
    write_pickle(tmp_path / 'raw' / 'ben' / 'walk-1' / 'a.pkl', 255 * square)
    dataset = Corridor(str(tmp_path))
    assert torch.equal(dataset[0].silhouettes, expected(images))
    assert torch.equal(dataset[1].silhouettes[0], torch.from_numpy(square[..., 10:54]))


def test_sequences_with_the_same_labels_are_skipped(tmp_path):
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', clip(3))
    write_images(tmp_path / 'raw' / 'zone' / 'anna' / 'walk-1', clip(4))
    write_pickle(tmp_path / 'raw' / 'anna' / 'walk-2' / 'a.pkl', clip(4))
    write_pickle(tmp_path / 'raw' / 'anna' / 'walk-2' / 'b.pkl', clip(7))
    reason = (
        r'2 of 4 sequences: 2 with the labels of another sequence '
        r'\(zone/anna/walk-1, anna/walk-2/b\)'
    )
    with pytest.warns(UserWarning, match=reason):
        dataset = Corridor(str(tmp_path))
    assert dataset.num_frames.tolist() == [3, 4]


def test_images_without_a_frame_number_are_skipped(tmp_path):
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', clip(3))
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', clip(1, 5), 'thumb.png')
    write_images(tmp_path / 'raw' / 'ben' / 'walk-1', clip(1), 'a.png')
    with pytest.warns(
        UserWarning,
        match=r'1 of 5 frames: 1 without a frame number \(anna/walk-1/thumb\.png\)',
    ):
        dataset = Corridor(str(tmp_path))
    assert dataset.num_frames.tolist() == [3, 1]
    assert torch.equal(dataset[0].silhouettes, expected(clip(3)))


def test_missing_and_invalid_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'Corridor needs folders .* anna/walk-1/\*\.png'):
        Corridor(str(tmp_path))
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', 0 * clip(2))
    with pytest.raises(ValueError, match='all 1 sequences were skipped: 1 with fewer than 1'):
        Corridor(str(tmp_path))
    assert not (tmp_path / 'processed').exists()


class Nothing(Corridor):
    """Samples without silhouettes."""

    def read(self):
        from torch_geometric.data import Data

        yield Data(y=torch.tensor([0]))


def test_samples_need_silhouettes():
    with pytest.raises(ValueError, match=r"Nothing: sample 0 must have a field 'silhouettes'"):
        Nothing(None)


def test_nearly_constant_clips(tmp_path):
    white, line = np.full((1, 64, 64), 255, np.uint8), np.zeros((1, 64, 64), np.uint8)
    line[:, :, 30] = 255
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', white)
    write_images(tmp_path / 'raw' / 'anna' / 'walk-2', line)
    with pytest.warns(UserWarning, match='pass invert=True'):
        dataset = Corridor(str(tmp_path))
    assert dataset[0].silhouettes.all()
    assert dataset[0].silhouettes.shape == (1, 1, 64, 44)
    # One pixel wide, its middle half a pixel right of a border of two: a half of either.
    assert dataset[1].silhouettes[0, 0].any(0).nonzero().view(-1).tolist() == [21, 22]


def test_changed_images_and_names_of_people_are_noticed(tmp_path, monkeypatch):
    for name in ('anna', 'ben'):
        write_images(tmp_path / 'raw' / name / 'walk-1', clip(3))
    assert Corridor(str(tmp_path)).num_frames.tolist() == [3, 3]
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', clip(6))
    with pytest.warns(UserWarning, match='the raw files have changed'):
        assert Corridor(str(tmp_path)).num_frames.tolist() == [6, 3]
    monkeypatch.setattr(Corridor, 'class_names', ('ben', 'anna'))
    with pytest.warns(UserWarning, match='labels have changed'):
        assert Corridor(str(tmp_path)).labels('y').tolist() == [1, 0]


def test_a_folder_of_images_may_contain_folders(tmp_path):
    images = clip(4)
    folder = tmp_path / 'raw' / 'anna' / 'walk-1'
    write_images(folder, images[:3], 'a{}.png')
    write_images(folder, images[3:], 'z{}.png', first=4)
    write_images(folder / 'b', images[:2], 'thumb{}.png')
    with pytest.warns(UserWarning, match=r'1 with the labels of another .* \(anna/walk-1/b\)'):
        dataset = Corridor(str(tmp_path))
    assert torch.equal(dataset[0].silhouettes, expected(images))


def numbered(shift):
    """A body whose position identifies the frame, since the other half is cut off."""
    image = np.zeros((1, 80, 100), np.uint8)
    image[:, 10:70, 20 : 30 + 2 * shift] = 255
    return image


def test_frames_are_sorted_by_the_number_that_differs(tmp_path):
    images = np.concatenate([numbered(shift) for shift in range(12)])
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', images, 'frame_{}_mask0.png', first=0)
    write_images(tmp_path / 'raw' / 'ben' / 'walk-1', images, '2-{}-0.png', first=0)
    dataset = Corridor(str(tmp_path))
    assert all(torch.equal(data.silhouettes, expected(images)) for data in dataset)


def test_frames_with_several_numbers_warn(tmp_path):
    images = np.concatenate([numbered(shift) for shift in range(4)])
    for number, name in enumerate(('9-59', '10-0', '10-1', '11-0')):
        write_images(tmp_path / 'raw' / 'anna' / 'walk-1', images[number:][:1], f'{name}.png')
    message = r'several numbers differ in the names of the frames of 1 sequences \(anna/walk-1\)'
    with pytest.warns(UserWarning, match=message):
        dataset = Corridor(str(tmp_path))
    assert torch.equal(dataset[0].silhouettes, expected(images))


def test_frames_with_the_number_of_another_are_skipped(tmp_path):
    images = clip(3)
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', images)
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', images[:1], '{}.bmp', first=2)
    message = r'1 with the number of another frame \(anna/walk-1/2\.bmp\)'
    with pytest.warns(UserWarning, match=message):
        assert torch.equal(Corridor(str(tmp_path))[0].silhouettes, expected(images))


def test_frames_that_cannot_be_read_are_the_reason_of_the_error(tmp_path):
    colours = np.zeros((80, 100, 3), np.uint8)
    colours[:, :20, 0] = colours[:, 50:, 1] = 255
    write_images(tmp_path / 'raw' / 'anna' / 'walk-1', [colours] * 2)
    with pytest.raises(ValueError, match=r'1 with colours not a mask in one colour'):
        Corridor(str(tmp_path))
    write_images(tmp_path / 'raw' / 'ben' / 'walk-1', clip(3))
    with pytest.warns(UserWarning, match='skipped') as caught:
        Corridor(str(tmp_path))
    assert [str(warning.message).split(': ')[1] for warning in caught] == [
        'skipped 1 of 2 sequences', 'skipped 2 of 5 frames'
    ]  # fmt: skip


def test_animations_are_not_read_as_one_frame(tmp_path):
    folder = tmp_path / 'raw' / 'anna' / 'walk-1'
    folder.mkdir(parents=True)
    first, *others = [Image.fromarray(image) for image in clip(4)]
    first.save(folder / '1.gif', save_all=True, append_images=others)
    with pytest.raises(ValueError, match='1 with frames not one image'):
        Corridor(str(tmp_path))


def test_images_outside_folders_are_named(tmp_path):
    write_images(tmp_path / 'raw', clip(2))
    with pytest.raises(ValueError, match=r'1 not in folders named like anna/walk-1 \(\.\)'):
        Corridor(str(tmp_path))
