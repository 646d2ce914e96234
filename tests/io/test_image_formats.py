import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from graphmotion.io import MalformedFileError, find_files, read_files, read_gray_image
from graphmotion.io.images import IMAGE_SUFFIXES, resize_image

GRAY = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)


def encode(image, form, **options):
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize('form', ['PNG', 'PPM', 'TIFF', 'GIF', 'BMP'])
def test_formats_without_loss(form):
    assert (read_gray_image('a', encode(GRAY, form)) == GRAY).all()
    if form in ('TIFF', 'GIF'):
        others = [Image.fromarray(255 - GRAY), Image.fromarray(GRAY // 2)]
        content = encode(GRAY, form, save_all=True, append_images=others)
        assert (read_gray_image('a', content) == GRAY).all()  # the first frame


@pytest.mark.parametrize('compression', ['tiff_lzw', 'tiff_deflate', 'packbits'])
def test_compressed_tiff(compression):
    assert (read_gray_image('a', encode(GRAY, 'TIFF', compression=compression)) == GRAY).all()


def test_deep_images():
    deep = np.array([[0, 255, 256, 65535]], np.uint16)
    assert read_gray_image('a', encode(deep, 'TIFF')).tolist() == [[0, 0, 1, 255]]
    text = b'P2 4 1 1023 0 256 512 1023'  # ten bits
    assert read_gray_image('a', text).tolist() == [[0, 64, 128, 255]]
    fractions = np.array([[0, 0.5, 1]], np.float32)
    assert read_gray_image('a', encode(fractions, 'TIFF')).tolist() == [[0, 128, 255]]
    assert read_gray_image('a', encode(200 * fractions, 'TIFF')).tolist() == [[0, 100, 200]]
    for bad in (np.nan, -1, 1e6):
        with pytest.raises(MalformedFileError, match='a: content: expected a complete image'):
            read_gray_image('a', encode(np.array([[0, bad]], np.float32), 'TIFF'))


def test_color_modes():
    colour = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    expected = colour @ np.array([0.299, 0.587, 0.114])
    for form in ('TIFF', 'PPM'):
        assert abs(read_gray_image('a', encode(colour, form)) - expected).max() <= 1
    palette = Image.fromarray(GRAY // 86)
    palette.putpalette([0, 0, 0, 255, 255, 255, 255, 0, 0])
    assert (
        read_gray_image('a', encode(palette, 'GIF')) == np.array([0, 255, 76])[GRAY // 86]
    ).all()
    palette.info['transparency'] = 1
    gif = encode(palette, 'GIF', transparency=1)
    assert (read_gray_image('a', gif) == np.array([0, 0, 76])[GRAY // 86]).all()
    smooth = Image.fromarray(np.full((8, 8, 4), (10, 0, 0, 128), np.uint8), 'CMYK')
    black = read_gray_image('a', encode(smooth, 'JPEG'))
    assert black.shape == (8, 8)
    assert 110 < black.mean() < 140


@pytest.mark.parametrize('form', ['JPEG', 'PNG', 'TIFF'])
@pytest.mark.parametrize(
    ('orientation', 'turned'),
    [(3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1)), (2, lambda a: a[:, ::-1])],
)
def test_exif_orientation(form, orientation, turned):
    image = np.zeros((16, 24), np.uint8)
    image[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = read_gray_image('a', encode(image, form, exif=exif))
    assert out.shape == turned(image).shape
    assert abs(out.astype(int) - turned(image)).mean() < 4


@pytest.mark.parametrize('form', ['JPEG', 'PPM', 'TIFF', 'GIF'])
def test_truncated_files_raise(form):
    image = np.random.default_rng(2).integers(0, 256, (64, 64), dtype=np.uint8)
    content = encode(image, form)
    for size in (1, 10, len(content) // 4, len(content) // 2, len(content) * 3 // 4):
        with pytest.raises(MalformedFileError, match=r'^a: content: expected a complete image'):
            read_gray_image('a', content[:size])


def test_other_files_and_too_large_images_raise():
    for content in (b'P5 0 4 255 ', b'P5 4 0 255 ', b'GIF89a', b'II*\0' + bytes(40)):
        with pytest.raises(MalformedFileError):
            read_gray_image('a', content)
    with pytest.raises(MalformedFileError, match='size: expected 1 to 16777216 pixels'):
        read_gray_image('a', b'P5 100000 100000 255 ')
    with pytest.raises(MalformedFileError, match='size: expected 1 to 16777216 pixels'):
        read_gray_image('a', b'P5 5000 5000 255 ')
    gif = b'GIF89a' + struct.pack('<HHBBB', 60000, 60000, 0, 0, 0)
    gif += b',' + struct.pack('<HHHHB', 0, 0, 60000, 60000, 0) + b'\x08\x01\0\0;'
    with pytest.raises(MalformedFileError):
        read_gray_image('a', gif)


def test_resizing_keeps_the_aspect_ratio():
    assert resize_image(GRAY, (5, 7)) is GRAY
    wide = np.zeros((20, 40), np.uint8)
    wide[:, 10:30] = 200  # the middle square
    assert (resize_image(wide, (10, 10)) == 200).all()
    assert (resize_image(wide.T, (10, 10)) == 200).all()
    random = np.random.default_rng(3).integers(0, 256, (40, 80), dtype=np.uint8)
    for height in (13, 40, 77):
        expected = Image.fromarray(random).resize((2 * height, height), Image.Resampling.BILINEAR)
        assert abs(resize_image(random, (height, 2 * height)).astype(int) - expected).max() <= 1
    checker = np.indices((40, 40)).sum(axis=0) % 2 * 200
    half = resize_image(checker.astype(np.uint8), (10, 10))
    assert abs(half[1:-1, 1:-1].astype(int) - 100).max() <= 1
    assert resize_image(GRAY, (1, 1)).shape == (1, 1)
    assert resize_image(GRAY[:1], (30, 3)).shape == (30, 3)


def test_several_suffixes_are_kept_in_names(tmp_path):
    (tmp_path / 'a').mkdir()
    for name in ('a/1.png', 'a/1.JPG', '2.tiff', 'notes.txt'):
        (tmp_path / name).write_text(name)
    with zipfile.ZipFile(tmp_path / 'more.zip', 'w') as archive:
        archive.writestr('a/1.png', 'twice')
        archive.writestr('b/1.png', 'zipped')
    names = ['2.tiff', 'a/1.JPG', 'a/1.png', 'b/1.png']
    with find_files(str(tmp_path), IMAGE_SUFFIXES, None) as files:
        assert list(files) == names
        assert files['b/1.png'].read() == b'zipped'
        assert files['a/1.png'].read() == b'a/1.png'
    found = [name for _, name, _ in read_files(str(tmp_path), IMAGE_SUFFIXES)]
    assert found == ['1.JPG', '1.png', '2.tiff']
