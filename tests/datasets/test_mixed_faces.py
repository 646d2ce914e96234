import numpy as np
import pytest
import torch

from graphmotion.data import stratified_subset
from graphmotion.datasets import FaceDataset, MixedFaces
from graphmotion.datasets.expressions import EXPRESSIONS, find_expression
from graphmotion.datasets.face_files import face_sample
from graphmotion.graphs import landmark_graph


class Toy(FaceDataset):
    """Two images of each class, of subjects 5 and 7."""

    def __init__(self, class_names, first=0, size=(6, 6), subject=True, points=0, **options):
        self.class_names = tuple(class_names)
        self.options = first, size, subject, points
        super().__init__(**options)

    def read(self):
        first, size, subject, points = self.options
        for number in range(2 * len(self.class_names)):
            image = np.full(size, first + number, np.uint8)
            labels = {'y': number // 2} | ({'subject': 5 + 2 * (number % 2)} if subject else {})
            data = face_sample(image, **labels)
            if points:
                generator = torch.Generator().manual_seed(number)
                data.landmarks = 6 * torch.rand(points, 2, generator=generator)
            yield data


def test_common_classes_are_the_default():
    one = Toy(('fear', 'anger', 'neutral', 'surprise'))
    two = Toy(('surprise', 'anger', 'fear'), first=100)
    mixed = MixedFaces([one, two])
    assert mixed.class_names == ('fear', 'anger', 'surprise')
    assert [int(d.image[0, 0, 0]) for d in mixed] == [0, 1, 2, 3, 6, 7, *range(100, 106)]
    assert mixed.labels('y').tolist() == [0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 0, 0]
    assert mixed.labels('source').tolist() == [0] * 6 + [1] * 6
    assert mixed.labels('subject').tolist() == [0, 1] * 3 + [2, 3] * 3
    for train, test in mixed.leave_one_out('source'):
        assert not set(train.labels('subject').tolist()) & set(test.labels('subject').tolist())
    chosen = MixedFaces([two, one], ['surprise', 'fear'])
    assert chosen.labels('y').tolist() == [0, 0, 1, 1, 1, 1, 0, 0]


def test_merged_classes():
    one = Toy(('anger', 'disgust', 'neutral', 'happiness', 'surprise'))
    mixed = MixedFaces([one], MixedFaces.THREE_CLASSES)
    assert mixed.class_names == ('negative', 'positive', 'surprise')
    assert mixed.labels('y').tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert [int(d.image[0, 0, 0]) for d in mixed] == [0, 1, 2, 3, 6, 7, 8, 9]
    part = MixedFaces([one.index_select([9, 0])], MixedFaces.THREE_CLASSES)
    assert part.labels('y').tolist() == [2, 0]
    assert [int(d.image[0, 0, 0]) for d in part] == [9, 0]


def test_three_classes_of_datasets_with_other_class_names():
    three = MixedFaces.THREE_CLASSES
    smic = Toy(('negative', 'positive', 'surprise'))
    casme = Toy(('disgust', 'happiness', 'others', 'repression', 'surprise'))
    samm = Toy(('Anger', 'Contempt', 'Happiness', 'Other', 'Surprise'))
    folders = Toy(('Angry', 'happy', 'Sad', 'surprised'))
    mixed = MixedFaces([smic, casme, samm, folders], three)
    expected = torch.tensor([0, 1, 2, 0, 1, 0, 2, 0, 0, 1, 2, 0, 1, 0, 2])
    assert torch.equal(mixed.labels('y'), expected.repeat_interleave(2))


def test_class_names_are_compared_without_case_and_form():
    one, two = Toy(('Happy', 'Fear', 'Neutral')), Toy(('fear', 'happiness'))
    mixed = MixedFaces([one, two])
    assert mixed.class_names == ('Happy', 'Fear')
    assert mixed.labels('y').tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert MixedFaces([one, two], ['fear']).labels('y').tolist() == [0, 0, 0, 0]
    both = MixedFaces([one, two], {'joy': ('happy', 'happiness')})
    assert both.labels('y').tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match='classes must be at least one and distinct'):
        MixedFaces([one], ['happy', 'happiness'])


def test_sizes_and_missing_subjects():
    one, two = Toy(('fear',)), Toy(('fear',), size=(12, 24), subject=False)
    with pytest.raises(ValueError, match=r'size must be given .*\[\(6, 6\), \(12, 24\)\]'):
        MixedFaces([one, two])
    with pytest.warns(UserWarning, match='2 of 4 faces are from datasets without subjects'):
        mixed = MixedFaces([one, two], size=8)
    assert mixed.size == (8, 8)
    assert mixed.labels('subject').tolist() == [0, 1, 2, 3]
    assert 'subject' not in MixedFaces([two, Toy(('fear',), subject=False)], size=8)[0]


