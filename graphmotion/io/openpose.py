"""OpenPose results."""

from __future__ import annotations

from graphmotion.io.files import MalformedFileError, load_json
from graphmotion.io.formats import register_format
from graphmotion.io.frame_folder import read_frame_folder
from graphmotion.io.tracks import Detection, Track, find_detection, iter_objects, parse_keypoints

# Numbers per joint in each field; the first one that is not empty is read.
_FIELDS = {'pose_keypoints_2d': 3, 'pose_keypoints': 3, 'pose_keypoints_3d': 4}
_OTHER_FIELDS = {
    f'{part}_keypoints_{dims}'
    for part in ('face', 'hand_left', 'hand_right')
    for dims in ('2d', '3d')
}


@register_format('openpose', in_folder=True, layouts={18: 'openpose18', 25: 'body25'})
def read_openpose(folder: str, recording: str | None = None, max_gap: int = 30) -> list[Track]:
    r"""Reads a recording written by OpenPose with :obj:`--write_json`, from the `"OpenPose:
    Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields"
    <https://arxiv.org/abs/1812.08008>`_ paper.

    The folder has one file per frame, :obj:`{recording}_{frame}_keypoints.json`, with
    :obj:`people[].pose_keypoints_2d` in pixels, called :obj:`pose_keypoints` by OpenPose 1.0: 18
    joints (layout :obj:`openpose18`) or 25 joints (:obj:`body25`). People who only have
    :obj:`pose_keypoints_3d` are read in 3D. Missing frames are empty. People are identified by
    :obj:`person_id` if OpenPose tracked them, otherwise by :func:`~graphmotion.io.link_tracks`.

    .. code-block:: python

        for track in read_openpose('recording'):
            data = from_array(track.pos, 'body25', track.score, axes='TVC')

    Args:
        folder (str): Folder of the recording.
        recording (str, optional): Name of the recording to read, if the folder has several.
            (default: :obj:`None`)
        max_gap (int, optional): See :func:`~graphmotion.io.link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people, most visible person first. Frames that cannot be read are
        treated as empty and counted in a single warning.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the folder has no such files, if it has files of several recordings and
            :obj:`recording` is not given, if no frame can be read, or if there are no people.
    """
    return read_frame_folder(folder, '_keypoints.json', _read_frame, recording, max_gap)


def _read_frame(path: str) -> list[Detection]:
    content = load_json(path)
    if not isinstance(content, dict) or 'people' not in content:
        raise MalformedFileError(path, 'people', 'a list', 'no such field')
    detections: list[Detection] = []
    people = [person for _, person in iter_objects(path, 'people', content['people'])]
    bodies = [person for person in people if any(map(person.get, _FIELDS))]
    others = {name for person in people for name in person if person[name]} & _OTHER_FIELDS
    if others and not bodies:
        expected = 'bodies with pose_keypoints_2d (faces and hands are not read)'
        raise MalformedFileError(path, 'people', expected, f'only {", ".join(sorted(others))}')
    for person in bodies:
        name = next(name for name in _FIELDS if person.get(name))
        field = f'people[].{name}'
        joints = parse_keypoints(person[name], path, field, _FIELDS[name])
        if len(joints) not in (18, 25):
            raise MalformedFileError(path, field, '18 or 25 joints', f'{len(joints)}')
        identity = person.get('person_id', [-1])
        identity = identity[0] if isinstance(identity, list) and identity else identity
        known = isinstance(identity, int) and identity >= 0
        detection = find_detection(joints, path, field, identity if known else None)
        detections += [detection] if detection else []
    return detections
