import pytest
from torch_geometric.transforms import Compose, RandomScale

from graphmotion import transforms as T
from graphmotion.data import graph_loader
from graphmotion.data.layouts import check_layout
from graphmotion.datasets import SyntheticGait
from graphmotion.inference import Recognizer, embed, predict
from graphmotion.models import st_gcn
from graphmotion.skeletons import Skeleton, get_skeleton

COCO = get_skeleton('coco17')
# The same joints with the last two exchanged.
ORDER = [*range(15), 16, 15]
NAMES = [COCO.joints[i] for i in ORDER]
TURNED = Skeleton(NAMES, [(COCO.joints[i], COCO.joints[j]) for i, j in COCO.bones], name='turned')
MESSAGE = r"skeleton of {} must have the joints of the samples, 'coco17', in the same order, got "


def dataset(**options):
    return SyntheticGait(num_subjects=1, num_takes=1, num_frames=8, skeleton='coco17', **options)


def message(owner):
    return MESSAGE.format(owner) + "'turned' with 'left_ankle' as joint 16 instead of 15"


@pytest.mark.parametrize(
    'transform',
    [
        T.RandomMirror(TURNED),
        Compose([RandomScale((1, 1)), T.FillMissing(), Compose([T.RandomMirror(TURNED)])]),
        Compose([T.ConvertSkeleton(COCO, COCO), T.RandomMirror(TURNED)]),
    ],
)
def test_transforms_for_another_order_are_an_error(transform):
    walks = dataset()
    with pytest.raises(ValueError, match=message('RandomMirror')):
        graph_loader(walks, transform=transform)
    with pytest.raises(ValueError, match=message('RandomMirror')):
        graph_loader(dataset(transform=transform)[:2])
    with pytest.raises(ValueError, match=message('ConvertSkeleton')):
        graph_loader(walks, transform=T.ConvertSkeleton(TURNED, COCO))


def test_models_for_another_order_are_an_error():
    walks = dataset()
    transform = T.ToStream('joint')
    model = st_gcn(TURNED, num_classes=4, channels=(4,))
    for call in (
        lambda: predict(model, walks, transform),
        lambda: embed(model, walks, transform),
        lambda: Recognizer(model, transform, class_names=walks.class_names)(walks),
    ):
        with pytest.raises(ValueError, match=message('STGCN')):
            call()
    converted = Compose([T.ConvertSkeleton(COCO, TURNED), transform])
    assert predict(model, walks, converted).shape == (4, 4)


def test_unknown_layouts_are_not_compared():
    walks = dataset()
    check_layout(walks, lambda data: data, st_gcn(TURNED, num_classes=4, channels=(4,)))
    check_layout([walks[0]], T.RandomMirror(TURNED))
    renamed = Skeleton([f'point {i}' for i in range(17)], COCO.bones)
    check_layout(walks, T.CenterJoint(renamed, joint='point 0'))
    check_layout(walks, T.RandomMirror('coco17'), st_gcn('coco17', num_classes=4, channels=(4,)))
