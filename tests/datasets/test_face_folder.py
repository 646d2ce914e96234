import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from graphmotion.datasets import FaceFolder
from tests.datasets.images import encode, picture, write

NAMES = ('happy/ben/1.png', 'happy/anna/2.JPG', 'sad/ben/1.tiff', 'sad/ben/1.pgm')


def fill(root, names=NAMES, shape=(8, 8)):
    for number, name in enumerate(names, start=1):
        write(root / name, picture(10 * number, shape))
    return str(root)


def greys(dataset):
    return {name: int(d.image.float().mean()) for name, d in zip(dataset.names(), dataset)}


@pytest.mark.parametrize('where', ['raw', '', 'zip', 'zip in a folder', 'folder'])
def test_reads_folders_and_archives(tmp_path, where):
    if where.startswith('zip'):
        inside = 'faces/set/' if where != 'zip' else ''
        (tmp_path / 'raw').mkdir()
        with zipfile.ZipFile(tmp_path / 'raw' / 'faces.zip', 'w') as archive:
            for number, name in enumerate(NAMES, start=1):
                archive.writestr(inside + name, encode(picture(10 * number), name))
    else:
        fill(tmp_path / {'raw': 'raw', '': '', 'folder': 'raw/faces'}[where])
    subfolder = {'zip in a folder': 'faces/set', 'folder': 'faces'}.get(where)
    for _ in range(2):  # from the files, then from what was processed
        dataset = FaceFolder(str(tmp_path), subfolder=subfolder)
        assert dataset.class_names == ('happy', 'sad')
        assert dataset.subject_names == ('anna', 'ben')
        assert dataset.labels('y').tolist() == [0, 0, 1, 1]
        assert dataset.labels('subject').tolist() == [0, 1, 1, 1]
        assert [name.split('set/')[-1].split('faces/')[-1] for name in dataset.names()] == [
            'happy/anna/2.JPG', 'happy/ben/1.png', 'sad/ben/1.pgm', 'sad/ben/1.tiff'
        ]  # fmt: skip
        assert list(greys(dataset).values()) == [20, 10, 40, 30]
        assert dataset.size == (8, 8)
        assert dataset[0].image.dtype == torch.uint8
    assert len(list((tmp_path / 'processed').glob('*.pt'))) == 1


def test_sizes(tmp_path):
    root = fill(tmp_path, ['happy/1.png', 'sad/1.png'], (8, 12))
    write(tmp_path / 'sad' / '2.png', picture(99, (20, 6)))
    assert FaceFolder(root, size=6)[2].image.shape == (1, 6, 6)
    assert FaceFolder(root, size=(4, 6)).size == (4, 6)
    message = r'2.png: size: expected 8 x 12 as in .*1.png, found 20 x 6; pass size='
    with pytest.raises(ValueError, match=message):
        FaceFolder(root)
    for size in (0, (3,), 2.5, (4, -1)):
        with pytest.raises(ValueError, match='size'):
            FaceFolder(root, size=size)


def test_colour(tmp_path):
    color = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    write(tmp_path / 'happy' / '1.png', color)
    write(tmp_path / 'sad' / '1.png', picture(70))
    dataset = FaceFolder(str(tmp_path), color=True)
    assert dataset.size == (8, 8)
    assert torch.equal(dataset[0].image, torch.from_numpy(color).permute(2, 0, 1)[None])
    assert torch.equal(dataset[1].image, torch.full((1, 3, 8, 8), 70, dtype=torch.uint8))
    assert dataset.get_batch([0, 1]).image.shape == (2, 3, 8, 8)
    assert FaceFolder(str(tmp_path), size=4, color=True)[0].image.shape == (1, 3, 4, 4)
    assert FaceFolder(str(tmp_path))[0].image.shape == (1, 8, 8)  # not the processed colour images


@pytest.mark.parametrize('archive', [False, True])
def test_landmarks(tmp_path, archive):
    points = np.random.default_rng(0).uniform(0, 20, (68, 2)).round(3)
    rows = '\n'.join(f'{x} {y}' for x, y in points)
    files = {
        'happy/1.png': encode(picture(10, (20, 30))),
        'happy/1.txt': rows.encode(),
        'sad/1.png': encode(picture(20, (20, 30))),
        'sad/1.pts': f'version: 1\nn_points: 68\n{{\n{rows}\n}}\n'.encode(),
        'sad/2.png': encode(picture(30, (20, 30))),
        'sad/2.txt': b'1 2\n3 4\n',
        'sad/3.png': encode(picture(30, (20, 30))),
    }
    (tmp_path / 'raw').mkdir()
    if archive:
        with zipfile.ZipFile(tmp_path / 'raw' / 'faces.zip', 'w') as file:
            for name, content in files.items():
                file.writestr(name, content)
    else:
        for name, content in files.items():
            (tmp_path / 'raw' / name).parent.mkdir(exist_ok=True)
            (tmp_path / 'raw' / name).write_bytes(content)
    with pytest.warns(UserWarning, match='skipped 2 of 4 images'):
        dataset = FaceFolder(str(tmp_path), landmarks=True)
    first, second = (data.landmarks.double().numpy() for data in dataset)
    np.testing.assert_allclose(first, points + 0.5, atol=1e-5)
    np.testing.assert_allclose(second, points - 0.5, atol=1e-5)
    with pytest.warns(UserWarning, match='skipped 2 of 4 images'):
        resized = FaceFolder(str(tmp_path), size=10, landmarks=True)
    expected = (points + 0.5 - [5, 0]) / 2
    np.testing.assert_allclose(resized[0].landmarks.double().numpy(), expected, atol=1e-5)


