"""Published face datasets."""

import os
import zipfile

import pytest
import torch

from graphmotion.datasets import FER2013, JAFFE, CKPlus
from tests.datasets.images import encode, picture, write


def test_jaffe(tmp_path):
    names = [
        'KA.AN1.39.tiff',
        'YM.SU3.66.tiff',
        'KL-NE2.121.jpg',
        'TM.DI1.187.tiff',
        'KA.XX1.1.tiff',
    ]
    for number, name in enumerate(names, start=1):
        write(tmp_path / 'raw' / 'jaffe' / name, picture(10 * number, (16, 16)))
    (tmp_path / 'raw' / 'jaffe' / 'KA.HA1.29.tiff').write_bytes(b'II*')
    message = 'skipped 2 of 6 images: .*KA.HA1.29.tiff.*; 1 not named like KA.AN1.39.tiff'
    with pytest.warns(UserWarning, match=message):
        dataset = JAFFE(str(tmp_path))
    names = [dataset.class_names[y] for y in dataset.labels('y')]
    assert names == ['anger', 'neutral', 'disgust', 'surprise']
    assert [dataset.subject_names[s] for s in dataset.labels('subject')] == ['KA', 'KL', 'TM', 'YM']
    assert dataset.labels('take').tolist() == [1, 2, 1, 3]
    assert dataset[3].image.eq(20).all()
    assert (dataset.size, dataset.num_classes) == ((16, 16), 7)
    with pytest.warns(UserWarning, match='skipped'):
        assert JAFFE(str(tmp_path), size=8).size == (8, 8)
    folds = dataset.leave_one_out('subject')
    assert len(folds) == 4
    for number, (train, test) in enumerate(folds):
        assert len(train) == 3
        assert test.labels('subject').tolist() == [dataset.labels('subject')[number]]
    with pytest.raises(ValueError, match="'subject' must have at least two values, got one"):
        dataset[:1].leave_one_out()
    with pytest.raises(ValueError, match="no field 'person'"):
        dataset.leave_one_out('person')
    with pytest.raises(FileNotFoundError, match=r'JAFFE needs images such as KA.AN1.39.tiff.*raw'):
        JAFFE(str(tmp_path / 'none'))


def official_ck(root):
    """Two labelled sequences, one without a label, and one whose label is damaged."""
    lengths = {'S005_001': 6, 'S005_002': 3, 'S100_001': 4, 'S101_003': 2}
    for sequence, frames in lengths.items():
        subject, take = sequence.split('_')
        for frame in range(1, frames + 1):
            name = f'{sequence}_{frame:08d}.png'
            number = int(subject[1:]) + 10 * int(take) + frame
            write(root / 'cohn-kanade-images' / subject / take / name, picture(number, (12, 16)))
    for sequence, text in (
        ('S005_001', '   3.0000000e+00\n'),
        ('S100_001', '   2.0000000e+00\n'),
        ('S101_003', 'none'),
    ):
        folder = root / 'Emotion' / sequence.replace('_', '/')
        folder.mkdir(parents=True)
        (folder / f'{sequence}_{lengths[sequence]:08d}_emotion.txt').write_text(text)


def test_landmarks_of_official_ck_plus(tmp_path):
    official_ck(tmp_path / 'raw')
    folder = tmp_path / 'raw' / 'Landmarks' / 'S005' / '001'
    folder.mkdir(parents=True)
    rows = '\n'.join(f'  {x:.7e}  {y:.7e}' for x, y in [(8.0, 6.0)] * 68)
    for frame in (5, 6):
        (folder / f'S005_001_{frame:08d}_landmarks.txt').write_text(rows)
    with pytest.warns(UserWarning, match='skipped 6 of 8 images: 4 without a file of landmarks'):
        dataset = CKPlus(str(tmp_path), size=6, landmarks=True)
    assert dataset.labels('frame').tolist() == [5, 6]
    # The middle 12 of 16 columns are kept, and halved.
    torch.testing.assert_close(dataset[0].landmarks, torch.tensor([[3.25, 3.25]]).expand(68, 2))


