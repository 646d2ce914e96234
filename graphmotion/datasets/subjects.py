"""Who is in the files of one's own recordings."""

from __future__ import annotations

import re
from collections.abc import Iterable


def find_subjects(
    folder: str, names: Iterable[str], pattern: str | None, what: str
) -> dict[str, str]:
    r"""The subject of each file, from its name below the folder of its class.

    Args:
        folder (str): What holds the files, for errors.
        names (iterable of str): Names that begin with that of the class, as :obj:`wave/anna/1`.
        pattern (str, optional): A regular expression with one group for names without the class;
            by default that of a folder.
        what (str): What the files are, for errors.

    Returns:
        dict: The name of each one's subject; empty if none has one.

    Raises:
        ValueError: If only some have a subject, or the pattern has another number of groups.
    """
    expression = re.compile(pattern or '([^/]+)/')
    if expression.groups != 1:
        raise ValueError(f'subject has one group, the name of the subject, got {pattern!r}')
    names = list(names)
    out, without = {}, []
    for name in names:
        match = expression.match(name.split('/', 1)[1])
        if match:
            out[name] = match[1]
        else:
            without.append(name)
    if without and (out or pattern):
        raise ValueError(
            f'{folder}: {len(without)} of {len(names)} {what} have no subject, such as {without[0]}'
        )
    return out
