"""Train a classifier on the output of your own pose estimator, with your own layout of joints.

    python examples/custom_skeleton.py                       # on generated files
    python examples/custom_skeleton.py --root DIR --format openpose --skeleton body25
    python examples/custom_skeleton.py --root DIR --format alphapose --skeleton mine.json

DIR has a folder for each class that holds the recordings, or a folder for each subject with the
recordings of that subject. A recording is a file, or a folder of files for OpenPose. A layout is
built in or a JSON file with the names of the joints and the bones between them. Without --root,
AlphaPose files and a layout are generated first, in the folder --keep if given. Writes figures and
results.json to the folder --out.
"""

from __future__ import annotations

import json
import tempfile
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from shared import common
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
import graphmotion.visualization as vis
from graphmotion.data import to_array
from graphmotion.datasets import PoseFolder, SyntheticActions
from graphmotion.io import list_formats, read_skeleton
from graphmotion.metrics import format_table
from graphmotion.models import create_model
from graphmotion.skeletons import get_skeleton
from graphmotion.synthetic import Camera
from graphmotion.training import ClassificationRecipe, OneCycle, train_and_test

# A custom layout as a user would write it to a file: 15 joints, the bones between them, and the
# parts into which MSA-GCN and FG-STFormer group them.
LAYOUT: dict[str, Any] = {
    'name': 'stick_figure15',
    'joints': ['pelvis', 'neck', 'head'],
    'bones': [['pelvis', 'neck'], ['neck', 'head']],
    'center': 'neck',
    'hierarchies': {'parts': [{'trunk': ['pelvis', 'neck', 'head']}]},
}
for side in ('left', 'right'):
    for limb, root, chain in (
        ('arm', 'neck', ('shoulder', 'elbow', 'wrist')),
        ('leg', 'pelvis', ('hip', 'knee', 'ankle')),
    ):
        joints = [f'{side}_{joint}' for joint in chain]
        LAYOUT['joints'] += joints
        LAYOUT['bones'] += [list(bone) for bone in zip([root, *joints], joints)]
        LAYOUT['hierarchies']['parts'][0][f'{side}_{limb}'] = joints


def parse(argv: list[str] | None = None) -> Namespace:
    parser = common.make_parser(__doc__)
    data = parser.add_argument_group('data')
    data.add_argument('--root', help='folder with a folder for each class')
    data.add_argument('--format', default='alphapose', choices=list_formats())
    data.add_argument('--skeleton', help='name of a built-in layout, or a JSON file')
    data.add_argument('--columns', type=int, nargs='+', help='positions of its joints in the files')
    data.add_argument('--subject', help=r'pattern of the subject in file names, such as (\w+?)_')
    data.add_argument('--people', type=int, default=1, help='people per recording')
    data.add_argument('--keep', type=Path, help='new folder for the generated files')
    data.add_argument('--subjects', type=int, default=10, help='number of generated subjects')
    model = parser.add_argument_group('model')
    model.add_argument('--model', default='st_gcn', choices=['st_gcn', 'msa_gcn', 'fg_stformer'])
    model.add_argument('--width', type=int, default=16, help='channels of the first layer')
    model.add_argument('--frames', type=int, default=32, help='number of input frames')
    common.add_run_options(parser, 'results/custom_skeleton')
    parser.set_defaults(epochs=30)
    args = parser.parse_args(argv)
    if args.root and not args.skeleton:
        parser.error('--root needs --skeleton, the layout of the joints in the files')
    real = ('format', 'skeleton', 'columns', 'subject')
    rules = [(f'--{name}', bool(args.root), 'with --root') for name in real]
    rules += [(f'--{name}', not args.root, 'without --root') for name in ('subjects', 'keep')]
    common.refuse_unused(parser, argv, rules)
    if args.keep and args.keep.exists():
        parser.error(f'--keep must be a new folder, {args.keep} exists')
    if args.people > 1 and args.model == 'msa_gcn':
        parser.error('--model msa_gcn reads one person')
    return args


