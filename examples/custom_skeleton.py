"""Train a classifier on what your own pose estimator wrote, with your own layout of joints.

    python examples/custom_skeleton.py                       # on files generated for this
    python examples/custom_skeleton.py --root DIR --format openpose --skeleton body25
    python examples/custom_skeleton.py --root DIR --format alphapose --skeleton mine.json

DIR has a folder for each class, with a file (of OpenPose a folder) for each recording in it, or
in a folder for each subject in it. A layout is a built-in one or a JSON file with the names of the
joints and the bones between them. Without --root, files of both kinds are generated first and read
back in the same way; --keep leaves them in a folder for you to look at. Writes figures and
results.json to the folder --out.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from options import refuse_unused
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
from graphmotion.data import to_array
from graphmotion.datasets import PoseFolder, SyntheticActions
from graphmotion.io import list_formats, read_skeleton
from graphmotion.metrics import format_table
from graphmotion.models import create_model
from graphmotion.skeletons import get_skeleton
from graphmotion.synthetic import Camera
from graphmotion.training import ClassificationRecipe, OneCycle, train_and_test
from graphmotion.visualization import plot_confusion_matrix, plot_pose_strip

# A layout of one's own, as a user would write it into a file: 15 joints, the bones between them,
# and the parts that MSA-GCN and FG-STFormer group them into.
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


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = parser.add_argument_group('data')
    data.add_argument('--root', help='folder with a folder for each class')
    data.add_argument('--format', default='alphapose', choices=list_formats())
    data.add_argument('--skeleton', help='name of a built-in layout, or a JSON file')
    data.add_argument(
        '--columns', type=int, nargs='+', help='where its joints are in the files, if not alike'
    )
    data.add_argument('--subject', help=r'what names the subject in a file name, as (\w+?)_')
    data.add_argument('--people', type=int, default=1, help='people of a recording to look at')
    data.add_argument('--keep', type=Path, help='folder for the generated files')
    data.add_argument('--subjects', type=int, default=10, help='of the generated files')
    training = parser.add_argument_group('training')
    training.add_argument('--model', default='st_gcn', choices=['st_gcn', 'msa_gcn', 'fg_stformer'])
    training.add_argument('--width', type=int, default=16, help='channels of the first layer')
    training.add_argument('--frames', type=int, default=32, help='frames that a model sees')
    training.add_argument('--epochs', type=int, default=30)
    training.add_argument('--seed', type=int, default=0)
    training.add_argument('--quiet', action='store_true', help='no progress bar')
    training.add_argument('--out', type=Path, default=Path('results/custom_skeleton'))
    args = parser.parse_args(argv)
    if args.root and not args.skeleton:
        parser.error('--root goes with --skeleton, the layout of the joints in the files')
    own = '--root: generated files have their own'
    rules = [(f'--{name}', bool(args.root), own) for name in ('format', 'skeleton', 'columns')]
    rules += [
        ('--subject', bool(args.root), '--root: generated files are in folders of subjects'),
        ('--subjects', not args.root, 'generated files, without --root'),
        ('--keep', not args.root, 'generated files, without --root'),
    ]
    refuse_unused(parser, argv, rules)
    if args.keep and args.keep.exists():
        parser.error('--keep takes a folder that is not there yet')
    if args.people > 1 and args.model == 'msa_gcn':
        parser.error('--model msa_gcn looks at one person')
    return args


def write_files(folder: Path, num_subjects: int, seed: int) -> Path:
    """Write a layout and what AlphaPose would write of some actions; return the layout's file."""
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


def make_dataset(args: argparse.Namespace, root: str, skeleton: str) -> PoseFolder:
    layout = read_skeleton(skeleton) if skeleton.endswith('.json') else get_skeleton(skeleton)
    return PoseFolder(root, layout, args.format, args.people, args.columns, args.subject)


def make_model(args: argparse.Namespace, dataset: PoseFolder, in_channels: int) -> torch.nn.Module:
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


def train(args: argparse.Namespace, dataset: PoseFolder) -> dict[str, Any]:
    skeleton = dataset.skeleton
    stream = T.ToStream(['joint', 'joint_motion'], skeleton)
    body = [
        T.FillMissing(),
        T.CenterJoint(skeleton, per_frame=False),
        T.ScaleByBodySize(skeleton),
    ]
    window = [T.ResampleFrames(args.frames), stream]
    # Subjects are either trained on or tested on, where files tell who it is.
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
        train_transform=Compose([*body, T.RandomMirror(skeleton), *window]),
        seed=args.seed,
        resume=False,
        enable_progress_bar=not args.quiet,
    )
    scores = evaluation.scores
    size = sum(p.numel() for p in evaluation.model.parameters())
    of = f'{len(train_part)} recordings in training, {len(test_part)} in the test'
    print(f'{args.model}: {size:,} parameters, {of}{", by subject" if by else ""}\n')
    print(format_table({args.model: scores}, percent=True))
    print('Classes and mean: one against the rest, (TP + TN) / all.')
    plot_confusion_matrix(scores, title=args.model, path=args.out / 'confusion.png')
    return scores.as_dict()


def run(args: argparse.Namespace, root: str, skeleton: str) -> dict[str, Any]:
    dataset = make_dataset(args, root, skeleton)
    counts = torch.bincount(dataset.labels(), minlength=dataset.num_classes).tolist()
    print(f'{dataset}: ' + ', '.join(f'{n} {c}' for n, c in zip(dataset.class_names, counts)))
    print(f'{dataset.skeleton}\n')
    shown = [dataset[int((dataset.labels() == c).nonzero()[0])] for c in dataset.labels().unique()]
    plot_pose_strip(
        [data.pos for data in shown],
        dataset.skeleton,
        score=[data.score for data in shown],
        labels=[dataset.class_names[int(data.y)] for data in shown],
        up='-y' if args.format == 'mediapipe' else None,  # 3D, but as in images
        view='front',
        path=args.out / 'poses.png',
    )
    return train(args, dataset)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.root:
        scores = run(args, args.root, args.skeleton)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = args.keep or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            layout = write_files(folder, args.subjects, args.seed)
            scores = run(args, str(folder), str(layout))
    (args.out / 'results.json').write_text(json.dumps(scores, indent=1))
    print(f'\nFigures and results.json are in {args.out}')
    return scores


if __name__ == '__main__':
    main()
