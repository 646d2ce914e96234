import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from graphmotion.io import MalformedFileError, read_color_image, read_gray_image
from graphmotion.io.images import read_mask_image, resize_image

GRAY = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)


def png(image, form='PNG', **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        file, form, **options
    )
    return file.getvalue()


def chunk(name, content):
    body = name + content
    return struct.pack('>I', len(content)) + body + struct.pack('>I', zlib.crc32(body))


def bomb(width, height):
    """Returns a PNG of few bytes whose header claims many pixels."""
    header = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0))
    data = chunk(b'IDAT', zlib.compress(b'\0' * 1000))
    return b'\x89PNG\r\n\x1a\n' + header + data + chunk(b'IEND', b'')


def test_gray_and_black_and_white(tmp_path):
    (tmp_path / 'a.png').write_bytes(png(GRAY))
    image = read_gray_image(str(tmp_path / 'a.png'))
    assert (image == GRAY).all()
    image[0] = 0  # it can be written to
    mask = GRAY > 100
    assert (read_gray_image('a', png(mask)) == 255 * mask).all()
    assert (read_gray_image('a', png(GRAY, 'BMP')) == GRAY).all()
    smooth = np.linspace(0, 255, 64, dtype=np.uint8).reshape(8, 8)
    assert abs(read_gray_image('a', png(smooth, 'JPEG')).astype(int) - smooth).max() < 12


def test_colours_become_luminance():
    colour = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    expected = colour @ np.array([0.299, 0.587, 0.114])
    assert abs(read_gray_image('a', png(colour)) - expected).max() <= 1
    palette = Image.fromarray(GRAY // 86)
    palette.putpalette([0, 0, 0, 255, 255, 255, 255, 0, 0])
    assert (read_gray_image('a', png(palette)) == np.array([0, 255, 76])[GRAY // 86]).all()


def test_colour_images():
    colour = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = read_color_image('a', png(colour))
    assert (image == colour.transpose(2, 0, 1)).all()
    image[0] = 0  # it can be written to
    assert (read_color_image('a', png(GRAY)) == GRAY).all()
    assert (read_color_image('a', png(GRAY > 100)) == 255 * (GRAY > 100)).all()
    deep = np.array([[256, 65535]], np.uint16)
    assert read_color_image('a', png(deep)).tolist() == [[[1, 255]]] * 3
    palette = Image.fromarray(GRAY // 86)
    palette.putpalette([0, 0, 0, 255, 255, 255, 255, 0, 0])
    red = np.array([0, 255, 255])[GRAY // 86], np.array([0, 255, 0])[GRAY // 86]
    assert (read_color_image('a', png(palette)) == [red[0], red[1], red[1]]).all()
    alpha = Image.fromarray(np.array([[255, 0, 128]], np.uint8))
    red = Image.fromarray(np.full((1, 3), 200, np.uint8))
    four = Image.merge('RGBA', [red, Image.new('L', (3, 1)), red, alpha])
    assert read_color_image('a', png(four)).tolist() == [
        [[200, 0, 100]],
        [[0] * 3],
        [[200, 0, 100]],
    ]
    with pytest.raises(MalformedFileError, match='an empty file'):
        read_color_image('a.png', b'')


def test_channels_are_resized_equally():
    image = np.random.default_rng(1).integers(0, 256, (3, 20, 31), dtype=np.uint8)
    out = resize_image(image, (8, 9))
    assert out.shape == (3, 8, 9)
    for channel, expected in zip(out, image):
        assert (channel == resize_image(expected, (8, 9))).all()


def test_transparent_pixels_are_black():
    alpha = np.array([[255, 0, 128]], np.uint8)
    white = np.full((1, 3), 255, np.uint8)
    both = Image.merge('LA', [Image.fromarray(white), Image.fromarray(alpha)])
    assert (read_gray_image('a', png(both)) == alpha).all()
    four = Image.merge('RGBA', [Image.fromarray(white)] * 3 + [Image.fromarray(alpha)])
    assert (read_gray_image('a', png(four)) == alpha).all()
    assert read_gray_image('a', png(white, transparency=255)).max() == 0


def test_sixteen_bits():
    deep = np.array([[0, 255, 256, 65535]], np.uint16)
    assert read_gray_image('a', png(deep)).tolist() == [[0, 0, 1, 255]]
    assert read_gray_image('a', png(deep[:, :2])).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'content: expected a complete image .* found an empty file'),
        (b'no image', 'content: expected a complete image'),
        (png(GRAY)[:40], 'content: expected a complete image'),
        (png(GRAY)[:-30], 'content: expected a complete image'),
        (bomb(4097, 4096), r'size: expected 1 to 16777216 pixels, found 4097 x 4096'),
        (bomb(10000, 10000), r'size: expected 1 to 16777216 pixels'),
        (bomb(100000, 100000), r'size: expected 1 to 16777216 pixels'),
    ],
)
def test_bad_files(content, message):
    with pytest.raises(MalformedFileError, match=f'^a.png: {message}'):
        read_gray_image('a.png', content)


def test_images_truncated_anywhere_raise():
    content = png(GRAY)
    whole = 0
    for size in range(len(content)):
        try:
            image = read_gray_image('a.png', content[:size])
        except MalformedFileError:
            continue
        assert (image == GRAY).all()  # only sums of what is there are missing
        whole += 1
    assert whole < 24


def test_without_pillow_or_file(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_gray_image(str(tmp_path / 'a.png'))
    monkeypatch.setitem(sys.modules, 'PIL', None)
    with pytest.raises(ImportError, match=r"pip install -e '\.\[io\]'"):
        read_gray_image('a.png', b'')


def test_masks_are_the_opacity_of_cut_outs():
    colors = np.zeros((4, 5, 4), np.uint8)
    colors[1:3, 1:4] = (20, 30, 200, 255)
    assert np.array_equal(read_mask_image('a.png', png(Image.fromarray(colors))), colors[..., 3])
    # An image that is opaque everywhere is a mask in grey.
    colors[..., 3] = 255
    assert np.array_equal(
        read_mask_image('a.png', png(Image.fromarray(colors))),
        read_gray_image('a.png', png(Image.fromarray(colors))),
    )
