import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from graphmotion.io import (
    MalformedFileError,
    find_files,
    read_color_image,
    read_files,
    read_gray_image,
    read_mask,
)
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


def test_bit_depths():
    camera = np.array([[0, 2048, 4095]], np.uint16)  # 12 bits
    white = [[0, round(255 * 2048 / 4095), 255]]
    needed = (
        r'^a: brightest pixel: expected at least 32768 of 65535, or the value of white as '
        r'max_value .*, found 4095$'
    )
    for form in ('PNG', 'TIFF'):
        content = encode(camera, form)
        for read in (read_gray_image, read_color_image):
            with pytest.raises(MalformedFileError, match=needed):
                read('a', content)
        assert read_gray_image('a', content, 4095).tolist() == white
        assert read_color_image('a', content, 4095).tolist() == [white] * 3
        assert read_gray_image('a', content, 65535).max() == 16
        assert read_gray_image('a', content, 2048).tolist() == [[0, 255, 255]]
    # The same scale for a darker image.
    dark = encode(np.array([[0, 100, 200]], np.uint16), 'PNG')
    assert read_gray_image('a', dark, 4095).tolist() == [[0, 6, 12]]
    assert read_gray_image('a', dark).tolist() == [[0, 100, 200]]
    depth = encode(np.array([[0, 1000, 5000.0]], np.float32), 'TIFF')  # millimetres
    with pytest.raises(MalformedFileError, match='or the value of white as max_value'):
        read_gray_image('a', depth)
    assert read_gray_image('a', depth, 5000).tolist() == [[0, 51, 255]]
    # The file names its largest value.
    assert read_gray_image('a', b'P2 3 1 4095 0 256 4095').tolist() == [[0, 16, 255]]
    assert read_gray_image('a', b'P2 3 1 4095 0 256 512').tolist() == [[0, 16, 32]]
    assert read_gray_image('a', encode(GRAY, 'PNG'), 4095).tolist() == GRAY.tolist()  # eight bits


def deep_colours(*pixels):
    """A PNG of 16-bit colours, which pillow does not write."""
    row = b'\0' + b''.join(struct.pack('>3H', *pixel) for pixel in pixels)
    chunks = (
        (b'IHDR', struct.pack('>IIBBBBB', len(pixels), 1, 16, 2, 0, 0, 0)),
        (b'IDAT', zlib.compress(row)),
        (b'IEND', b''),
    )
    out = b'\x89PNG\r\n\x1a\n'
    for name, body in chunks:
        out += struct.pack('>I', len(body)) + name + body
        out += struct.pack('>I', zlib.crc32(name + body))
    return out


def test_bit_depths_of_colours():
    full = deep_colours((65535, 0, 256), (0, 32768, 0))
    assert read_color_image('a', full).tolist() == [[[255, 0]], [[0, 128]], [[1, 0]]]
    dark = deep_colours((4095, 0, 256), (0, 2048, 0))
    for read in (read_gray_image, read_color_image):
        for max_value in (None, 4095):
            with pytest.raises(MalformedFileError, match='found 16-bit colours up to 3840'):
                read('a', dark, max_value)
    assert read_color_image('a', dark, 65535).tolist() == [[[15, 0]], [[0, 8]], [[1, 0]]]


BODY = np.zeros((8, 8), np.uint8)
BODY[2:6, 3:5] = 1


@pytest.mark.parametrize('colour', [(255, 0, 0), (0, 0, 255), (0, 200, 0), (255, 255, 255)])
def test_masks_may_have_any_colour(colour):
    image = BODY[..., None] * np.array(colour, np.uint8)
    for form in ('PNG', 'GIF', 'BMP'):
        assert (read_mask('a', encode(image, form)) == BODY * max(colour)).all()
    large = np.kron(image, np.ones((8, 8, 1), np.uint8))
    noisy = read_mask('a', encode(large, 'JPEG'))
    assert ((noisy >= 100) == (large.max(axis=2) > 0)).mean() > 0.95


def test_masks_of_labels_transparency_and_many_bits():
    palette = Image.fromarray(BODY * 15)
    palette.putpalette([0, 0, 0] * 15 + [192, 128, 128])
    assert (read_mask('a', encode(palette, 'PNG')) == BODY * 192).all()
    assert (read_mask('a', encode(palette, 'PNG', transparency=0)) == BODY * 255).all()
    assert (read_mask('a', encode(BODY * 15, 'PNG')) == BODY * 15).all()
    assert (read_mask('a', encode(BODY > 0, 'PNG')) == BODY * 255).all()
    assert (read_mask('a', encode(BODY.astype(np.uint16) * 4095, 'PNG')) == BODY * 255).all()
    assert (read_mask('a', encode(BODY.astype(np.uint16) * 3, 'PNG')) == BODY * 3).all()
    # The picture of a person in dark clothes that was cut out, and the same in grey.
    person = np.random.default_rng(0).integers(0, 90, (8, 8, 3), dtype=np.uint8)
    cut_out = np.dstack([person, BODY * 255])
    assert (read_mask('a', encode(cut_out, 'PNG')) == BODY * 255).all()
    gray = Image.merge('LA', [Image.fromarray(person[..., 0]), Image.fromarray(BODY * 255)])
    assert (read_mask('a', encode(gray, 'PNG')) == BODY * 255).all()
    # Without a transparent pixel, colours count.
    solid = np.dstack([BODY * 255] * 3 + [np.full_like(BODY, 255)])
    assert (read_mask('a', encode(solid, 'PNG')) == BODY * 255).all()


def test_masks_of_several_people_and_photographs_raise():
    two = np.zeros((8, 8, 3), np.uint8)
    two[1:3, :, 0] = two[5:7, :, 1] = 255
    labels = Image.fromarray(two[..., 0] // 255 + two[..., 1] // 255 * 2)
    labels.putpalette([0, 0, 0, 128, 0, 0, 60, 128, 0])
    photo = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    for image, number in ((two, 2), (labels, 2), (photo, r'\d')):
        message = f'^a: colours: expected a mask in one colour, found {number} colours$'
        with pytest.raises(MalformedFileError, match=message):
            read_mask('a', encode(image, 'PNG'))
