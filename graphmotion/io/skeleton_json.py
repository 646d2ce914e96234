"""Skeletons defined in JSON files."""

from __future__ import annotations

from graphmotion.io.files import MalformedFileError, load_json
from graphmotion.skeletons import Skeleton

_FIELDS = ('name', 'joints', 'bones', 'center', 'pairs', 'hierarchies')


def read_skeleton(path: str) -> Skeleton:
    r"""Reads a skeleton from a JSON file.

    The file is an object with the arguments of :class:`~graphmotion.skeletons.Skeleton`, of which
    :obj:`joints` and :obj:`bones` are required.

    .. code-block:: json

        {
          "name": "arm",
          "joints": ["shoulder", "elbow", "wrist"],
          "bones": [["shoulder", "elbow"], ["elbow", "wrist"]],
          "center": "shoulder",
          "hierarchies": {"parts": [{"upper": ["shoulder", "elbow"], "lower": ["wrist"]}]}
        }

    .. code-block:: python

        arm = {'name': 'arm', 'joints': ['shoulder', 'elbow'], 'bones': [['shoulder', 'elbow']]}
        pathlib.Path('arm.json').write_text(json.dumps(arm))
        print(read_skeleton('arm.json').joints)  # ('shoulder', 'elbow')

    Args:
        path (str): Path of the file.

    Returns:
        Skeleton: The skeleton.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or does not define a valid skeleton.
    """
    content = load_json(path)
    if not isinstance(content, dict):
        raise MalformedFileError(path, 'content', 'an object', f'{content!r:.60}')
    unknown = sorted(set(content) - set(_FIELDS))
    missing = [field for field in ('joints', 'bones') if field not in content]
    if unknown or missing:
        expected = 'joints, bones and optionally name, center, pairs, hierarchies'
        raise MalformedFileError(path, 'fields', expected, f'{list(content)}')
    try:
        return Skeleton(**content)
    except (ValueError, TypeError, AttributeError) as error:
        raise MalformedFileError(path, 'content', 'a skeleton', str(error)) from error
