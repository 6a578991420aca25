"""SpaceNet 2 and 4 building tiles, and any other pairs of an image and a GeoJSON of footprints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rsmm.datasets.base import RSDataset
from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.errors import DataError
from rsmm.registry import DATASETS
from rsmm.utils.listing import GEOJSON, by_stem, check_partners, list_files, plain_stem

COMPLETE = 'Complete the download, or leave it out with exclude'


@DATASETS.register_module()
class BuildingTiles(RSDataset):
    """Images and GeoJSON files that share the end of their names.

    The defaults read SpaceNet 2: ``3band/RGB-PanSharpen_<tile>.tif`` and
    ``geojson/buildings/buildings_<tile>.geojson`` (lon/lat, 3-D, some files without features).

    Source: Van Etten et al., "SpaceNet: A Remote Sensing Dataset and Challenge Series", 2018.

    Args:
        data_root: Folder of both.
        img_dir, img_prefix: Where images are and how their names begin.
        ann_dir, ann_prefix: The same for the labels.
        file_bands: Names of the bands in the files.
        include: Tiles to keep, None for all.
        exclude: Tiles to leave out, for leave-one-out.
        label_pixels: Whether label coordinates are pixels instead of map coordinates.
        **kwargs: Arguments of mmengine's ``BaseDataset``.

    Raises:
        DataNotFoundError: No images.
        DataError: An image without labels, an unknown tile.
    """

    METAINFO = {'classes': CLASSES['spacenet7'], 'palette': PALETTES['spacenet7']}

    def __init__(
        self,
        data_root: str = '',
        img_dir: str = '3band',
        img_prefix: str = 'RGB-PanSharpen_',
        ann_dir: str = 'geojson/buildings',
        ann_prefix: str = 'buildings_',
        file_bands: Sequence[str] = ('R', 'G', 'B'),
        include: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        label_pixels: bool = False,
        **kwargs,
    ) -> None:
        self.img_dir, self.img_prefix = img_dir, img_prefix
        self.ann_dir, self.ann_prefix = ann_dir, ann_prefix
        self.file_bands = tuple(file_bands)
        self.include = include
        self.exclude = tuple(exclude)
        self.label_pixels = label_pixels
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the tiles in order of their names."""
        root = Path(self.data_root)
        tiles = _by_tile(list_files(root / self.img_dir), self.img_prefix)
        if not tiles:
            raise self.not_found(f'no images {self.img_prefix}*', root / self.img_dir)
        labels = _by_tile(list_files(root / self.ann_dir, GEOJSON), self.ann_prefix)
        unknown = {*(self.include or ()), *self.exclude} - set(tiles)
        if unknown:
            raise DataError(f'no tile {", ".join(sorted(unknown))}', where=root)
        wanted = [name for name in (self.include or tiles) if name not in self.exclude]
        if self.include is None:
            left = {tile: path for tile, path in labels.items() if tile not in self.exclude}
            check_partners(left, tiles, f'image in {root / self.img_dir}', COMPLETE)
        entries = []
        for tile in wanted:
            if tile not in labels:
                where = root / self.ann_dir / f'{self.ann_prefix}{tile}.geojson'
                raise DataError('the image has no labels', where=where)
            entries.append(
                {
                    'img_path': str(tiles[tile]),
                    'file_bands': self.file_bands,
                    'label_path': str(labels[tile]),
                    'label_pixels': self.label_pixels,
                    'udm_path': None,
                    'aoi': tile,
                    'month': '',
                    'seg_fields': [],
                }
            )
        if not entries:
            raise DataError('no tile is left', where=root, fix='Check include and exclude')
        return entries


def _by_tile(paths: list[Path], prefix: str) -> dict[str, Path]:
    """Map what follows the prefix in a file's name to the file; other files are left out."""
    begun = [path for path in paths if plain_stem(path).startswith(prefix)]
    return by_stem(begun, lambda path: plain_stem(path).removeprefix(prefix))
