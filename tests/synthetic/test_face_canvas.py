import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from graphmotion.synthetic import face_canvas as canvas

SIZE = (20, 30)


def grid(fine=40):
    """Returns the coordinates of dense samples in each pixel."""
    at = (torch.arange(max(SIZE) * fine) + 0.5) / fine
    return at[: SIZE[1] * fine], at[: SIZE[0] * fine].unsqueeze(1)


def coverage(inside, fine=40):
    """Returns the fraction of samples of each pixel that are inside."""
    return inside.float().view(SIZE[0], fine, SIZE[1], fine).mean((1, 3))


def test_area_between_lines():
    upper = torch.tensor([[[4.0, 5.0], [12.0, 7.0], [20.0, 9.0]]])
    lower = torch.tensor([[[4.0, 10.3], [20.0, 14.3]]])
    out = canvas.to_full_image(canvas.area_between(upper, lower, SIZE), SIZE)[0]
    x, y = grid()
    wanted = coverage((x > 4) & (x < 20) & (y > 5 + (x - 4) / 4) & (y < 10.3 + (x - 4) / 4))
    torch.testing.assert_close(out, wanted, atol=0.03, rtol=0)
    assert abs(out.sum() - 16 * 5.3) < 0.2


def test_empty_area():
    line = torch.tensor([[[4.0, 5.0], [20.0, 9.0]]])
    assert not canvas.to_full_image(canvas.area_between(line, line, SIZE), SIZE).any()
    upside_down = canvas.area_between(line + torch.tensor([0.0, 3.0]), line, SIZE)
    assert not canvas.to_full_image(upside_down, SIZE).any()


def test_area_inside_a_circle():
    angle = torch.arange(16) / 16 * 2 * torch.pi
    circle = torch.stack([15 + 8 * angle.cos(), 9 + 8 * angle.sin()], dim=-1)
    out = canvas.to_full_image(canvas.area_inside(circle.unsqueeze(0), SIZE), SIZE)[0]
    x, y = grid()
    torch.testing.assert_close(out, coverage((x - 15) ** 2 + (y - 9) ** 2 < 64), atol=0.12, rtol=0)
    assert abs(out.sum() / (64 * torch.pi) - 1) < 0.01


def test_ellipse():
    center, radii = torch.tensor([[14.2, 9.7]]), torch.tensor([[7.0, 5.0]])
    out = canvas.to_full_image(canvas.ellipse(center, radii, SIZE), SIZE)[0]
    x, y = grid()
    wanted = coverage(((x - 14.2) / 7) ** 2 + ((y - 9.7) / 5) ** 2 < 1)
    torch.testing.assert_close(out, wanted, atol=0.3, rtol=0)
    assert abs(out.sum() / (35 * torch.pi) - 1) < 0.03
    small = canvas.to_full_image(
        canvas.ellipse(torch.tensor([[5.5, 5.5]]), torch.full((1, 2), 0.2), SIZE), SIZE
    )
    assert 0 < small.sum() < 0.2


def test_line():
    points = torch.tensor([[[5.0, 4.0], [25.0, 14.0]]])
    width = torch.tensor([1.5])
    out = canvas.to_full_image(canvas.line(points, width, SIZE), SIZE)[0]
    x, y = torch.arange(SIZE[1]) + 0.5, torch.arange(SIZE[0]).unsqueeze(1) + 0.5
    distance = (y - 4 - (x - 5) / 2) / 1.25**0.5
    wanted = (-(distance**2) / 1.5**2).exp()
    beside = (x > 5.5) & (x < 24.5) & (wanted > 1e-4)
    torch.testing.assert_close(out[beside], wanted[beside], atol=1e-4, rtol=0)
    vertical = canvas.line(points.flip(-1), width, SIZE[::-1], vertical=True)
    torch.testing.assert_close(canvas.to_full_image(vertical, SIZE[::-1])[0].T, out)
    # A thin line is drawn fainter instead of thinner.
    thin = canvas.to_full_image(canvas.line(points, torch.tensor([0.045]), SIZE), SIZE)
    assert 0.05 < thin.max() <= 0.1


def test_curves_interpolate_their_points():
    points = torch.tensor([[[2.0, 3.0], [7.0, 9.0], [11.0, 5.0], [20.0, 12.0]]])
    y, slope = canvas._interpolate(points, points[0, :, 0])
    torch.testing.assert_close(y, points[..., 1], atol=5e-3, rtol=0)
    x = torch.linspace(2.5, 19.5, 200)
    step = 0.01
    ahead, behind = (canvas._interpolate(points, x + d)[0] for d in (step, -step))
    _, slope = canvas._interpolate(points, x)
    torch.testing.assert_close(slope, (ahead - behind) / (2 * step), atol=0.02, rtol=0)


def test_shapes_outside_the_image():
    far = torch.tensor([[100.0, 100.0]])
    for shape in (
        canvas.ellipse(far, torch.ones(1, 2), SIZE),
        canvas.ellipse(-far, torch.ones(1, 2), SIZE),
        canvas.line(torch.tensor([[[50.0, 2.0], [60.0, 2.0]]]), torch.ones(1), SIZE),
    ):
        assert canvas.to_full_image(shape, SIZE).shape == (1, *SIZE)
        assert not canvas.to_full_image(shape, SIZE).any()


def test_shapes_are_independent():
    points = torch.tensor([[[5.0, 4.0], [12.0, 9.0], [25.0, 14.0]]])
    both = torch.cat([points, points / 2 + 3])
    width = torch.tensor([1.0, 2.0])
    alone = canvas.to_full_image(canvas.line(points, width[:1], SIZE), SIZE)
    together = canvas.to_full_image(canvas.line(both, width, SIZE), SIZE)
    torch.testing.assert_close(alone[0], together[0], atol=2e-5, rtol=0)


def test_gaussian_blur():
    image = torch.rand(2, 30, 40)
    out = canvas.gaussian_blur(image, torch.tensor([0.0, 1.5]))
    torch.testing.assert_close(out[0], image[0])
    wanted = gaussian_filter(image[1].double().numpy(), 1.5, truncate=8)
    inner = np.s_[10:-10, 10:-10]
    np.testing.assert_allclose(out[1].numpy()[inner], wanted[inner], atol=1e-4)
    torch.testing.assert_close(
        canvas.gaussian_blur(torch.ones(1, 9, 9), torch.tensor([2.0])), torch.ones(1, 9, 9)
    )
