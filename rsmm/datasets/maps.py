"""What datasets of images with label maps share: tiles, label settings, metadata per sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from rsmm.datasets.base import RSDataset
from rsmm.datasets.tiling import tile_windows
from rsmm.errors import DataError, did_you_mean
from rsmm.geo.label_raster import check_label_size
from rsmm.geo.raster import raster_shape
from rsmm.geo.vector_labels import is_vector


class MapDataset(RSDataset, ABC):
    """Base of datasets whose truth is a map; cuts scenes into tiles where asked to.

    Subclasses implement ``list_scenes``, which returns one record per scene.

    Args:
        data_root: Folder in the published layout.
        tile: Side of the tiles in pixels; None gives whole scenes.
        stride: Distance of tiles, default the side.
        border: Rule at the border, see :func:`rsmm.datasets.tiling.tile_windows`. Padded tiles
            come smaller from the loader; ``PadMap`` fills them up.
        void: Classes whose pixels do not count.
        include: Name or names of the scenes to keep, None for all.
        exclude: Name or names to leave out.
        **kwargs: Arguments of mmengine's ``BaseDataset``.
    """

    def __init__(
        self,
        data_root: str = '',
        tile: int | None = None,
        stride: int | None = None,
        border: str = 'pad',
        void: Sequence[int] = (),
        include: str | Sequence[str] | None = None,
        exclude: str | Sequence[str] = (),
        **kwargs,
    ) -> None:
        self.tile, self.stride, self.border = tile, stride, border
        self.void = tuple(void)
        self.include = None if include is None else as_names(include)
        self.exclude = as_names(exclude)
        super().__init__(data_root=data_root, **kwargs)

    @abstractmethod
    def list_scenes(self) -> list[dict]:
        """Return a record per scene, with ``name`` and ``shape_path``, a file of its size."""

    def load_data_list(self) -> list[dict]:
        """List the tiles scene by scene, or the scenes."""
        scenes = self._chosen(self.list_scenes())
        if self.tile is None:
            return scenes
        tiles = []
        for scene in scenes:
            shape = raster_shape(scene['shape_path'])
            label = scene.get('label_path')
            if label and 'img_path' in scene and not is_vector(label):
                # A tile cannot tell: cut from too large a label it has the right size.
                check_label_size(raster_shape(label), shape, label)
            windows = tile_windows(shape, self.tile, self.stride, self.border)
            tiles += [{**scene, 'window': tuple(window)} for window in windows]
        if not tiles:
            raise DataError(
                f'no scene holds a whole tile of {self.tile} pixels',
                where=self.data_root,
                fix="Use smaller tiles or border='pad'",
            )
        return tiles

    def _chosen(self, scenes: list[dict]) -> list[dict]:
        names = [scene['name'] for scene in scenes]
        for name in self.include or ():
            if name not in names:
                raise DataError(
                    f'no scene {name!r}.{did_you_mean(name, names)}',
                    where=self.data_root,
                    fix=f'There are {len(names)}: {", ".join(sorted(names)[:12])}',
                )
        chosen = [
            scene
            for scene in scenes
            if scene['name'] not in self.exclude
            and (self.include is None or scene['name'] in self.include)
        ]
        if not chosen:
            raise DataError(
                f'no scenes are left of {len(scenes)}',
                where=self.data_root,
                fix='Check split, include and exclude',
            )
        return chosen

    def get_data_info(self, idx: int) -> dict:
        """Return a sample's record with what is known of every label."""
        info = super().get_data_info(idx)
        info['classes'] = len(self.metainfo['classes'])
        info['palette'] = self.metainfo.get('palette')
        info['label_void'] = self.void
        if is_vector(info.get('label_path') or ''):
            info['label_names'] = self.metainfo['classes']
        return info


def as_names(names: str | Sequence[str]) -> tuple[str, ...]:
    """Return names as a tuple; a text is one name."""
    return (names,) if isinstance(names, str) else tuple(names)
