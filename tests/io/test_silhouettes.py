import pickle

import numpy as np
import pytest
from PIL import Image

from graphmotion.io import MalformedFileError, align_silhouettes, read_opengait_silhouettes


def blob(height=70, width=50, seed=0, top=5, left=8, frame=(100, 90)):
    """Returns an image of a ragged body with a hole."""
    random = np.random.default_rng(seed)
    image = np.zeros(frame, np.uint8)
    for row in range(height):
        start = left + int(random.integers(0, width // 3))
        image[top + row, start : left + width - int(random.integers(0, width // 3))] = 255
    image[top + height // 2, left + width // 2] = 0
    return image


def slow(image, size, white=255):
    """Aligns pixel by pixel in double precision, and returns the margin of each decision."""
    height, width = size
    image = image.astype(np.float64) / white
    rows = (image >= 0.5).any(axis=1).nonzero()[0]
    columns = (image >= 0.5).any(axis=0).nonzero()[0]
    image = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = len(image) / height
    mass = image.sum(axis=0)
    half, total, middle = mass.sum() / 2, 0.0, 0.0
    for column, value in enumerate(mass):
        if total + value >= half:
            middle = column + (half - total) / value
            break
        total += value
    cover = np.zeros(size)
    for i in range(height):
        for j in range(width):
            x0 = middle + (j - width / 2) * scale
            for r in range(int(i * scale), min(len(image), int((i + 1) * scale) + 1)):
                tall = min((i + 1) * scale, r + 1) - max(i * scale, r)
                for c in range(max(0, int(x0)), min(image.shape[1], int(x0 + scale) + 1)):
                    wide = min(x0 + scale, c + 1) - max(x0, c)
                    cover[i, j] += max(tall, 0) * max(wide, 0) * image[r, c]
    cover /= scale**2
    return cover >= 0.5, abs(cover - 0.5)


@pytest.mark.parametrize('size', [(32, 22), (16, 5), (40, 30)])
@pytest.mark.parametrize('gray', [False, True])
@pytest.mark.filterwarnings('ignore:.* of the pixels that are not black are darker')
def test_follows_the_definition(size, gray):
    images = np.stack([blob(50, 40), blob(25, 22, seed=1), blob(95, 60, seed=2, top=0, left=0)])
    if gray:
        noise = np.random.default_rng(3).integers(0, 60, images.shape)
        images = np.abs(images.astype(int) - noise).astype(np.uint8)
    out, kept = align_silhouettes(images, size)
    assert (out.dtype, out.shape, kept.tolist()) == (np.uint8, (3, *size), [True] * 3)
    for image, found in zip(images, out):
        expected, margin = slow(image, size)
        assert ((found == expected) | (margin < 1e-5)).all()


def test_a_body_fills_the_height_in_its_middle():
    box = np.zeros((2, 240, 320), np.uint8)
    box[0, 20:148, 10:50] = 255  # 128 x 40 becomes 64 x 20
    box[1, 100:132, 300:320] = 255  # 32 x 20, at the border, becomes 64 x 40
    out, _ = align_silhouettes(box)
    expected = np.zeros((2, 64, 44), np.uint8)
    expected[0, :, 12:32] = expected[1, :, 2:42] = 1
    assert (out == expected).all()


def test_the_middle_has_half_of_the_mass_on_either_side():
    image = np.zeros((64, 100), np.uint8)
    image[:, 40:50] = 255
    image[:8, 50:90] = 255  # a long arm weighs as 5 columns do
    out, _ = align_silhouettes(image[None])
    columns = out[0].any(axis=0).nonzero()[0]
    assert columns[0] == 14  # the middle is (10 + 5) / 2 = 7.5 columns behind 40; a half is 1


def test_place_size_and_number_of_frames_do_not_matter():
    image = blob()
    expected, _ = align_silhouettes(image[None])
    moved = np.pad(image, ((30, 4), (0, 77)))
    out, _ = align_silhouettes([moved, blob(20, 30, seed=5), image])
    assert (out[[0, 2]] == expected).all()
    many, _ = align_silhouettes(np.repeat(moved[None], 60, axis=0))  # more than at once
    assert (many == expected).all()
    doubled, _ = align_silhouettes(image.repeat(2, 0).repeat(2, 1)[None])
    assert (doubled == expected).all()
    mirrored, _ = align_silhouettes(image[None, :, ::-1])
    assert (mirrored != expected[..., ::-1]).mean() < 1e-3  # but for halves


def opengait(image, size=64):
    """Returns an image of OpenGait: grey, with its median column right of the middle."""
    rows = image.any(axis=1).nonzero()[0]
    body = Image.fromarray(image[rows[0] : rows[-1] + 1])
    body = body.resize((int(size * body.width / body.height), size), Image.Resampling.BICUBIC)
    body = np.asarray(body)
    total, median = 0, 0
    while total + int(body[:, median].sum()) <= int(body.sum()) / 2:
        total += int(body[:, median].sum())
        median += 1
    return np.pad(body, ((0, 0), (size, size)))[:, median + size // 2 : median + 3 * size // 2]


def test_aligned_silhouettes_are_unchanged():
    images = np.stack([blob(seed=s) for s in range(5)])
    once, _ = align_silhouettes(images)
    twice, kept = align_silhouettes(once * 255)
    assert kept.all()
    assert (twice == once).all()


def test_pickles_of_opengait_are_not_moved():
    clip = np.stack([opengait(blob(seed=s)) for s in range(8)])
    assert len(np.unique(clip)) > 10  # grey
    middle = clip[..., 10:54]  # the columns that OpenGait reads
    for aligned in (clip, middle, list(clip)):
        out, kept = align_silhouettes(aligned)
        assert kept.all()
        assert (out == (middle >= 128)).all()
    out, _ = align_silhouettes((clip >= 128).astype(np.uint8))
    assert (out == (middle >= 128)).all()


def test_aligned_clips_of_other_sizes_are_scaled_where_they_are():
    clip = np.stack([opengait(blob(seed=s), 128) for s in range(4)])
    assert (align_silhouettes(clip, (128, 88))[0] == (clip[..., 20:108] >= 128)).all()
    means = clip[..., 20:108].reshape(4, 64, 2, 44, 2).mean(axis=(2, 4))
    assert (align_silhouettes(clip)[0] == (means >= 127.5)).all()


def test_truncated_and_blank_frames_of_an_aligned_clip():
    clip = np.stack([opengait(blob(seed=s)) for s in range(8)])
    clip[2] = 0
    clip[3, :, 30:] = 0  # its half is at the side
    clip[4, :20] = 0  # its head is missing
    out, kept = align_silhouettes(clip)
    assert kept.tolist() == [number != 2 for number in range(8)]
    assert (out == (clip[kept][..., 10:54] >= 128)).all()


@pytest.mark.parametrize('height', [50, 64])
def test_square_images_of_passing_walkers_are_aligned(height):
    walk = [blob(height, 20, s, 64 - height, 6 * s, frame=(64, 64)) for s in range(8)]
    out, _ = align_silhouettes(np.stack(walk))
    for image, found in zip(walk, out):
        expected, margin = slow(image, (64, 44))
        assert ((found == expected) | (margin < 1e-5)).all()


def test_masks_of_zeros_and_ones():
    image = blob()
    expected, _ = align_silhouettes(image[None])
    for mask in ((image > 0).astype(np.uint8), image > 0):
        assert (align_silhouettes(mask[None])[0] == expected).all()
    faint = np.minimum(image, 127)  # no body where a white can be brighter
    assert align_silhouettes([image, faint])[1].tolist() == [True, False]


def test_frames_without_a_body_are_left_out():
    small = np.zeros((100, 90), np.uint8)
    small[10, 10:49] = 255
    enough = small.copy()
    enough[10, 49] = 255
    out, kept = align_silhouettes([np.zeros_like(small), blob(), small, enough])
    assert kept.tolist() == [False, True, False, True]
    assert len(out) == 2
    assert align_silhouettes([small], min_pixels=39)[1].all()
    thin = np.zeros((200, 50), np.uint8)
    thin[:, 20] = 255  # a third of a pixel wide
    assert align_silhouettes(thin[None])[1].tolist() == [False]
    thin[:, 20:24] = 255  # two thirds of each of the two pixels in the middle
    assert align_silhouettes(thin[None])[0].sum() == 128
    with pytest.warns(UserWarning, match='cover most of the image borders'):
        white, kept = align_silhouettes(np.full((1, 60, 60), 255, np.uint8))
    assert kept.all()
    assert white.all()
    for nothing in ([], np.zeros((0, 4, 4), np.uint8), np.zeros((3, 4, 4), np.uint8)):
        out, kept = align_silhouettes(nothing)
        assert (out.shape, kept.tolist()) == ((0, 64, 44), [False] * len(nothing))


@pytest.mark.parametrize(
    'frames',
    [
        np.zeros((2, 4, 4)),
        np.zeros((4, 4), np.uint8),
        np.zeros((1, 0, 4), np.uint8),
        [np.zeros((4, 4, 3), np.uint8)],
        [[[0, 1]]],
    ],
)
def test_other_arrays_raise(frames):
    with pytest.raises(ValueError, match=r'frames\[0\] must be an image \[H, W\] of unsigned'):
        align_silhouettes(frames)


def test_bad_options_raise():
    for options in ({'size': (0, 4)}, {'min_pixels': 0}):
        with pytest.raises(ValueError, match='size and min_pixels must be positive'):
            align_silhouettes([], **options)


def test_reads_pickles(tmp_path):
    clip = np.random.default_rng(0).integers(0, 256, (3, 8, 6), dtype=np.uint8)
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(clip))
    assert (read_opengait_silhouettes(str(tmp_path / 'a.pkl')) == clip).all()
    for content, message in (
        (clip[0], r'uint8 of shape \[8, 6\]'),
        (clip[:0], r'uint8 of shape \[0, 8, 6\]'),
        (clip.astype(np.float32), r'float32 of shape \[3, 8, 6\]'),
        ([clip], 'list'),
    ):
        with pytest.raises(
            MalformedFileError, match=f'a.pkl: silhouettes: expected .*, found {message}'
        ):
            read_opengait_silhouettes('a.pkl', pickle.dumps(content))
    with pytest.raises(MalformedFileError, match='content: expected a complete pickle'):
        read_opengait_silhouettes('a.pkl', pickle.dumps(clip)[:40])
    with pytest.raises(MalformedFileError, match=r'found builtins\.print'):
        read_opengait_silhouettes('a.pkl', b'cbuiltins\nprint\n(tR.')


def test_black_on_white_is_noticed_and_can_be_inverted():
    images = np.stack([blob(seed=s) for s in range(3)])
    expected, _ = align_silhouettes(images)
    with pytest.warns(UserWarning, match=r'pass invert=True if they are black on white'):
        align_silhouettes(255 - images)
    out, kept = align_silhouettes(255 - images, invert=True)
    assert kept.all()
    assert (out == expected).all()
    out, _ = align_silhouettes(images == 0, invert=True)  # booleans
    assert (out == expected).all()
    with pytest.warns(UserWarning, match='pass invert=False if they are white on black'):
        align_silhouettes(images, invert=True)


def test_two_people_in_an_image_are_noticed(recwarn):
    one = blob(frame=(100, 300))
    one[20, 250:270] = 255  # noise
    align_silhouettes(one[None])
    assert not recwarn.list
    two = one | np.roll(blob(seed=1, frame=(100, 300)), 200, axis=1)
    with pytest.warns(UserWarning, match=r'the largest piece of the body has 5\d% of its pixels'):
        align_silhouettes(two[None])


def test_masks_with_a_label():
    images = np.stack([blob(seed=s) for s in range(3)])
    expected, _ = align_silhouettes(images)
    for label in (1, 15, 76):
        out, _ = align_silhouettes(images // 255 * np.uint8(label))
        assert (out == expected).all()
    with pytest.warns(UserWarning, match='the brightest pixel is 90: pixels of a body must be at'):
        assert len(align_silhouettes(images // 255 * np.uint8(60) + np.uint8(30))[0]) == 0


def test_frames_that_are_no_masks_warn():
    labels = np.where(blob() >= 128, 15, 0).astype(np.uint8)  # a person
    labels[:2] = 255  # and pixels without a label
    photo = np.where(blob() >= 128, 60, 0).astype(np.uint8)
    photo[10:14][photo[10:14] > 0] = 200
    for frames in (labels[None], photo[None]):
        with pytest.warns(UserWarning, match=r'9\d% of the pixels that are not black are darker'):
            align_silhouettes(frames)
