"""Recognise people while their frames arrive, with a trained recognizer.

    python examples/live.py recognizer.safetensors walk.json          # replays a recorded file
    tracker | python examples/live.py recognizer.safetensors -        # frames as JSON lines
    python examples/live.py recognizer.safetensors --camera 0 --landmarker pose_landmarker.task

The first argument is a file that gait_emotion.py and the other examples write. A recorded file, in
any format that the library reads, is replayed at its frame rate. Each JSON line is a frame: a list
of joints [x, y] or [x, y, z], an object {"joints": [..], "scores": [..]}, an object that maps the
number of each person to either, or null if no person was found; a missing joint is null. A camera
needs OpenCV and MediaPipe, and a model of MediaPipe's pose landmarker. Prints an answer every --hop
frames; at the end, draws all answers over time to the file --figure.
"""

from __future__ import annotations

import json
import math
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from shared import common

import graphmotion.visualization as vis
from graphmotion.inference import Answer, Recognizer
from graphmotion.inference.streaming import read_frames
from graphmotion.io import list_formats

CAMERA_LAYOUT = 'mediapipe33'


def parse_substitute(text: str) -> tuple[str, str]:
    joint, _, other = text.partition('=')
    if not joint or not other:
        raise ArgumentTypeError(f'must be JOINT=OTHER, got {text!r}')
    return joint, other


def make_parser() -> ArgumentParser:
    parser = common.make_parser(__doc__)
    parser.add_argument('recognizer', type=Path, help='file of a trained recognizer')
    parser.add_argument('source', nargs='?', help='recorded file or folder, or - for JSON lines')
    data = parser.add_argument_group('frames')
    data.add_argument('--format', choices=list_formats(), help='format of the recorded file')
    data.add_argument('--skeleton', help="layout of the joints, by default the recognizer's")
    data.add_argument(
        '--substitutes',
        nargs='+',
        type=parse_substitute,
        metavar='JOINT=OTHER',
        help='joints that replace those which the layout lacks, such as left_hand=left_wrist',
    )
    data.add_argument('--frame-rate', type=float, help='frames per second, by default as recorded')
    data.add_argument('--fast', action='store_true', help='replay without waiting')
    camera = parser.add_argument_group('camera')
    camera.add_argument('--camera', type=int, help='number of a camera')
    camera.add_argument('--landmarker', type=Path, help="file of MediaPipe's pose landmarker")
    camera.add_argument('--dim', type=int, default=3, choices=(2, 3), help='2: pixels, 3: metres')
    camera.add_argument('--people', type=int, default=1, help='maximum number of people')
    answers = parser.add_argument_group('answers')
    answers.add_argument('--window', type=int, help="frames of an answer, by default the network's")
    answers.add_argument('--hop', type=int, default=1, help='frames between answers')
    answers.add_argument('--min-frames', type=int, help='frames before the first answer')
    answers.add_argument('--figure', type=Path, help='draw the answers over time to this file')
    return parser


def parse(argv: list[str] | None = None) -> Namespace:
    parser = make_parser()
    args = parser.parse_args(argv)
    with_camera = args.camera is not None
    if with_camera == (args.source is not None):
        parser.error('give either a source or --camera')
    if with_camera and args.landmarker is None:
        parser.error('--camera needs --landmarker')
    recorded = not with_camera and args.source != '-'
    rules = [
        ('--format', recorded, 'for a recorded file'),
        ('--fast', recorded, 'for a recorded file'),
        ('--skeleton', not with_camera, 'without --camera'),
        ('--landmarker', with_camera, 'with --camera'),
        ('--dim', with_camera, 'with --camera'),
        ('--people', with_camera, 'with --camera'),
    ]
    common.refuse_unused(parser, argv, rules)
    return args


# Frames ########################################################################################


