import torch
from shared.face_cnn import FaceCNN


def test_grey_and_colour_images():
    grey = torch.randint(256, (3, 16, 24), dtype=torch.uint8)
    assert FaceCNN((16, 24), 5)(grey).shape == (3, 5)
    color = grey.unsqueeze(1).expand(-1, 3, -1, -1)
    assert FaceCNN((16, 24), 5, 3)(color).shape == (3, 5)


def test_brightness_and_contrast_do_not_matter():
    model = FaceCNN((16, 16), 5).eval()
    image = torch.randint(100, (2, 16, 16), dtype=torch.uint8)
    brighter = 2 * image + 30
    torch.testing.assert_close(model(brighter), model(image), atol=1e-2, rtol=1e-2)