def write_files(folder: Path, num_subjects: int, seed: int) -> Path:
    """Writes a layout and actions in AlphaPose's format, and returns the layout's file."""
    layout = folder / 'skeleton.json'
    layout.write_text(json.dumps(LAYOUT, indent=1))
    actions = SyntheticActions(
        skeleton=read_skeleton(str(layout)),
        num_subjects=num_subjects,
        num_takes=2,
        actions=('wave', 'clap', 'raise arms', 'lower arms', 'sit down', 'stand up'),
        views=None,
        missing=0.02,
        seed=seed,
    )
    camera, front = Camera(), torch.zeros(1)
    for data in actions:
        (pos,), (score,) = to_array(data)
        pixels, _ = camera.project(torch.from_numpy(pos)[None], front)
        joints = torch.cat([pixels[0], torch.from_numpy(score)[..., None]], dim=-1)
        action, subject = actions.class_names[int(data.y)], f'subject{int(data.subject):02d}'
        people = [
            {'image_id': f'{frame}.jpg', 'idx': 1, 'keypoints': person.flatten().tolist()}
            for frame, person in enumerate(joints)
        ]
        path = folder / 'raw' / action / subject / f'take{int(data.take)}.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(people))
    return layout


def make_dataset(args: Namespace, root: str, skeleton: str) -> PoseFolder:
    layout = read_skeleton(skeleton) if skeleton.endswith('.json') else get_skeleton(skeleton)
    return PoseFolder(root, layout, args.format, args.people, args.columns, args.subject)


def make_model(args: Namespace, dataset: PoseFolder, in_channels: int) -> torch.nn.Module:
    width = args.width
    options: dict[str, Any] = {'channels': (width, 2 * width, 4 * width), 'dropout': 0.1}
    if args.model == 'msa_gcn':
        options['strides'] = (1, 2, 2)
    else:
        options['num_people'] = args.people
    return create_model(
        args.model,
        skeleton=dataset.skeleton,
        num_classes=dataset.num_classes,
        in_channels=in_channels,
        **options,
    )


def train(args: Namespace, dataset: PoseFolder) -> dict[str, Any]:
    skeleton = dataset.skeleton
    stream = T.ToStream(['joint', 'joint_motion'], skeleton)
    body = [
        T.FillMissing(),
        T.CenterJoint(skeleton, per_frame=False),
        T.ScaleByBodySize(skeleton),
    ]
    mirror = T.RandomMirror(skeleton, swap_sides=bool(skeleton.pairs))
    window = [T.ResampleFrames(args.frames), stream]
    by = 'subject' if len(dataset.subject_names) > 1 else None
    train_part, test_part = dataset.split((7, 3), seed=args.seed, by=by)
    evaluation = train_and_test(
        partial(make_model, args, dataset, stream.num_channels(dataset[0].pos.size(-1))),
        train_part,
        test_part,
        ClassificationRecipe(
            OneCycle(lr=4e-3, weight_decay=0.01, max_epochs=args.epochs),
            batch_size=16,
            label_smoothing=0.1,
        ),
        str(args.out / 'run'),
        transform=Compose([*body, *window]),
        train_transform=Compose([*body, mirror, *window]),
        seed=args.seed,
        resume=False,
        enable_progress_bar=not args.quiet,
    )
    scores, size = evaluation.scores, common.count_parameters(evaluation.model)
    parts = f'{len(train_part)} training, {len(test_part)} test recordings'
    print(f'{args.model}: {size:,} parameters, {parts}{", by subject" if by else ""}\n')
    print(format_table({args.model: scores}, percent=True))
    print('Classes and mean: one-vs-rest accuracy, (TP + TN) / all.')
    vis.plot_confusion_matrix(scores, title=args.model, path=args.out / 'confusion.png')
    path = args.out / 'run' / 'recognizer.safetensors'
    common.show_recognizer(path, "print(recognizer('take1.json'))")
    predicted = {args.model: evaluation.probabilities.argmax(dim=1)}
    protocol = f'training and test 7:3 by {by or "sample"}'
    outcomes = common.class_outcomes(test_part, predicted, protocol)
    return {'scores': scores.as_dict(), **outcomes}


def run(args: Namespace, root: str, skeleton: str) -> dict[str, Any]:
    dataset = make_dataset(args, root, skeleton)
    print(common.describe(dataset))
    print(f'{dataset.skeleton}\n')
    shown = common.one_per_class(dataset)
    vis.plot_pose_strip(
        list(shown.values()),
        dataset.skeleton,
        labels=list(shown),
        up='-y' if args.format == 'mediapipe' else None,  # 3D with the axes of an image
        view='front',
        path=args.out / 'poses.png',
    )
    return train(args, dataset)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    if args.root:
        results = run(args, args.root, args.skeleton)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = args.keep or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            layout = write_files(folder, args.subjects, args.seed)
            results = run(args, str(folder), str(layout))
    return common.save_results(args, results)


if __name__ == '__main__':
    main()
