import pytest
import torch

from graphmotion.models import st_gcn
from graphmotion.training import ClassificationModule, ClassificationRecipe
from graphmotion.training.classification import mixup
from tests.toy import Waves, joints


def batch_of(num_samples):
    return joints(Waves(num_samples).get_batch(range(num_samples)))


def mean_loss(logits, y, weight, smoothing):
    """The mean over samples, in a loop; torch's own is the mean over weights."""
    total = 0.0
    for row, c in zip(logits, y):
        target = torch.full((3,), smoothing / 3)
        target[c] += 1 - smoothing
        total = total - (weight * target * row.log_softmax(dim=0)).sum()
    return total / len(y)


def test_mixed_features_lie_between_two_samples():
    batch = batch_of(8)
    before = batch.x.clone()
    mixed, permutation, ratio = mixup(batch, alpha=1.0)
    assert torch.equal(batch.x, before)
    assert 0.5 <= ratio <= 1
    graphs = before.view(8, 16, 12, 3)
    expected = ratio * graphs + (1 - ratio) * graphs[permutation]
    torch.testing.assert_close(mixed.x.view(8, 16, 12, 3), expected)
    assert torch.equal(permutation.sort().values, torch.arange(8))
    assert torch.equal(mixed.y, batch.y)


def test_distribution_of_the_mixing_ratio():
    """The larger of X and 1 - X for a uniform X is uniform between a half and one."""
    batch = batch_of(2)
    ratios = torch.tensor([mixup(batch, 1.0)[2] for _ in range(400)])
    assert ratios.mean() == pytest.approx(0.75, abs=0.03)
    almost_even = torch.tensor([mixup(batch, 50.0)[2] for _ in range(50)])
    assert almost_even.mean() < 0.6


def test_mixup_of_graphs_of_different_size_raises():
    batch = batch_of(4)
    batch.ptr = torch.tensor([0, 16, 30, 48, 64])
    with pytest.raises(ValueError, match=r'graphs of equal size for mixup, got \[14, 16, 18\]'):
        mixup(batch, 1.0)


def module_of(num_classes, recipe=None):
    model = st_gcn('emotion_gait16', 3, channels=(4,))
    out = ClassificationModule(model, num_classes, recipe or ClassificationRecipe())
    out.log = lambda *args, **kwargs: None
    return out


@pytest.mark.parametrize('step', ['training_step', 'validation_step', 'test_step'])
def test_labels_outside_the_classes_are_named(step):
    batch = batch_of(6)
    for label in (3, -1):
        batch.y[4] = label
        reason = rf'y must be labels in 0\.\.2, got 1 .* first is {label} at position 4'
        with pytest.raises(ValueError, match=reason):
            getattr(module_of(3), step)(batch, 0)
    batch.y = batch.y.float()
    with pytest.raises(TypeError, match=r'y holds torch\.float32, expected integer labels'):
        getattr(module_of(3), step)(batch, 0)
    del batch.y
    with pytest.raises(ValueError, match="batch must have the field 'y'"):
        getattr(module_of(3), step)(batch, 0)


def test_wrong_shape_of_logits_raises():
    batch = batch_of(6)
    with pytest.raises(ValueError, match=r'STGCN must .* logits of num_classes=4 classes, got 3'):
        module_of(4).training_step(batch, 0)
    module = module_of(3)
    module.model.forward = lambda x, batch, num_frames: x[:, 0]
    with pytest.raises(ValueError, match=r'logits of shape \[6, D\], got \[96, 3\]'):
        module.training_step(batch, 0)


@pytest.mark.parametrize('alpha', [0.0, 1.0])
def test_loss_of_training_and_of_validation(alpha):
    weight = torch.tensor([1.0, 2.0, 0.5])
    recipe = ClassificationRecipe(label_smoothing=0.2, mixup=alpha)
    model = st_gcn('emotion_gait16', 3, channels=(4,), dropout=0.0)
    module = ClassificationModule(model, 3, recipe, weight).eval()
    module.log = lambda *args, **kwargs: None
    batch = batch_of(6)
    torch.manual_seed(3)
    loss = module.training_step(batch, 0)
    torch.manual_seed(3)
    if alpha:
        mixed, permutation, ratio = mixup(batch, alpha)
        logits = model(mixed.x)
        expected = ratio * mean_loss(logits, batch.y, weight, 0.2)
        expected = expected + (1 - ratio) * mean_loss(logits, batch.y[permutation], weight, 0.2)
    else:
        expected = mean_loss(model(batch.x), batch.y, weight, 0.2)
    torch.testing.assert_close(loss, expected)
    module.validation_step(batch, 0)
    plain = mean_loss(model(batch.x), batch.y, weight, 0.0)
    torch.testing.assert_close(module.metrics['val_']['loss'].compute(), plain)