def test_subjects_of_a_dataset_without_subjects_are_separate():
    """A face in two parts of the dataset is the same subject."""
    one, two = Toy(('fear', 'anger')), Toy(('fear', 'anger'), first=100, subject=False)
    parts = [two.index_select([0, 1, 2]), two.index_select([3, 0])]  # face 0 in both
    with pytest.warns(UserWarning, match='5 of 9 faces are from datasets without subjects'):
        mixed = MixedFaces([one, *parts])
    assert mixed.labels('subject').tolist() == [0, 1, 0, 1, 2, 3, 4, 5, 2]
    for train, test in mixed.folds(3, 0, 'subject'):
        assert not set(train.labels('subject').tolist()) & set(test.labels('subject').tolist())


def test_parts_of_a_dataset_share_their_subjects():
    one = Toy(('fear', 'anger'))
    parts = [one.index_select([0, 1]), one.index_select([3, 2]), Toy(('fear', 'anger'))]
    mixed = MixedFaces(parts)
    assert mixed.labels('source').tolist() == [0, 0, 1, 1, 2, 2, 2, 2]
    assert mixed.labels('subject').tolist() == [0, 1, 1, 0, 2, 3, 2, 3]


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        (['joy'], r"\['joy'\] of 'joy', got \['fear', 'anger'\] in dataset 0"),
        (
            {'bad': ('fear',), 'worse': ('fear', 'anger')},
            'classes must be at least one and distinct',
        ),
        ([], 'at least one and distinct'),
    ],
)
def test_invalid_classes_raise(classes, message):
    with pytest.raises(ValueError, match=message):
        MixedFaces([Toy(('fear', 'anger'))], classes)


def test_no_datasets_and_no_common_classes_raise():
    with pytest.raises(ValueError, match='at least one dataset'):
        MixedFaces([])
    with pytest.raises(ValueError, match='at least one and distinct'):
        MixedFaces([Toy(('a',)), Toy(('b',))])


def test_names_of_expressions():
    assert [find_expression(n) for n in ('Angry', 'anger', 'SAD', 'Surprised', 'x')] == [
        'anger', 'anger', 'sadness', 'surprise', None
    ]  # fmt: skip
    assert all(find_expression(name) == name for name in EXPRESSIONS)
    from graphmotion.datasets import SyntheticFaces

    assert set(SyntheticFaces.EXPRESSIONS) == set(EXPRESSIONS)


def test_nested_subsets_of_each_class():
    y = torch.tensor([0] * 50 + [1] * 20 + [3] * 3)[torch.randperm(73)]
    before = set()
    for ratio in (0.01, 0.1, 0.25, 0.5, 0.9, 1.0):
        taken = stratified_subset(y, ratio, seed=4)
        assert torch.equal(taken, taken.unique())
        for c, count in ((0, 50), (1, 20), (3, 3)):
            assert int((y[taken] == c).sum()) == max(1, round(ratio * count))
        assert before <= set(taken.tolist())
        before = set(taken.tolist())
        assert torch.equal(taken, stratified_subset(y, ratio, seed=4))
    assert len(before) == 73
    assert not torch.equal(stratified_subset(y, 0.5, 1), stratified_subset(y, 0.5, 2))
    for ratio in (0, -1, 1.1):
        with pytest.raises(ValueError, match='ratio must be in'):
            stratified_subset(y, ratio)
    dataset = Toy(('a', 'b', 'c'))
    part = dataset[2:].subset(0.5)
    assert part.labels('y').tolist() == [1, 2]


def test_the_graph_of_the_mean_face():
    dataset = Toy(('a', 'b'), points=12)
    graph = landmark_graph(dataset, k=3, num_modes=12, levels=1, ratio=0.25)
    expected = torch.stack([data.landmarks for data in dataset]).mean(dim=0) - 0.5
    torch.testing.assert_close(graph.pos, expected)
    assert graph.eigenvectors.shape == (12, 12)
    with pytest.raises(ValueError, match="field 'landmarks'"):
        landmark_graph(Toy(('a',)))
    with pytest.raises(ValueError, match='at least 13 points for k=12 neighbours, got 12'):
        landmark_graph(dataset, k=12)
