import os
import re
import unicodedata
import zipfile

import pytest

from graphmotion.datasets import FaceFolder, PoseFolder
from graphmotion.datasets.class_folders import ClassFolders
from tests.datasets.images import encode, picture, write
from tests.datasets.test_pose_folder import ARM, write_numpy, write_openpose


def classes(tmp_path, *files, **options):
    return ClassFolders(str(tmp_path), files, 'images', '.png files', **options)


def faces(root, *names):
    for name in names:
        write(root / name, picture(1))
    return str(root)


def test_names_are_in_natural_order(tmp_path):
    found = classes(tmp_path, '10/s10/a', '2/s9/a', '1/s1/a')
    assert found.class_names == ('1', '2', '10')
    assert found.subject_names == ('s1', 's9', 's10')
    assert found.labels('10/s10/a') == {'y': 2, 'subject': 2}
    assert classes(tmp_path, '-5/a', '-10/a', '0.5/a', '+2/a').class_names == (
        '-10', '-5', '0.5', '+2'
    )  # fmt: skip
    assert classes(tmp_path, 'b/a', 'a-1/a', 'a-10/a', 'a-9/a').class_names == (
        'a-1', 'a-9', 'a-10', 'b'
    )  # fmt: skip


@pytest.mark.parametrize(
    ('first', 'second'),
    [
        ('Happy', 'happy'),
        ('sad', 'sad '),
        (unicodedata.normalize('NFC', 'fröhlich'), unicodedata.normalize('NFD', 'fröhlich')),
        ('straße', 'STRASSE'),
    ],
)
def test_names_that_look_the_same_raise(tmp_path, first, second):
    both = re.escape(f'{min(first, second)!r} and {max(first, second)!r}')
    with pytest.raises(ValueError, match=f'the class names {both} must differ in more than case'):
        classes(tmp_path, f'{first}/a', f'{second}/b')
    with pytest.raises(ValueError, match=f'the subject names {both} must differ in more'):
        classes(tmp_path, f'wave/{first}/a', f'clap/{second}/b')
    parts = {'parts': ('train', 'test')}
    with pytest.raises(ValueError, match=f'the class names {both}'):
        classes(tmp_path, f'train/{first}/a', f'test/{second}/b', **parts)


def test_a_folder_around_the_classes_is_skipped_with_a_warning(tmp_path):
    files = ('data/set/happy/1', 'data/set/sad/1')
    message = re.escape(
        "'data/set' contains all images and is taken as the folder of the classes ['happy', "
        "'sad']; pass subfolder='data/set' to confirm, or subfolder='data' if 'set' is a class"
    )
    with pytest.warns(UserWarning, match=message):
        found = classes(tmp_path, *files)
    assert found.class_names == ('happy', 'sad')
    assert found.subject_names == ()
    assert classes(tmp_path, *files, subfolder='data/set/').class_names == ('happy', 'sad')
    one_class = classes(tmp_path, *files, subfolder='data')
    assert one_class.class_names == ('set',)
    assert one_class.subject_names == ('happy', 'sad')
    with pytest.raises(ValueError, match=r"data/set/happy/1: folder: expected 'other', found"):
        classes(tmp_path, *files, subfolder='other')
    # Parts are found without a warning, since their names are known.
    parts = classes(tmp_path, 'data/train/happy/1', 'data/test/happy/2', parts=('train', 'test'))
    assert parts.labels('data/test/happy/2') == {'y': 0, 'part': 1}
    one_part = classes(tmp_path, 'train/happy/anna/1', parts=('train',))
    assert one_part.labels('train/happy/anna/1') == {'y': 0, 'subject': 0, 'part': 0}


def test_both_datasets_skip_the_same_folders(tmp_path):
    root = faces(tmp_path / 'faces', 'set/happy/1.png', 'set/sad/1.png')
    with pytest.warns(UserWarning, match=r"pass subfolder='set' to confirm"):
        dataset = FaceFolder(root)
    assert dataset.class_names == ('happy', 'sad')
    assert dataset.names() == ['set/happy/1.png', 'set/sad/1.png']
    for name in ('wave', 'clap'):
        write_numpy(tmp_path / 'poses' / 'set' / name / 'a', 1, 3)
    with pytest.warns(UserWarning, match=r"pass subfolder='set' to confirm"):
        dataset = PoseFolder(tmp_path / 'poses', ARM, 'numpy')
    assert dataset.class_names == ('clap', 'wave')
    assert dataset.subject_names == ()
    confirmed = PoseFolder(tmp_path / 'poses', ARM, 'numpy', subfolder='set')
    assert confirmed.names() == ['set/clap/a', 'set/wave/a']
    single = PoseFolder(tmp_path / 'poses', ARM, 'numpy', subfolder='')
    assert (single.class_names, single.subject_names) == (('set',), ('clap', 'wave'))


