"""Change pairs in folders A, B and label: LEVIR-CD, DSIFN, and one's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.datasets.maps import MapDataset
from rsmm.datasets.splits import SPLITS, random_split
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.geo.vector_labels import VECTORS
from rsmm.registry import DATASETS
from rsmm.sensors import resolve_bands
from rsmm.utils.listing import IMAGES, check_partners, images_by_stem, list_folders

COMPLETE = 'Complete the download, or leave it out with exclude'
UNLABELLED = ('error', 'skip', 'keep')


@DATASETS.register_module()
class ChangeFolder(MapDataset):
    """Images before and after and a change map, told to belong together by their names.

    ``<root>/<split>/A/x.png``, ``B/x.png``, ``label/x.png``. Suffixes may differ; a label may also
    be a GeoJSON or GeoPackage of what changed. Dates of one pair must agree in size and coordinate
    system. DSIFN, as published, is ``before='t1', after='t2', label='mask'``.

    Sources of sets in this layout: Chen and Shi, "A Spatial-Temporal Attention-Based Method and a
    New Dataset for Remote Sensing Image Change Detection", Remote Sensing 2020 (LEVIR-CD); Zhang
    et al., "A deeply supervised image fusion network for change detection in high resolution
    bi-temporal remote sensing images", ISPRS J. 2020 (DSIFN).

    Args:
        data_root: Folder of the split folders, or of A and B themselves.
        split: Sub-folder, None when there is none. where A and B lie in the root
            itself, ``'train'``, ``'val'`` and ``'test'`` are those whose names begin so
            (``train_1.png``), else drawn by name.
        before, after, label: Names of the three folders.
        bands: Names of the images' bands, or of an order in ``rsmm.sensors``.
        encoding: Of the label, see :func:`rsmm.datasets.transforms.change_labels.change_map`.
        unlabelled: Pairs without label: ``'error'``, ``'skip'`` or ``'keep'`` (prediction).
        fractions: Shares (train, val[, test]) of the pairs where folders do not split them.
        seed: Seed of that draw.
        **kwargs: As for :class:`rsmm.datasets.maps.MapDataset`.

    Raises:
        DataNotFoundError: No images.
        DataError: An image without counterpart, or without label.
    """

    METAINFO = {'classes': CLASSES['change'], 'palette': PALETTES['change']}

    def __init__(
        self,
        data_root: str = '',
        split: str | None = None,
        before: str = 'A',
        after: str = 'B',
        label: str = 'label',
        bands: str | Sequence[str] = 'rgb',
        encoding: str | Mapping[int, int] = 'auto',
        unlabelled: str = 'error',
        fractions: Sequence[float] = (0.8, 0.2),
        seed: int = 0,
        **kwargs,
    ) -> None:
        if unlabelled not in UNLABELLED:
            raise ConfigError(f'unlabelled={unlabelled!r}', fix=f'Known: {", ".join(UNLABELLED)}')
        self.split = split
        self.folders = (before, after, label)
        self.bands = resolve_bands(bands)
        self.fractions, self.seed = tuple(fractions), seed
        self.encoding = encoding
        self.unlabelled = unlabelled
        super().__init__(data_root=data_root, facts={'bands': self.bands}, **kwargs)

    def _drawn(self, names: Collection[str]) -> set[str]:
        """Names of the split where no folders tell: by their beginning, else drawn.

        LEVIR-CD circulates in one folder, as ``train_1.png``, ``val_1.png`` and ``test_1.png``.
        """
        told = {name: name.partition('_')[0] for name in names}
        if set(told.values()) <= set(SPLITS):
            return {name for name, split in told.items() if split == self.split}
        return random_split(names, self.fractions, self.split, self.seed)

    def _no_images(self, root: Path) -> DataNotFoundError:
        """The error for an absent or empty first folder; other folders there may be the ones."""
        others = [path.name for path in list_folders(root)] if root.is_dir() else []
        if not others or (root / self.folders[0]).is_dir():
            return self.not_found('holds no images', root / self.folders[0])
        return DataNotFoundError(
            f'holds no folder {self.folders[0]}, but {", ".join(others[:9])}',
            where=root,
            fix='Name the folders of the two dates and the labels: before=, after=, label=',
        )

    def list_scenes(self) -> list[dict]:
        """List the pairs by name."""
        root = Path(self.data_root) / (self.split or '')
        whole = Path(self.data_root) / self.folders[0]
        drawn = self.split in SPLITS and not root.is_dir() and whole.is_dir()
        root = Path(self.data_root) if drawn else root
        before, after = (images_by_stem(root / name) for name in self.folders[:2])
        labels = images_by_stem(root / self.folders[2], (*IMAGES, *VECTORS))
        if not before:
            raise self._no_images(root)
        single = sorted(set(before) ^ set(after))
        if single:
            name = single[0]
            raise DataError(
                f'has no counterpart in {self.folders[name in before]}/ '
                f'({len(single)} such images)',
                where=before.get(name) or after.get(name),
            )
        bare = sorted(set(before) - set(labels))
        if bare and self.unlabelled == 'error':
            raise DataError(
                f'has no label in {self.folders[2]}/ ({len(bare)} such pairs)',
                where=before[bare[0]],
                fix="Set unlabelled='skip' to leave them out, or 'keep' to predict them",
            )
        if self.include is None:
            left = {name: path for name, path in labels.items() if name not in self.exclude}
            check_partners(left, before, f'image in {self.folders[0]}/', COMPLETE)
        dropped = set(bare) if self.unlabelled == 'skip' else set()
        if drawn:
            dropped |= set(before) - self._drawn(before)
        return [
            {
                'name': name,
                'date_files': [str(before[name]), str(after[name])],
                'bands': self.bands,
                'label_path': str(labels[name]) if name in labels else None,
                'label_encoding': self.encoding,
                'shape_path': str(before[name]),
            }
            for name in before
            if name not in dropped
        ]
