import torch

from graphmotion.synthetic.silhouette import (
    CAPSULE_ENDS,
    capsule_radii,
    crop_to_body,
    render_silhouettes,
)
from graphmotion.synthetic.walking_styles import TRAITS


def reference(ends, radii, size):
    """Returns pixels whose centre lies in one of many discs along a capsule, in float64."""
    corner, scale = crop_to_body(ends, radii, size)
    out = torch.zeros(len(ends), *size, dtype=torch.uint8)
    y, x = torch.meshgrid(*(torch.arange(n).double() + 0.5 for n in size), indexing='ij')
    for f in range(len(ends)):
        for (a, b), (ra, rb) in zip(ends[f].double(), radii[f].double()):
            if ra <= 0 or rb <= 0:
                continue
            for share in torch.linspace(0, 1, 400).double():
                center = (a + share * (b - a) - corner[f]) * scale[f]
                radius = (ra + share * (rb - ra)) * scale[f]
                out[f] |= ((x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2).byte()
    return out


def test_against_discs_along_the_capsules():
    ends = torch.rand(3, 5, 2, 2) * torch.tensor([30.0, 100.0])
    ends[0, 0, 1] = ends[0, 0, 0]  # a point: a circle
    ends[1, 0, 1, 1] = ends[1, 0, 0, 1]  # horizontal
    ends[2, 0, 1, 0] = ends[2, 0, 0, 0]  # vertical
    radii = 2 + 6 * torch.rand(3, 5, 2)
    radii[0, 1] = torch.tensor([12.0, 1.0])
    radii[1, 2] = 0  # absent
    out = render_silhouettes(ends, radii)
    expected = reference(ends, radii, (64, 44))
    assert out.dtype == torch.uint8
    assert out.shape == (3, 64, 44)
    differ = (out != expected).float().mean()
    assert differ < 0.001  # pixel centres on an outline, up to rounding
    assert 0.05 < out.float().mean() < 0.95


def test_frames_are_independent():
    ends, radii = torch.rand(1, 4, 2, 2) * 50, 1 + 5 * torch.rand(1, 4, 2)
    one = render_silhouettes(ends, radii)
    many = render_silhouettes(ends.expand(150, -1, -1, -1), radii.expand(150, -1, -1))
    assert torch.equal(many, one.expand(150, -1, -1))


def test_body_is_centred_and_as_high_as_the_image():
    ends = torch.tensor([[[[100.0, 50.0], [100.0, 150.0]], [[90.0, 100.0], [110.0, 100.0]]]])
    radii = torch.full((1, 2, 2), 10.0)
    corner, scale = crop_to_body(ends, radii)
    assert abs(scale.item() * 120 - 64.0) < 1e-4
    assert corner[0, 1] == 40.0
    assert abs((100 - corner[0, 0].item()) * scale.item() - 22.0) < 1e-4
    image = render_silhouettes(ends, radii)[0]
    assert image[0].any()
    assert image[-1].any()
    assert torch.equal(image, image.flip(1))


def test_radii_follow_the_traits():
    traits = {name: torch.tensor([trait.mean] * 3) for name, trait in TRAITS.items()}
    traits['height'] = torch.tensor([1.7, 1.7, 1.87])
    traits['coat'] = torch.tensor([0.0, 1.0, 0.0])
    radii = capsule_radii(traits)
    assert radii.shape == (3, len(CAPSULE_ENDS), 2)
    torch.testing.assert_close(radii[2], 1.1 * radii[0])
    thigh = CAPSULE_ENDS.index(('left_hip', 'left_knee'))
    torch.testing.assert_close(radii[0, thigh], torch.tensor([0.048, 0.034]) * 1.7)
    assert (radii[1] >= radii[0]).all()
    skirt = CAPSULE_ENDS.index(('left_buttock', 'left_hem'))
    assert (radii[0, skirt] == 0).all()
    assert (radii[1, skirt] > 0).all()
    for name in ('backpack', 'left_handbag'):
        row = next(i for i, ends in enumerate(CAPSULE_ENDS) if ends[0] == name)
        assert (radii[:, row] == 0).all()
        traits[name] = torch.ones(3)
        assert (capsule_radii(traits)[:, row] > 0).all()
        traits[name] = torch.zeros(3)
