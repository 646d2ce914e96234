"""People enrolled in the gallery of a recognizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from graphmotion.inference.gallery import Gallery
from graphmotion.inference.identification import Identification, Verification
from graphmotion.inference.sources import Recording, split_sources

Frames = tuple[int, int] | None


class EnrollmentMixin(ABC):
    r"""Methods of :class:`Recognizer` for networks that return embeddings.

    A source is all that a recognizer can be called with, or a list of files or arrays. A recording
    that is cut to windows has the mean of their embeddings.
    """

    models: list[torch.nn.Module]
    gallery: Gallery | None

    @abstractmethod
    def embeddings(self, dataset: Any) -> Tensor:
        """Returns the embeddings of samples."""

    @abstractmethod
    def _run(
        self, compute: Callable, source: Any, **options: Any
    ) -> Iterator[tuple[Recording, list[Tensor], list[Frames]]]:
        """Yields each recording with the outputs for its windows and the frames of the windows."""

    def enroll(self, name: str, source: Any, **options: Any) -> None:
        r"""Adds recordings of one person to the gallery.

        .. code-block:: python

            recognizer.enroll('anna', ['anna_1.json', 'anna_2.json'])
            recognizer.enroll('ben', dataset[:4])

        Args:
            name (str): Name of the person.
            source (str, array, Data, Batch, list or dataset): The recordings.
            **options (optional): Options of :meth:`Recognizer.__call__`.

        Raises:
            ValueError: If a recording shows several people, or for the reasons given in
                :meth:`Gallery.enroll` and :meth:`Recognizer.__call__`.
        """
        people, embeddings = self._embed(source, options)
        if any(person is not None for person in people):
            raise ValueError(f'source must show only {name!r}, got recordings of several people')
        gallery = Gallery() if self.gallery is None else self.gallery
        gallery.enroll(name, embeddings)
        self.gallery = gallery

    def identify(
        self, source: Any, k: int = 5, threshold: float | None = None, **options: Any
    ) -> Identification:
        r"""Ranks the enrolled people by their distance to the person in each recording.

        .. code-block:: python

            print(recognizer.identify('walk.json'))  # anna (anna 0.112, ben 0.640)

        Args:
            source (str, array, Data, Batch, list or dataset): The recordings.
            k (int, optional): Maximum number of people to return. (default: :obj:`5`)
            threshold (float, optional): See :meth:`Gallery.identify`. (default: :obj:`None`)
            **options (optional): Options of :meth:`Recognizer.__call__`.

        Raises:
            ValueError: If nobody is enrolled, or for the reasons given in
                :meth:`Gallery.identify` and :meth:`Recognizer.__call__`.
        """
        gallery = self._check_gallery()
        return gallery.identify(self._embed(source, options)[1], k, threshold)

    def verify(
        self, source: Any, name: str, threshold: float | None = None, **options: Any
    ) -> Verification:
        r"""Decides whether recordings show a person.

        .. code-block:: python

            if recognizer.verify('walk.json', 'anna'):
                print('welcome')

        Args:
            source (str, array, Data, Batch, list or dataset): The recordings.
            name (str): Name of the person.
            threshold (float, optional): See :meth:`Gallery.verify`. (default: :obj:`None`)
            **options (optional): Options of :meth:`Recognizer.__call__`.

        Raises:
            ValueError: If nobody is enrolled, or for the reasons given in :meth:`Gallery.verify`
                and :meth:`Recognizer.__call__`.
        """
        gallery = self._check_gallery()
        return gallery.verify(self._embed(source, options)[1], name, threshold)

    def calibrate(
        self,
        source: Any,
        labels: Sequence[Any] | Tensor,
        false_accept_rate: float = 0.01,
        **options: Any,
    ) -> None:
        r"""Sets the rate at which strangers are accepted, given recordings of other people.

        .. code-block:: python

            recognizer.calibrate(dataset, dataset.labels('subject'), false_accept_rate=0.05)

        Args:
            source (str, array, Data, Batch, list or dataset): Recordings of people who are neither
                enrolled nor in the training data.
            labels (sequence or Tensor): Name or number of the person in each recording.
            false_accept_rate (float, optional): See :meth:`Gallery.calibrate`.
                (default: :obj:`0.01`)
            **options (optional): Options of :meth:`Recognizer.__call__`.

        Raises:
            ValueError: For the reasons given in :meth:`Gallery.calibrate` and
                :meth:`Recognizer.__call__`.
        """
        embeddings = self._embed(source, options)[1]
        gallery = Gallery() if self.gallery is None else self.gallery
        gallery.calibrate(embeddings, labels, false_accept_rate)
        self.gallery = gallery

    def _embed(self, source: Any, options: dict[str, Any]) -> tuple[list[int | None], Tensor]:
        """Returns the person and the embedding of each recording."""
        people, rows = [], []
        for each in split_sources(source):
            for recording, outputs, _ in self._run(self.embeddings, each, **options):
                people.append(recording.person)
                rows.append(torch.stack(outputs).mean(dim=0))
        return people, self._split_parts(torch.stack(rows))

    def _split_parts(self, embeddings: Tensor) -> Tensor:
        """Separates the features of each strip, which are compared separately."""
        part_dim = getattr(self.models[0], 'feature_dim', None)
        return embeddings if part_dim is None else embeddings.unflatten(1, (-1, part_dim))

    def _check_gallery(self) -> Gallery:
        if self.gallery is None:
            raise ValueError('gallery must have at least one enrolled person, got none')
        return self.gallery