def test_official_ck_plus(tmp_path):
    official_ck(tmp_path / 'raw')
    with pytest.warns(UserWarning, match='skipped 2 of 8 images: 2 with emotion not a number'):
        dataset = CKPlus(str(tmp_path), size=12)
    assert dataset.labels('subject').tolist() == [5, 5, 5, 100, 100, 100]
    assert dataset.labels('frame').tolist() == [4, 5, 6, 2, 3, 4]
    assert dataset.labels('take').tolist() == [1] * 6
    assert [dataset.class_names[y] for y in dataset.labels('y')] == ['disgust'] * 3 + [
        'contempt'
    ] * 3
    assert [int(data.image[0, 0, 0]) for data in dataset] == [19, 20, 21, 112, 113, 114]
    with pytest.warns(UserWarning, match='skipped'):
        dataset = CKPlus(str(tmp_path), num_peaks=1, neutral=True)
    assert dataset.class_names[-1] == 'neutral'
    assert dataset.labels('frame').tolist() == [1, 6, 1, 4]
    assert dataset.labels('y').tolist() == [7, 2, 7, 1]
    with pytest.warns(UserWarning, match='skipped'):  # not more images than there are
        assert CKPlus(str(tmp_path), num_peaks=9, neutral=True).labels('frame').tolist() == [
            *range(1, 7), *range(1, 5)
        ]  # fmt: skip
    with pytest.raises(ValueError, match='num_peaks'):
        CKPlus(str(tmp_path), num_peaks=0)


def test_copies_of_ck_plus(tmp_path):
    (tmp_path / 'raw').mkdir()
    names = ['happy/S010_004_00000017.png', 'anger/S011_001_00000014.png', 'happy/notes.png']
    with zipfile.ZipFile(tmp_path / 'raw' / 'ck48.zip', 'w') as archive:
        for number, name in enumerate(names, start=1):
            archive.writestr(f'CK+48/{name}', encode(picture(number), name))
    with pytest.warns(UserWarning, match='skipped 1 of 3 images: 1 not named like S005'):
        dataset = CKPlus(str(tmp_path))
    assert [dataset.class_names[y] for y in dataset.labels('y')] == ['happiness', 'anger']
    assert dataset.labels('subject').tolist() == [10, 11]
    assert dataset.labels('frame').tolist() == [17, 14]
    with pytest.raises(FileNotFoundError, match='CKPlus needs images such as'):
        CKPlus(str(tmp_path / 'none'))


def table(rows, header='emotion,pixels,Usage'):
    return '\n'.join([header, *rows]).encode()


def pixels(first, count=48 * 48):
    return ' '.join(str((first + i) % 256) for i in range(count))


ROWS = [
    f'0,{pixels(1)},Training',
    f'6,{pixels(2)},PublicTest',
    f'3,{pixels(3)},PrivateTest',
    f'3,{pixels(4)},Training',
]


