"""Timelines of recognised classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from graphmotion.checks import check_int, check_positive
from graphmotion.visualization._figure import (
    COLORS,
    Axes,
    Figure,
    Line2D,
    PathLike,
    finish_figure,
    new_figure,
    style_axes,
)

_OTHER = '0.75'  # colour of the classes that are not named
_MAX_COLORS = 6  # black is left out
_LETTER = 0.085  # inches


class TimedAnswer(Protocol):
    """An answer for some frames, such as :class:`~graphmotion.inference.Answer`."""

    @property
    def probabilities(self) -> Mapping[str, float]: ...  # noqa: D102

    @property
    def frames(self) -> tuple[int, int] | None: ...  # noqa: D102

    @property
    def person(self) -> int | None: ...  # noqa: D102

    @property
    def windows(self) -> Sequence[Any]: ...  # noqa: D102


def plot_timeline(
    answers: TimedAnswer | Iterable[TimedAnswer],
    frame_rate: float | None = None,
    num_classes: int = _MAX_COLORS,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the probabilities of the classes over the time of a recording, and below them the most
    probable class as a coloured bar.

    A probability is drawn at the middle of its window. Each person has a panel.

    .. code-block:: python

        names, steps = ('wave', 'clap'), torch.linspace(0.05, 0.95, 19)
        windows = [
            Answer.from_row(torch.stack([1 - p, p]), names, frames=(10 * i, 10 * i + 40))
            for i, p in enumerate(steps)
        ]
        plot_timeline(windows, frame_rate=30)

    Args:
        answers (Answers or sequence of Answer): The answers of a
            :class:`~graphmotion.inference.Recognizer` with windows, or the successive answers of a
            stream.
        frame_rate (float, optional): Frames per second; if given, the time is in seconds instead of
            frames. (default: :obj:`None`)
        num_classes (int, optional): Number of classes that are coloured, at most 6: those that are
            most probable in a window. All others are grey. (default: :obj:`6`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Raises:
        ValueError: If there are no answers, an answer has no frames, classes differ, or an option
            is invalid.
    """
    people = _group_by_person(answers)
    rate = 1.0 if frame_rate is None else check_positive('frame_rate', frame_rate)
    shown = _most_probable(people, min(check_int('num_classes', num_classes, 1), _MAX_COLORS))
    colors = dict(zip(shown, COLORS))
    num_other = len(next(iter(people.values()))[0].probabilities) - len(shown)
    longest = max(len(name) for name in shown)
    figure = new_figure(7.2 + _LETTER * longest, 0.5 + 2.1 * len(people) + (0.3 if title else 0))
    grid = figure.add_gridspec(2 * len(people), 1, height_ratios=[1, 0.16] * len(people))
    end = max(windows[-1].frames[1] for windows in people.values()) / rate
    start = min(windows[0].frames[0] for windows in people.values()) / rate
    for row, (person, windows) in enumerate(people.items()):
        ax = figure.add_subplot(grid[2 * row])
        bar = figure.add_subplot(grid[2 * row + 1], sharex=ax)
        _draw_lines(ax, windows, rate, colors)
        _draw_bar(bar, windows, rate, colors)
        ax.set_xlim(start, end)
        ax.tick_params(axis='x', length=0, labelbottom=False)
        if len(people) > 1:
            ax.set_title(f'person {person}', loc='left', fontsize='medium')
        if row == 0:
            _add_legend(ax, colors, num_other)
        if row < len(people) - 1:
            bar.tick_params(labelbottom=False)
    bar.set_xlabel('frame' if frame_rate is None else 'time (s)')
    return finish_figure(figure, path, title)


def _group_by_person(answers: Any) -> dict[int | None, list[Any]]:
    """Returns the windows of each person in the order of time."""
    answers = [answers] if hasattr(answers, 'probabilities') else list(answers)
    if not answers:
        raise ValueError('answers must hold at least one answer, got none')
    people: dict[int | None, list[Any]] = {}
    for answer in answers:
        people.setdefault(answer.person, []).extend(answer.windows or [answer])
    classes = list(answers[0].probabilities)
    for windows in people.values():
        for window in windows:
            if window.frames is None:
                raise ValueError('answers must have frames, got None')
            if list(window.probabilities) != classes:
                raise ValueError(
                    f'answers must have the same classes, got {classes} and '
                    f'{list(window.probabilities)}'
                )
        windows.sort(key=lambda window: window.frames)
    return people


def _most_probable(people: Mapping[Any, Sequence[TimedAnswer]], number: int) -> list[str]:
    """Returns the classes with the highest probability in a window, in the order of the classes."""
    answers = [answer for windows in people.values() for answer in windows]
    names = list(answers[0].probabilities)
    values = np.array([list(answer.probabilities.values()) for answer in answers])
    # Classes that win a window come first.
    wins = np.bincount(values.argmax(axis=1), minlength=len(names)) > 0
    order = np.lexsort((-values.max(axis=0), ~wins))[:number]
    return [names[k] for k in sorted(order)]


def _draw_lines(
    ax: Axes, windows: Sequence[TimedAnswer], rate: float, colors: Mapping[str, str]
) -> None:
    time, _ = _times(windows, rate)
    style_axes(ax)
    marker = 'o' if len(windows) <= 40 else None
    names = list(windows[0].probabilities)
    for name in sorted(names, key=lambda name: name in colors):  # grey lines are below
        values = [window.probabilities[name] for window in windows]
        known = name in colors
        color = colors[name] if known else _OTHER
        ax.plot(time, values, color=color, lw=1.8 if known else 0.8, marker=marker, ms=3)
    ax.set_ylim(-0.02, 1.02)
    ax.set_yticks([0, 0.5, 1])
    ax.set_ylabel('probability')


def _draw_bar(
    ax: Axes, windows: Sequence[TimedAnswer], rate: float, colors: Mapping[str, str]
) -> None:
    """Draws the most probable class from halfway after the previous window to halfway before the
    next.
    """
    _, edges = _times(windows, rate)
    labels = [max(w.probabilities, key=w.probabilities.__getitem__) for w in windows]
    first = 0
    for i, label in enumerate(labels):
        if i + 1 < len(labels) and labels[i + 1] == label:
            continue
        left, right = edges[first], edges[i + 1]
        color = colors.get(label, _OTHER)
        ax.axvspan(left, right, color=color, lw=0)
        if right - left > 0.018 * len(label) * (edges[-1] - edges[0]):
            ink = 'black' if color in (COLORS[4], COLORS[5], _OTHER) else 'white'
            middle = (left + right) / 2
            ax.text(middle, 0.5, label, ha='center', va='center', color=ink, fontsize='small')
        first = i + 1
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    ax.spines[['top', 'right', 'left']].set_visible(False)


def _add_legend(ax: Axes, colors: Mapping[str, str], num_other: int) -> None:
    handles = [Line2D([], [], color=color, lw=2, label=name) for name, color in colors.items()]
    if num_other:
        label = f'{num_other} other' + 's' * (num_other > 1)
        handles.append(Line2D([], [], color=_OTHER, lw=1, label=label))
    ax.legend(handles=handles, loc='upper left', bbox_to_anchor=(1.01, 1.04), frameon=False)


def _times(windows: Sequence[TimedAnswer], rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the middle of each window, and where the bar of each window starts and ends."""
    frames = np.array([window.frames for window in windows]) / rate
    middle = frames.mean(axis=1)
    between = (middle[1:] + middle[:-1]) / 2
    return middle, np.concatenate([frames[:1, 0], between, frames[-1:, 1]])
