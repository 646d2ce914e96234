r"""Recognise people, or the leg that is hindered, on the gaits of the University of Calgary.

    python examples/papers/ucalgary.py --root DIR --models st_gcn gaitmixer
    python examples/papers/ucalgary.py --root DIR --models st_gcn --one-height
    python examples/papers/ucalgary.py --root DIR --task condition

DIR/raw holds the archive of the dataset. The task "identity" trains on the odd runs and recognises
the even ones among them, beside limb lengths, chance and an SVM on bone lengths. The task
"condition" classifies normal walks and walks with a hindered right or left leg, in folds by
subject, with ST-GCN.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from torch_geometric.transforms import BaseTransform, Compose

sys.path.append(str(Path(__file__).parents[1]))

import gait_recognition as example
from gaitmixer import add_models_option, compare, measure_walks
from shared import common

import graphmotion.transforms as T
import graphmotion.visualization as vis
from graphmotion.data import find_duplicates
from graphmotion.datasets import UCalgaryGait
from graphmotion.metrics import ODD_TO_EVEN_TAKES, fold_summary, format_table
from graphmotion.models import create_model
from graphmotion.training import (
    ClassificationRecipe,
    OneCycle,
    RecognitionRecipe,
    cross_validate,
    gaitmixer_recipe,
)

CPU = RecognitionRecipe(
    OneCycle(lr=3e-3, weight_decay=0.01, max_epochs=150, gradient_clip=5.0),
    subjects_per_batch=16,
    samples_per_subject=3,
    margin=0.2,
)
PRESETS = {
    'cpu': example.Preset(frames=60, crops=3, recipe=CPU, joint_pooling='concat'),
    'paper': example.Preset(frames=60, crops=3, recipe=gaitmixer_recipe()),
}
CONDITION_FRAMES = 48
CONDITION_RECIPE = ClassificationRecipe(
    OneCycle(lr=3e-3, weight_decay=0.05, max_epochs=60, gradient_clip=5.0, ema_decay=0.98),
    batch_size=16,
    label_smoothing=0.1,
)
FPS = 30


def parse(argv: list[str] | None = None) -> Namespace:
    parser = common.make_parser(__doc__)
    parser.add_argument('--root', required=True, help='folder with the archive in raw/')
    parser.add_argument('--task', default='identity', choices=['identity', 'condition'])
    parser.add_argument(
        '--one-height', action='store_true', help='scale all bodies to one size in --task identity'
    )
    parser.add_argument('--folds', type=int, default=5, help='folds of --task condition')
    parser.add_argument('--frames', type=int, help='number of input frames')
    add_models_option(parser, ['gaitmixer'])
    example.add_model_options(parser, 'results/ucalgary')
    args = parser.parse_args(argv)
    identity = args.task == 'identity'
    rules = [
        (f'--{name}', identity, 'for --task identity')
        for name in (
            'one-height',
            'embedding',
            'distance',
            'crops',
            'joint-pooling',
            'lr',
            'models',
            'evaluate',
        )
    ]
    rules.append(('--folds', not identity, 'for --task condition'))
    common.refuse_unused(parser, argv, rules)
    if identity:
        example.set_windows(parser, args, PRESETS[args.preset], args.models)
    args.frames = args.frames or CONDITION_FRAMES
    return args


def make_transforms(args: Namespace, dataset: UCalgaryGait) -> example.Transforms:
    """Returns the transforms of --task identity."""
    skeleton = dataset.skeleton
    size = [T.ScaleByBodySize(skeleton)] if args.one_height else []
    begin = [T.FillMissing(), T.CenterJoint(skeleton, per_frame=True), *size]
    last = T.ToStream(['joint', 'joint_motion', 'bone_length'], skeleton)
    vary = [T.RandomRotateAxes({'y': 5}), T.CropFrames(args.frames), T.JointNoise(0.003)]
    reverse = args.crops == 3
    crops = T.center_crops(args.frames, None if reverse else (0,), reverse)
    return example.Transforms(
        Compose([*begin, *vary, last]),
        [Compose([*begin, crop, last]) for crop in crops],
        last.num_channels(3),
    )


def read_dataset(args: Namespace, target: str) -> UCalgaryGait:
    """Returns the walks without copies, which the archive has under other subjects and takes."""
    dataset = UCalgaryGait(args.root, target)
    copies = {number for group in find_duplicates(dataset) for number in group[1:]}
    if copies:
        print(f'{len(copies)} of {len(dataset)} walks are copies of others and are not used')
    return dataset.index_select([i for i in range(len(dataset)) if i not in copies])


def recognise(args: Namespace) -> dict[str, Any]:
    dataset = read_dataset(args, 'subject')
    example.draw_data(args, dataset)
    recipe = example.make_recipe(args, PRESETS[args.preset])
    size = T.ScaleByBodySize(dataset.skeleton) if args.one_height else T.FillMissing()
    transforms = make_transforms(args, dataset)
    return compare(
        args,
        ODD_TO_EVEN_TAKES,
        dataset,
        transforms,
        recipe,
        FPS,
        size,
        classifiers={'SVM on bone lengths': classify_bone_lengths(dataset, size)},
        view='front',
    )


def classify_bone_lengths(dataset: UCalgaryGait, size: BaseTransform) -> float:
    """Returns the rank-1 accuracy of a support vector machine on standardised mean bone lengths."""
    # Installed by the extra 'train'.
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    num_bones = len(dataset.skeleton.bones)
    train, test = ODD_TO_EVEN_TAKES.split(dataset)
    probes = torch.cat([*ODD_TO_EVEN_TAKES.select(test)[1].values()])

    def measure(part: UCalgaryGait) -> Any:
        return measure_walks(part, FPS, size)[:, :num_bones].numpy()

    machine = make_pipeline(StandardScaler(), SVC(C=10))
    machine.fit(measure(train), train.labels('subject').numpy())
    found = machine.predict(measure(test)[probes])
    return float((found == test.labels('subject')[probes].numpy()).mean())


def classify_condition(args: Namespace) -> dict[str, Any]:
    dataset = read_dataset(args, 'condition')
    example.draw_data(args, dataset)
    skeleton = dataset.skeleton
    stream = T.ToStream(['joint', 'joint_motion'], skeleton)
    begin = [
        T.FillMissing(), T.CenterJoint(skeleton, per_frame=True), T.ScaleByBodySize(skeleton)
    ]  # fmt: skip
    # The mirror image of a hindered right leg is a hindered left leg.
    mirror = T.RandomMirror(skeleton, center='sequence', mirrored_classes=(0, 2, 1))
    vary = [mirror, T.RandomRotateAxes({'y': 5}), T.RandomScaling((0.9, 1.1))]
    end = [T.ResampleFrames(args.frames), stream]  # at half the frame rate
    window = 2 * args.frames
    recipe = CONDITION_RECIPE
    if args.epochs is not None:
        recipe = recipe.with_optimization(max_epochs=args.epochs)
    width = example.ST_GCN_WIDTH[args.preset]
    folds = dataset.folds(args.folds, seed=args.seed, by='subject')
    evaluations = cross_validate(
        lambda: create_model(
            'st_gcn',
            skeleton=skeleton,
            num_classes=dataset.num_classes,
            in_channels=stream.num_channels(3),
            channels=[width, width, 2 * width, 2 * width],
            dropout=0.2,
        ),
        folds,
        recipe,
        str(args.out / 'condition'),
        transform=Compose([*begin, T.CropFrames(window, 'center'), *end]),
        train_transform=Compose([*begin, *vary, T.CropFrames(window), *end]),
        seed=args.seed,
        **common.fit_options(args),
    )
    summary = fold_summary([evaluation.scores for evaluation in evaluations])
    print(format_table({'ST-GCN': summary}, percent=True))
    path = args.out / 'condition' / 'confusion.png'
    vis.plot_confusion_matrix(summary.pooled, title='ST-GCN', path=path)
    path = args.out / 'condition' / 'fold0' / 'recognizer.safetensors'
    common.show_recognizer(path, "print(recognizer('walk.json'))")
    outcomes = common.fold_outcomes(
        [test for _, test in folds],
        {'ST-GCN': [evaluation.probabilities.argmax(dim=1) for evaluation in evaluations]},
        f'{args.folds} folds by subject',
    )
    seconds = sum(evaluation.seconds for evaluation in evaluations)
    results = {'condition': summary.as_dict(), 'seconds': seconds, 'recipe': recipe, **outcomes}
    return common.save_results(args, results)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    return recognise(args) if args.task == 'identity' else classify_condition(args)


if __name__ == '__main__':
    main()