def test_class_folders_without_files_raise(tmp_path):
    root = faces(tmp_path / 'faces', 'happy/anna/1.png')
    (tmp_path / 'faces' / 'sad').mkdir()
    message = r'sad: images: expected images \(\.png, \.jpg, .*\), found none'
    with pytest.raises(ValueError, match=message):
        FaceFolder(root)
    (tmp_path / 'faces' / 'sad' / '1.heic').write_bytes(b'')
    (tmp_path / 'faces' / 'sad' / '.DS_Store').write_bytes(b'')
    (tmp_path / 'faces' / 'sad' / 'Thumbs.db').write_bytes(b'')
    with pytest.raises(ValueError, match=r'sad: images: expected .*, found only \.heic'):
        FaceFolder(root)
    parts = faces(tmp_path / 'parts', 'train/happy/1.png', 'test/happy/1.png')
    (tmp_path / 'parts' / 'test' / 'sad').mkdir()
    with pytest.raises(ValueError, match=r'test/sad: images: expected .*, found none'):
        FaceFolder(parts, parts=('train', 'test'))


def test_files_beside_their_folders_raise(tmp_path):
    write_numpy(tmp_path / 'poses' / 'wave' / 'a', 1, 3)
    write_numpy(tmp_path / 'poses' / 'b', 1, 3)
    message = r'b: folder: expected a class folder with .*, found recordings next to the class'
    with pytest.raises(ValueError, match=message):
        PoseFolder(tmp_path / 'poses', ARM, 'numpy')
    write_openpose(tmp_path / 'frames' / 'wave', 1, 18)
    message = (
        r'wave: folder: expected a class folder with one folder of \.json files per recording, '
        r'found recordings next to the class folders'
    )
    with pytest.raises(ValueError, match=message):
        PoseFolder(tmp_path / 'frames', 'openpose18', 'openpose')


def test_suggested_parts_begin_with_training(tmp_path):
    files = [f'{part}/happy/1' for part in ('test', 'unlabeled', 'dev', 'Train')]
    with pytest.raises(
        ValueError, match=re.escape("pass parts=('Train', 'dev', 'test', 'unlabeled')")
    ):
        classes(tmp_path, *files)


def test_links_are_followed_except_in_circles(tmp_path):
    faces(tmp_path / 'elsewhere', '1.png', '2.png')
    root = faces(tmp_path / 'root', 'happy/1.png')
    os.symlink(tmp_path / 'elsewhere', tmp_path / 'root' / 'sad')
    os.symlink(tmp_path / 'root', tmp_path / 'root' / 'happy' / 'top')
    os.symlink(tmp_path / 'elsewhere', tmp_path / 'elsewhere' / 'again')
    dataset = FaceFolder(root)
    assert dataset.names() == ['happy/1.png', 'sad/1.png', 'sad/2.png']


@pytest.mark.parametrize('parts', ['train', ('train', 'train')])
def test_parts_are_different_names(tmp_path, parts):
    with pytest.raises(
        ValueError, match=f'parts must be a sequence .*, got {re.escape(repr(parts))}'
    ):
        classes(tmp_path, 'train/happy/1', parts=parts)


def test_broken_links_are_skipped(tmp_path):
    root = faces(tmp_path / 'faces', 'happy/1.png')
    os.symlink(tmp_path / 'nothing.png', tmp_path / 'faces' / 'happy' / '2.png')
    with pytest.warns(UserWarning, match=r'1 with file not readable \(happy/2\.png\)'):
        assert len(FaceFolder(root)) == 1
    write_numpy(tmp_path / 'poses' / 'wave' / 'a', 1, 3)
    os.symlink(tmp_path / 'nothing.npz', tmp_path / 'poses' / 'wave' / 'b.npz')
    with pytest.warns(UserWarning, match=r'1 that cannot be read .*\(wave/b\)'):
        assert len(PoseFolder(tmp_path / 'poses', ARM, 'numpy')) == 1


def test_archives_of_windows(tmp_path):
    (tmp_path / 'raw').mkdir()
    with zipfile.ZipFile(tmp_path / 'raw' / 'faces.zip', 'w') as archive:
        for name in ('set\\happy\\1.png', 'set\\sad\\1.png', '__MACOSX\\set\\._1.png'):
            archive.writestr(name, encode(picture(7)))
    dataset = FaceFolder(tmp_path, subfolder='set')
    assert dataset.names() == ['set/happy/1.png', 'set/sad/1.png']
    assert dataset[0].image.unique().tolist() == [7]


def test_a_class_may_be_named_like_the_processed_files(tmp_path):
    root = faces(tmp_path / 'faces', 'raw/processed/1.png', 'raw/smile/1.png')
    write_numpy(tmp_path / 'poses' / 'raw' / 'processed' / 'a', 1, 3)
    write_numpy(tmp_path / 'poses' / 'raw' / 'wave' / 'a', 1, 3)
    for _ in range(2):
        assert FaceFolder(root).class_names == ('processed', 'smile')
        dataset = PoseFolder(tmp_path / 'poses', ARM, 'numpy')
        assert dataset.class_names == ('processed', 'wave')


def test_archives_of_poses_are_named(tmp_path):
    (tmp_path / 'poses.zip').write_bytes(b'')
    with pytest.raises(ValueError, match=r'expected one folder per class, found only \.zip'):
        PoseFolder(tmp_path, ARM, 'numpy')
