"""OSCD, the Onera Satellite Change Detection dataset: Sentinel-2 pairs of cities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.datasets.maps import MapDataset, as_names
from rsmm.errors import ConfigError, DataError
from rsmm.geo.raster import raster_shape
from rsmm.registry import DATASETS
from rsmm.sensors import RGB, band_order, canonical_band, resolve_bands
from rsmm.utils.foreign import read_text
from rsmm.utils.listing import TIFF, has_suffix, list_files, list_folders

#: The published split. Scenes of the two are told apart by name, wherever their labels lie.
CITIES = {
    'train': (
        'aguasclaras', 'bercy', 'bordeaux', 'nantes', 'paris', 'rennes', 'saclay_e', 'abudhabi',
        'cupertino', 'pisa', 'beihai', 'hongkong', 'beirut', 'mumbai',
    ),
    'test': (
        'brasilia', 'montpellier', 'norcia', 'rio', 'saclay_w', 'valencia', 'dubai', 'lasvegas',
        'milano', 'chongqing',
    ),
}  # fmt: skip
SOURCES = ('rect', 'native', 'pair')
_PREFIX = 'Onera Satellite Change Detection dataset - '
_IMAGES = f'{_PREFIX}Images'
_LABELS = (f'{_PREFIX}Train Labels', f'{_PREFIX}Test Labels')
_BAND = re.compile(r'(?:^|_)(B\d{1,2}|B8A)$', re.IGNORECASE)


@DATASETS.register_module()
class OSCD(MapDataset):
    """OSCD in its published layout; 13 bands of Sentinel-2 L1C or the colour previews.

    Per city and date there may be bands registered to one 10 m grid (``imgs_*_rect``), bands in
    their native 10, 20 and 60 m (``imgs_*``), and 8-bit previews (``pair``). Bands are told by the
    end of the file name. Labels are ``cm/cm.png``, else ``cm/<city>-cm.tif``.

    Source: Daudt et al., "Urban Change Detection for Multispectral Earth Observation Using
    Convolutional Neural Networks", IGARSS 2018.

    Args:
        data_root: Folder that holds ``... - Images`` and the label folders.
        split: ``'train'`` or ``'test'`` (cities of the published lists that are here) or
            ``'all'``: every city that is here and has a label.
        bands: ``'rgb'`` or ``'ms'`` (all 13), or names.
        sources: What to read, in order of preference; the first that a city has with all wanted
            bands. ``'pair'`` has colour only.
        need_labels: False keeps cities without a label, for prediction.
        **kwargs: ``tile``, ``stride``, ``border``, ``include``, ``exclude`` of
            :class:`rsmm.datasets.maps.MapDataset` and arguments of mmengine's ``BaseDataset``.

    Raises:
        DataNotFoundError: No images.
        DataError: A city without label or without the wanted bands; none left.
        ConfigError: A split or source that does not exist.
    """

    METAINFO = {'classes': CLASSES['change'], 'palette': PALETTES['change']}
    #: Of Sentinel-2's bands, which have no nodata tag.
    NODATA = 0.0
    TOY_NAME = 'oscd'

    def __init__(
        self,
        data_root: str = '',
        split: str = 'train',
        bands: str | Sequence[str] = 'rgb',
        sources: str | Sequence[str] = SOURCES,
        need_labels: bool = True,
        **kwargs,
    ) -> None:
        sources = as_names(sources)
        for setting, values, known in (
            ('split', [split], (*CITIES, 'all')),
            ('sources', sources, SOURCES),
        ):
            if not values or not set(values) <= set(known):
                raise ConfigError(
                    f'{setting}: expected {", ".join(known)}, found {", ".join(values)}',
                    where='OSCD',
                )
        self.split = split
        names = {'rgb': RGB, 'ms': band_order('oscd')}
        self.bands = names[bands] if bands in ('rgb', 'ms') else resolve_bands(bands)
        self.sources = sources
        self.need_labels = need_labels
        super().__init__(data_root=data_root, facts={'bands': self.bands}, **kwargs)

    def list_scenes(self) -> list[dict]:
        """List the cities of the split in alphabetical order."""
        root = Path(self.data_root) / _IMAGES
        if not root.is_dir():
            raise self.not_found('there is no such folder', root)
        cities = [path.name for path in list_folders(root)]
        if self.split != 'all':
            here = cities
            cities = [city for city in here if city in CITIES[self.split]]
            if here and not cities:
                raise DataError(
                    f'no city of the {self.split} split is here, but {", ".join(here)}',
                    where=root,
                    fix="split='all' takes every city that has a label",
                )
        elif self.need_labels:
            cities = [city for city in cities if self._label(city) is not None]
            if not cities:
                raise self.not_found(f'no city has a label under {" or ".join(_LABELS)}', root)
        return [self._scene(city) for city in cities if city not in self.exclude]

    def _scene(self, city: str) -> dict:
        folder = Path(self.data_root) / _IMAGES / city
        files = self._files(folder)
        label = self._label(city)
        if label is None and self.need_labels:
            raise DataError(
                f'the city has no cm/cm.png and no cm/*-cm.tif under {" or ".join(_LABELS)}',
                where=folder,
                fix=f'Leave it out with exclude=[{city!r}], or set need_labels=False',
            )
        first = files[0]
        shape_path = label or (first if isinstance(first, str) else finest(first))
        return {
            'name': city,
            'date_files': files,
            'bands': self.bands,
            'resample': True,
            'file_nodata': None if isinstance(first, str) else self.NODATA,
            'label_path': None if label is None else str(label),
            'label_encoding': '1/2' if label is not None and has_suffix(label, TIFF) else 'auto',
            'dates': read_dates(folder / 'dates.txt'),
            'shape_path': str(shape_path),
        }

    def _files(self, folder: Path) -> list:
        """Return what to read for the two dates: a path or band paths each."""
        tried = []
        for source in self.sources:
            if source == 'pair':
                pair = [folder / 'pair' / f'img{date}.png' for date in (1, 2)]
                if self.bands == RGB and all(path.is_file() for path in pair):
                    return [str(path) for path in pair]
                tried.append('pair/img{1,2}.png' + ('' if self.bands == RGB else ' (colour only)'))
                continue
            suffix = '_rect' if source == 'rect' else ''
            dates = [band_files(folder / f'imgs_{date}{suffix}') for date in (1, 2)]
            if all(set(self.bands) <= set(found) for found in dates):
                return [{band: found[band] for band in self.bands} for found in dates]
            tried.append(f'imgs_{{1,2}}{suffix}')
        raise DataError(
            f'bands {", ".join(self.bands)} are in none of {"; ".join(tried)}',
            where=folder,
            fix=f'Leave the city out with exclude=[{folder.name!r}], or ask for other bands',
        )

    def _label(self, city: str) -> Path | None:
        for labels in _LABELS:
            folder = Path(self.data_root) / labels / city / 'cm'
            found = {path.name.lower(): path for path in list_files(folder)}
            for name in ('cm.png', f'{city}-cm.tif', f'{city}-cm.tiff'):
                if name in found:
                    return found[name]
        return None


def band_files(folder: Path) -> dict[str, str]:
    """Map canonical band names to the single-band files of a folder, by the end of their names."""
    found: dict[str, str] = {}
    for path in list_files(folder, TIFF):
        match = _BAND.search(path.stem)
        if match:
            first = found.setdefault(canonical_band(match[1]), str(path))
            if first != str(path):
                name = Path(first).name
                raise DataError(f'{name} is of the same band', where=path, fix='Keep one')
    return found


def finest(files: dict[str, str]) -> str:
    """Return the file with the most pixels."""
    return max(files.values(), key=lambda path: raster_shape(path)[0])


def read_dates(path: Path) -> tuple[str, ...] | None:
    """Return the two dates (``YYYY-MM-DD``) of ``date_1: 20160120`` lines, None without them."""
    if not path.is_file():
        return None
    days = re.findall(r'date_\d\s*:\s*(\d{4})(\d{2})(\d{2})', read_text(path))
    return tuple('-'.join(day) for day in days) or None
