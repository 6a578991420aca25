"""Walking a dataset and listing every file with what would go wrong."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rsmm.datasets.base import leaf_datasets
from rsmm.datasets.check_files import FileReport, Finding, in_words, look_at
from rsmm.datasets.check_sets import class_counts, compare, overlapping_windows
from rsmm.datasets.coco import read_coco
from rsmm.errors import ConfigError, RsmmError
from rsmm.geo.label_raster import LabelRaster, check_label_place, check_label_size
from rsmm.utils import track
from rsmm.utils.listing import GEOJSON, IMAGES, by_stem, has_suffix, list_files, plain_stem

VECTORS = (*GEOJSON, '.gpkg', '.shp', '.parquet')
#: Folder names of splits, by what they are called here.
SPLITS = {'train': 'train', 'training': 'train', 'val': 'val', 'valid': 'val', 'validation': 'val',
          'test': 'test', 'testing': 'test'}  # fmt: skip
_LABEL = re.compile(
    r'(^|[_\W])(labels?|masks?|ann|annotations?|gt|truth|cm|udm|segmentation)($|[_\W\d])', re.I
)
_LABEL_STEM = re.compile(r'[_-](labels?|masks?|gt|cm|udm|\d*label)$', re.I)


@dataclass
class DataCheck:
    """What was found.

    Attributes:
        target: Config or folder.
        files: A report per file.
        findings: What is wrong with single samples or with the whole.
        classes: Per split, pixels, objects or images per class.
        samples: Number of samples per split.
    """

    target: str
    files: list[FileReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)

    def all_findings(self) -> list[Finding]:
        """Findings of files and of the whole, errors first, each once."""
        found = [*self.findings, *(one for report in self.files for one in report.findings)]
        return sorted(dict.fromkeys(found), key=lambda one: (one.level != 'error', one.path))

    def count(self, level: str) -> int:
        """Number of findings of a level."""
        return sum(one.level == level for one in self.all_findings())


def check_data(
    target: str | Path,
    splits: Sequence[str] = ('train', 'val', 'test'),
    options: Mapping[str, object] | None = None,
) -> DataCheck:
    """Check the datasets of a config, or all files below a folder.

    Args:
        target: Config file, or folder of any layout.
        splits: Of a config, which dataloaders.
        options: Of a config, to override.

    Raises:
        ConfigError: Neither a folder nor a config.
    """
    path = Path(target)
    check = check_folder(path) if path.is_dir() else check_config(str(target), splits, options)
    check.findings += compare(check.files, str(target))
    return check


def check_folder(root: Path) -> DataCheck:
    """Check all images, labels, footprints and COCO files below a folder, paired by their names."""
    check = DataCheck(str(root))
    paths = [p for p in list_files(root, (*IMAGES, *VECTORS), deep=True) if not _is_table(p)]
    if not paths:
        raise ConfigError('holds no images and no labels', where=root)
    for path in track(paths, 'Reading files'):
        split = split_of(path.relative_to(root))
        if has_suffix(path, ('.json',)):
            _check_json(check, path, split)
            continue
        check.files.append(look_at(path, role_of(path.relative_to(root)), split))
    check.findings += _same_stems(paths)
    check.findings += _partners(check.files)
    check.samples = dict(Counter(one.split for one in check.files if one.role == 'image'))
    for split, counts in class_counts(check.files).items():
        check.classes.setdefault(split, {}).update(counts)
    return check


def _is_table(path: Path) -> bool:
    """Whether a Parquet file has no geometries: its end says which column holds them."""
    if not has_suffix(path, ('.parquet',)):
        return False
    with open(path, 'rb') as file:
        file.seek(max(0, path.stat().st_size - (1 << 20)))
        end = file.read()
    return end[-4:] == b'PAR1' and b'primary_column' not in end


def split_of(path: Path) -> str:
    """Name of the split that a folder on the way to a file says, empty without one."""
    return next((SPLITS[p.lower()] for p in path.parts[:-1] if p.lower() in SPLITS), '')


def role_of(path: Path) -> str:
    """What a file is by its suffix, its folder and the end of its name.

    >>> [role_of(Path(p)) for p in ('A/x.png', 'label/x.png', 'x_mask.tif', 'b/x.geojson')]
    ['image', 'label', 'label', 'footprints']
    """
    if has_suffix(path, VECTORS):
        return 'footprints'
    folders = '/'.join(path.parts[:-1][-2:])
    return 'label' if _LABEL.search(folders) or _LABEL_STEM.search(path.stem) else 'image'


def _check_json(check: DataCheck, path: Path, split: str) -> None:
    """COCO files are read, GeoJSON called .json too; other JSON is none of our business."""
    try:
        head = path.read_bytes()[: 1 << 16]
    except OSError as error:
        check.findings.append(Finding('error', str(path), f'cannot be read ({error.strerror})'))
        return
    if b'FeatureCollection' in head:
        check.files.append(look_at(path, 'footprints', split))
    if b'"annotations"' not in head and b'"images"' not in head:
        return
    report = FileReport(str(path), split, 'boxes')
    check.files.append(report)
    folders = [path.parent / name for name in ('images', '.', '../images')]
    try:
        entries, names = read_coco(path, next(one for one in folders if one.is_dir()))
    except RsmmError as error:
        report.say('error', in_words(error, path))
        return
    labels = Counter(item['bbox_label'] for entry in entries for item in entry['instances'])
    report.size = (sum(labels.values()),)
    counts = check.classes.setdefault(split, {})
    for label, name in enumerate(names):
        counts[name] = counts.get(name, 0) + labels[label]


def _same_stems(paths: Sequence[Path]) -> Iterator[Finding]:
    folders = defaultdict(list)
    for path in paths:
        if has_suffix(path, IMAGES):
            folders[path.parent].append(path)
    for group in folders.values():
        try:
            by_stem(group)
        except RsmmError as error:
            yield Finding('error', str(error.where), in_words(error, error.where))


def _partners(reports: Sequence[FileReport]) -> Iterator[Finding]:
    """Compare labels, and other images of the same name, with the first image of that name."""
    images: dict[tuple[str, str], FileReport] = {}
    for report in reports:
        if report.role != 'image' or len(report.size) != 2:
            continue
        first = images.setdefault((report.split, _key(report)), report)
        if (
            first is not report
            and Path(first.path).parent.parent == Path(report.path).parent.parent
        ):
            yield from _against(report, first)
    with_labels = False
    for report in reports:
        if report.role == 'label' and len(report.size) == 2:
            image = images.get((report.split, _key(report)))
            with_labels |= image is not None
            if image is not None:
                yield from _against(report, image)
    labels = {(one.split, _key(one)) for one in reports if one.role == 'label'}
    lone = [one for key, one in images.items() if key not in labels]
    if with_labels and lone:
        yield Finding('warning', lone[0].path, f'{len(lone)} of {len(images)} images have no label')


def _key(report: FileReport) -> str:
    return _LABEL_STEM.sub('', plain_stem(report.path)).lower()


def _against(report: FileReport, image: FileReport) -> Iterator[Finding]:
    """What is wrong with the size or place of a file that belongs to an image."""
    stored = LabelRaster(np.empty(report.size), np.empty(0), None, report.crs, report.transform)
    about = {'img_path': image.path, 'crs': image.crs, 'transform': image.transform}
    try:
        if report.role == 'label':
            check_label_size(report.size, image.size, report.path)
        check_label_place(stored, about, image.size, report.path)
    except RsmmError as error:
        yield Finding('error', report.path, in_words(error, report.path))


def check_config(
    config: str, splits: Sequence[str], options: Mapping[str, object] | None = None
) -> DataCheck:
    """Check the samples of a config's datasets as training and testing would load them."""
    from rsmm.apis.config import default_scope, load_config
    from rsmm.registry import DATASETS

    settings, check = load_config(config, options), DataCheck(config)
    windows: list = []
    seen: dict = {}
    for split in splits:
        loader = settings.get(f'{split}_dataloader')
        if not loader or loader['dataset'] in [one['dataset'] for one in seen.values()]:
            continue
        seen[split] = loader
        try:
            with default_scope(settings):
                datasets = list(leaf_datasets(DATASETS.build(loader['dataset'])))
        except RsmmError as error:
            where = str(error.where or f'{config}, {split}_dataloader')
            check.findings.append(Finding('error', where, in_words(error, where)))
            continue
        for dataset in datasets:
            windows += _check_samples(check, dataset, split)
    check.findings += overlapping_windows(windows)
    return check