def test_subjects(tmp_path):
    names = ['happy/anna_1.png', 'happy/ben_1.png', 'sad/anna_2.png']
    root = fill(tmp_path, names)
    dataset = FaceFolder(root, subject=r'(\w+?)_')
    assert dataset.labels('subject').tolist() == [0, 1, 0]
    assert FaceFolder(root).subject_names == ()
    with pytest.raises(ValueError, match='3 of 3 images have no subject, such as'):
        FaceFolder(root, subject='(x)')
    with pytest.raises(ValueError, match='subject must have one group'):
        FaceFolder(root, subject='anna')
    write(tmp_path / 'sad' / 'anna' / '3.png', picture(1))
    with pytest.raises(ValueError, match='3 of 4 images have no subject'):
        FaceFolder(root)


def test_parts(tmp_path):
    names = ['train/a/1.png', 'train/b/1.png', 'test/a/1.png', 'val/b/anna.png']
    root = fill(tmp_path, names)
    dataset = FaceFolder(root, parts=('train', 'val', 'test'))
    assert dataset.class_names == ('a', 'b')
    train, test = dataset.official_split()
    assert train.names() == ['train/a/1.png', 'train/b/1.png']
    assert dict(zip(test.names(), test.labels('part').tolist())) == {
        'test/a/1.png': 2, 'val/b/anna.png': 1
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"expected one of the parts \['train', 'test'\]"):
        FaceFolder(root, parts=('train', 'test'))
    message = r"found folders of parts \['test', 'train', 'val'\]; pass parts="
    with pytest.raises(ValueError, match=message):
        FaceFolder(root)
    fill(tmp_path / 'upper', ['Training/a/1.png', 'PublicTest/a/1.png'])
    with pytest.raises(ValueError, match='pass parts='):
        FaceFolder(str(tmp_path / 'upper'))
    fill(tmp_path / 'words', ['test/a/1.png', 'smile/a/1.png'])
    assert FaceFolder(str(tmp_path / 'words')).class_names == ('smile', 'test')
    assert FaceFolder.protocols == {}


def test_damaged_files_are_skipped(tmp_path):
    root = fill(tmp_path)
    (tmp_path / 'sad' / 'ben' / '2.png').write_bytes(b'no image')
    (tmp_path / 'sad' / 'ben' / '3.gif').write_bytes(b'')
    with pytest.warns(
        UserWarning, match=r'skipped 2 of 6 images: 2 with content not a complete image'
    ):
        dataset = FaceFolder(root)
    assert len(dataset) == 4
    assert len(dataset.names()) == 4
    for name in NAMES:
        (tmp_path / name).write_bytes(b'no image')
    with pytest.raises(ValueError, match='all 6 images were skipped'):
        FaceFolder(root, force_reload=True)


def test_added_files_are_read(tmp_path):
    root = fill(tmp_path)
    assert len(FaceFolder(root)) == 4
    write(tmp_path / 'sad' / 'ben' / '9.png', picture(9))
    assert len(FaceFolder(root)) == 5


def test_bad_folders_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such folder'):
        FaceFolder(str(tmp_path / 'x'))
    with pytest.raises(ValueError, match=r'images: expected one folder per class, found none'):
        FaceFolder(str(tmp_path))
    fill(tmp_path)
    write(tmp_path / 'stray.png', picture(1))
    with pytest.raises(ValueError, match=r'stray.png: folder: expected a class folder'):
        FaceFolder(str(tmp_path))


@pytest.mark.parametrize('kind', [str, Path])
def test_the_home_directory_is_expanded(tmp_path, monkeypatch, kind):
    fill(tmp_path, ['happy/1.png', 'sad/1.png'])
    monkeypatch.setenv('HOME', str(tmp_path.parent))
    assert FaceFolder(kind(f'~/{tmp_path.name}')).names() == ['happy/1.png', 'sad/1.png']


def test_changed_landmarks_are_read_again(tmp_path):
    rows = '\n'.join(['3 4'] * 68)
    write(tmp_path / 'happy' / '1.png', picture(1))
    (tmp_path / 'happy' / '1.txt').write_text(rows)
    first = FaceFolder(str(tmp_path), landmarks=True)[0].landmarks
    (tmp_path / 'happy' / '1.txt').write_text(rows.replace('3 4', '13 4'))
    with pytest.warns(UserWarning, match='the raw files have changed'):
        second = FaceFolder(str(tmp_path), landmarks=True)[0].landmarks
    assert torch.equal(second[:, 0], first[:, 0] + 10)


def test_images_of_twelve_bits(tmp_path):
    for number, brightest in enumerate((4095, 200), start=1):
        write(tmp_path / 'happy' / f'{number}.png', np.full((8, 8), brightest, np.uint16))
    with pytest.warns(UserWarning, match=r'1 with brightest pixel not .* max_value .*happy/1'):
        assert list(greys(FaceFolder(str(tmp_path))).values()) == [200]
    dataset = FaceFolder(str(tmp_path), max_value=4095)
    assert list(greys(dataset).values()) == [255, 12]
    with pytest.raises(ValueError, match='max_value must be positive and finite, got 0'):
        FaceFolder(str(tmp_path), max_value=0)