@pytest.mark.parametrize('form', ['csv', 'zip', 'spaces', 'mark'])
def test_the_table_of_fer2013(tmp_path, form):
    raw = tmp_path / 'raw'
    raw.mkdir()
    content = table(ROWS)
    if form == 'spaces':
        swapped = [','.join([row.split(',')[i] for i in (0, 2, 1)]) for row in ROWS]
        content = table(swapped, 'emotion, Usage, pixels')
        (raw / 'train.csv').write_bytes(b'emotion,pixels\n')  # of the contest
        (raw / 'icml_face_data.csv').write_bytes(content)
    elif form == 'zip':
        with zipfile.ZipFile(raw / 'fer2013.zip', 'w') as archive:
            archive.writestr('fer2013/fer2013.csv', content)
    else:
        mark = b'\xef\xbb\xbf' if form == 'mark' else b''  # of the byte order, as of a spreadsheet
        (raw / 'fer2013.csv').write_bytes(mark + content)
    dataset = FER2013(str(tmp_path))
    assert dataset.labels('y').tolist() == [0, 6, 3, 3]
    assert dataset.class_names[3] == 'happiness'
    assert dataset.labels('part').tolist() == [0, 1, 2, 0]
    expected = (torch.arange(48 * 48) + 3) % 256
    assert torch.equal(dataset[2].image.flatten().long(), expected)
    train, test = dataset.official_split()
    assert (len(train), len(test)) == (2, 2)
    train, test = dataset.official_split('private')
    assert (len(train), test.labels('part').tolist()) == (3, [2])
    assert FER2013(str(tmp_path), size=24).size == (24, 24)


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        (f'7,{pixels(1)},Training', 'emotion not a number from 0 to 6'),
        (f'x,{pixels(1)},Training', 'emotion not a number from 0 to 6'),
        (f'1,{pixels(1)},Test', r'Usage not one of \['),
        (f'1,{pixels(1, 2303)},Training', 'pixels not 2304 numbers from 0 to 255'),
        (f'1,{pixels(1, 2303)} 256,Training', 'pixels not 2304 numbers'),
        (f'1,{pixels(1, 2303)} -1,Training', 'pixels not 2304 numbers'),
        (f'1,{pixels(1, 2303)} x,Training', 'pixels not 2304 numbers'),
        (f'1,{pixels(1, 2303)} 1.5,Training', 'pixels not 2304 numbers'),
        ('1,,Training', 'pixels not 2304 numbers'),
        ('1', r'Usage not one of'),
        ('', r'Usage not one of'),
    ],
)
def test_damaged_rows_are_skipped(tmp_path, row, message):
    (tmp_path / 'raw').mkdir()
    (tmp_path / 'raw' / 'fer2013.csv').write_bytes(table([ROWS[0], row, ROWS[1]]))
    with pytest.warns(UserWarning, match=rf'skipped 1 of 3 rows: 1 with {message}.*line 3'):
        assert len(FER2013(str(tmp_path))) == 2


def test_damaged_tables(tmp_path):
    raw = tmp_path / 'raw'
    raw.mkdir()
    (raw / 'fer2013.csv').write_bytes(table([]))
    with pytest.raises(ValueError, match='no rows found'):
        FER2013(str(tmp_path))
    (raw / 'fer2013.csv').write_bytes(table([f'1,"{"1" * 200000}",Training']))
    with pytest.raises(ValueError, match='line 2: expected a row of a table'):
        FER2013(str(tmp_path))
    (raw / 'fer2013.csv').write_bytes(table(ROWS))
    (raw / 'other.csv').write_bytes(table(ROWS))
    with pytest.raises(ValueError, match='expected one table of images, found another'):
        FER2013(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'FER2013 needs fer2013.csv, or images'):
        FER2013(str(tmp_path / 'none'))


def test_folders_of_fer2013(tmp_path):
    names = ['train/angry/1.jpg', 'test/happy/1.jpg', 'val/sad/1.jpg', 'train/other/1.jpg', '2.jpg']
    for number, name in enumerate(names, start=1):
        write(tmp_path / 'raw' / 'fer' / name, picture(10 * number, (48, 48)))
    with pytest.warns(
        UserWarning, match='skipped 2 of 5 images: 2 not in folders named like train/'
    ):
        dataset = FER2013(str(tmp_path))
    assert dataset.labels('part').tolist() == [2, 0, 1]
    assert [dataset.class_names[y] for y in dataset.labels('y')] == [
        'happiness',
        'anger',
        'sadness',
    ]


@pytest.mark.slow
def test_the_real_fer2013(real_data, tmp_path):
    (tmp_path / 'raw').mkdir()
    source = real_data / 'fer2013' / 'fer2013_7classes.zip'
    os.symlink(source, tmp_path / 'raw' / source.name)
    dataset = FER2013(str(tmp_path))
    train, test = dataset.official_split()
    assert (len(train), len(test), dataset.size) == (2680, 766, (48, 48))
    # In the order of the classes in the official table.
    assert train.labels('y').bincount().tolist() == [395, 306, 398, 399, 398, 384, 400]
    assert test.labels('y').bincount().tolist() == [117, 63, 117, 120, 120, 109, 120]
    assert dataset.get_batch(range(len(dataset))).image.float().std() > 50
