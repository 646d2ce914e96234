"""The 68 facial landmarks of the 300-W annotation, which dlib detects."""

from __future__ import annotations

from itertools import pairwise

# Jaw, brows, bridge and tip of the nose, and the closed lines of eyes and lips.
_LINES = (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36))
_LOOPS = (range(36, 42), range(42, 48), range(48, 60), range(60, 68))

#: Edges between neighbouring landmarks of each line.
FACE_68_EDGES = (
    *(edge for line in _LINES for edge in pairwise(line)),
    *(edge for loop in _LOOPS for edge in pairwise([*loop, loop[0]])),
)
#: Landmark that replaces each landmark in a mirror image.
FACE_68_MIRROR = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46), *(39, 38, 37, 36, 41, 40),
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
)  # fmt: skip