def read_lines(lines: Iterable[str]) -> Iterator[Any]:
    """Yields the frames of JSON lines."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield parse_frame(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f'line {number} must be a frame as JSON: {error}') from error


def parse_frame(content: Any) -> Any:
    """Converts a frame in JSON to joints, joints with scores, or those of each person."""
    if isinstance(content, dict) and 'joints' not in content:
        return {int(person): parse_frame(pose) for person, pose in content.items()}
    if not isinstance(content, dict):
        return None if content is None else parse_joints(content)
    joints, scores = parse_joints(content['joints']), content.get('scores')
    if joints is None:
        return None
    return joints if scores is None else (joints, np.array(scores, float))


def parse_joints(joints: list[Any]) -> np.ndarray | None:
    """Converts a list of joints, of which missing ones are null, to an array, if one is found."""
    dim = next((len(joint) for joint in joints if joint is not None), None)
    if dim is None:
        return None
    return np.array([joint or [math.nan] * dim for joint in joints], float)


def wait(frames: Iterable[Any], frame_rate: float) -> Iterator[Any]:
    """Yields frames at a frame rate."""
    start = time.perf_counter()
    for i, frame in enumerate(frames):
        time.sleep(max(0.0, start + i / frame_rate - time.perf_counter()))
        yield frame


def camera_frames(args: Namespace) -> Iterator[Any]:
    """Yields the people that MediaPipe finds in the images of a camera, until it is closed."""
    try:
        import cv2
        import mediapipe as mp
    except ImportError as error:
        raise SystemExit(
            f'--camera needs OpenCV and MediaPipe: pip install opencv-python mediapipe ({error})'
        ) from error
    vision = mp.tasks.vision
    options = vision.PoseLandmarkerOptions(
        base_options=mp.tasks.BaseOptions(model_asset_path=str(args.landmarker)),
        running_mode=vision.RunningMode.VIDEO,
        num_poses=args.people,
    )
    camera = cv2.VideoCapture(args.camera)
    if not camera.isOpened():
        raise SystemExit(f'camera {args.camera} cannot be opened')
    start = time.monotonic()
    try:
        with vision.PoseLandmarker.create_from_options(options) as landmarker:
            while True:
                found, image = camera.read()
                if not found:
                    return
                picture = mp.Image(
                    image_format=mp.ImageFormat.SRGB, data=cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                )
                milliseconds = int(1000 * (time.monotonic() - start))
                result = landmarker.detect_for_video(picture, milliseconds)
                yield to_people(result, image.shape[:2], args.dim, args.people)
    finally:
        camera.release()


def to_people(result: Any, size: tuple[int, int], dim: int, num_people: int) -> Any:
    """Converts landmarks to joints and scores: in pixels, or in metres relative to the hips."""
    people = []
    for landmarks in result.pose_landmarks if dim == 2 else result.pose_world_landmarks:
        joints = np.array([[point.x, point.y, point.z] for point in landmarks])[:, :dim]
        if dim == 2:
            joints *= size[::-1]
        people.append((joints, np.array([point.visibility for point in landmarks])))
    if num_people > 1:
        return dict(enumerate(people))
    return people[0] if people else None


# Answers #######################################################################################


def run(args: Namespace, recognizer: Recognizer) -> Iterator[Answer]:
    """Yields the answers for all frames."""
    skeleton, rate = args.skeleton, args.frame_rate
    substitutes = dict(args.substitutes or ())
    frames: Iterable[Any]
    if args.camera is not None:
        skeleton, frames = CAMERA_LAYOUT, camera_frames(args)
    elif args.source == '-':
        frames = read_lines(sys.stdin)
    else:
        recorded, own_rate = read_frames(
            recognizer, args.source, skeleton, args.format, substitutes
        )
        skeleton, rate = None, rate or own_rate  # joints were converted
        frames = recorded if args.fast else wait(recorded, rate or 30.0)
    stream = recognizer.stream(args.hop, args.window, args.min_frames, skeleton, rate, substitutes)
    for frame in frames:
        yield from stream.push(frame) or ()


def main(argv: list[str] | None = None) -> list[Answer]:
    args = parse(argv)
    recognizer = Recognizer.load(args.recognizer)
    if args.window is None and recognizer.window is None:
        raise SystemExit('--window must be given, since the recognizer has none')
    answers = []
    try:
        for answer in run(args, recognizer):
            answers.append(answer)
            print(answer, flush=True)
    except KeyboardInterrupt:
        print(f'stopped after {len(answers)} answers')
    if args.figure is not None and answers:
        vis.plot_timeline(answers, args.frame_rate, path=args.figure)
    return answers


if __name__ == '__main__':
    main()