def _check_samples(check: DataCheck, dataset, split: str) -> Iterator[tuple]:
    steps = loading_steps(dataset)
    names = dataset.metainfo.get('classes') or ()
    counts: Counter = Counter()
    known = {(one.path, one.split) for one in check.files}
    for index in track(range(len(dataset)), f'Checking {split}'):
        info = dataset.get_data_info(index)
        for role, path, options in files_of(info):
            if (str(path), split) not in known and Path(path).is_file():
                known.add((str(path), split))
                check.files.append(look_at(path, role, split, **options))
                check.files[-1].values = {}  # the classes are counted as they are loaded
            if role == 'image':
                yield split, str(path), info.get('window')
        counts.update(_load(check, steps, info))
    check.samples[split] = check.samples.get(split, 0) + len(dataset)
    found = check.classes.setdefault(split, {})
    for label, name in enumerate(names):
        if counts:
            found[name] = found.get(name, 0) + counts[label]


def loading_steps(dataset) -> list:
    """The transforms at the head of a pipeline that read files."""
    steps = []
    for step in getattr(getattr(dataset, 'pipeline', None), 'transforms', ()):
        if not type(step).__name__.startswith(('Load', 'Rasterize')):
            break
        steps.append(step)
    return steps


def _load(check: DataCheck, steps: Sequence, info: dict) -> Counter:
    """Load a sample as a pipeline does, and count its classes."""
    where = str(info.get('label_path') or info.get('img_path') or info.get('series_path', ''))
    results = dict(info)
    try:
        for step in steps:
            results = step(results)
    except RsmmError as error:
        path = str(error.where or where)
        check.findings.append(Finding('error', path, in_words(error, path)))
        return Counter()
    except Exception as error:  # a report of all files does not end at the first that is odd
        text = f'{type(error).__name__}: {error}'
        check.findings.append(Finding('error', where, f'the pipeline fails ({text})'))
        return Counter()
    if 'gt_seg_map' in results:
        values, pixels = np.unique(results['gt_seg_map'], return_counts=True)
        return Counter(dict(zip(values.tolist(), pixels.tolist(), strict=True)))
    if 'instances' in results:
        return Counter(item['bbox_label'] for item in results['instances'])
    return Counter(np.atleast_1d(results['gt_label']).tolist() if 'gt_label' in results else ())


def files_of(info: Mapping) -> Iterator[tuple[str, str | Path, dict]]:
    """Role, path and reader options of the files that a sample's record names."""
    order = {'order': info['file_bands']} if info.get('file_bands') else {}
    elsewhere = ('pack', 'date_files', 'band_files')
    if info.get('img_path') and not any(info.get(key) for key in elsewhere):
        yield 'image', info['img_path'], order
    for date in (*info.get('date_files', ()), info.get('band_files') or {}):
        for path in date.values() if isinstance(date, Mapping) else [date]:
            yield 'image', path, {}
    if info.get('udm_path'):
        yield 'label', info['udm_path'], {}
    label = info.get('label_path')
    if label and has_suffix(label, IMAGES):
        yield 'label', label, {}
    elif label and has_suffix(label, VECTORS):
        yield 'footprints', label, {}
