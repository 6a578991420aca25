"""Folders of unlabelled images, such as downloaded map tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rsmm.datasets.base import RSDataset
from rsmm.errors import DataError
from rsmm.geo.tiles import parse_tile_name
from rsmm.registry import DATASETS
from rsmm.utils.listing import list_files


@DATASETS.register_module()
class UnlabeledTiles(RSDataset):
    """All images below a folder, without labels.

    Names of the form ``{zoom}_{x}_{y}.tif`` or ``{zoom}/{x}/{y}.png`` give the tile's place on the
    map.

    Args:
        data_root: Folder; sub-folders are searched.
        limit: Use only the first so many, in order of their names.
        max_refetch: Other images tried when a pipeline refuses one (a blank tile, for example).
        **kwargs: Arguments of :class:`RSDataset`.

    Raises:
        DataError: ``max_refetch`` images in a row gave nothing to train on.
    """

    TOY_NAME = 'urban-tiles'
    METAINFO = {'classes': ('object',)}

    def __init__(
        self, data_root: str = '', limit: int | None = None, max_refetch: int = 50, **kwargs
    ) -> None:
        self.limit = limit
        super().__init__(data_root=data_root, max_refetch=max_refetch, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the images; each has ``img_path``, ``img_id`` and, by its name, ``tile``."""
        root = Path(self.data_root)
        paths = list_files(root, deep=True)
        if not paths:
            raise self.not_found('holds no images', root)
        entries = []
        for number, path in enumerate(paths[: self.limit]):
            entry = {'img_path': str(path), 'img_id': number}
            tile = parse_tile_name(path.stem) or parse_tile_name(
                '/'.join(path.relative_to(root).with_suffix('').parts[-3:])
            )
            entries.append(entry if tile is None else {**entry, 'tile': tuple(tile)})
        return entries

    def get_data_info(self, idx: int) -> dict:
        """Add another image of the folder, ``other_path``, for proposals that belong elsewhere."""
        entry = super().get_data_info(idx)
        if len(self) > 1:
            other = (idx + 1 + np.random.randint(len(self) - 1)) % len(self)
            entry['other_path'] = super().get_data_info(int(other))['img_path']
        return entry

    def __getitem__(self, idx: int) -> dict:
        """Load a sample; a refused one is replaced by a random other, a bounded number of times."""
        if self.test_mode:
            return super().__getitem__(idx)
        for _ in range(self.max_refetch + 1):
            sample = self.prepare_data(idx)
            if sample is not None:
                return sample
            idx = int(np.random.randint(len(self)))
        raise DataError(
            f'{self.max_refetch + 1} images in a row were refused by the pipeline',
            where=self.data_root,
            fix='Blank tiles give no proposals: remove them, or lower min_boxes',
        )
