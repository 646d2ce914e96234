"""Reader of skeletons that users define in a file."""

from __future__ import annotations

from graphmotion.io.files import MalformedFileError, load_json
from graphmotion.skeletons import Skeleton

_FIELDS = ('name', 'joints', 'bones', 'center', 'pairs', 'hierarchies')


def read_skeleton(path: str) -> Skeleton:
    r"""Read a layout of joints from a JSON file: an object with the arguments of
    :class:`~graphmotion.skeletons.Skeleton`, of which :obj:`joints` and :obj:`bones` are needed.

    .. code-block:: json

        {
          "name": "arm",
          "joints": ["shoulder", "elbow", "wrist"],
          "bones": [["shoulder", "elbow"], ["elbow", "wrist"]],
          "center": "shoulder",
          "hierarchies": {"parts": [{"upper": ["shoulder", "elbow"], "lower": ["wrist"]}]}
        }

    Args:
        path (str): The file.

    Returns:
        Skeleton: The layout.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is no such file, or what it defines is no skeleton.
    """
    content = load_json(path)
    if not isinstance(content, dict):
        raise MalformedFileError(path, 'content', 'an object', f'{content!r:.60}')
    unknown = sorted(set(content) - set(_FIELDS))
    missing = [field for field in ('joints', 'bones') if field not in content]
    if unknown or missing:
        expected = 'joints, bones and maybe name, center, pairs, hierarchies'
        raise MalformedFileError(path, 'fields', expected, f'{list(content)}')
    try:
        return Skeleton(**content)
    except (ValueError, TypeError, AttributeError) as error:
        raise MalformedFileError(path, 'content', 'a skeleton', str(error)) from error
