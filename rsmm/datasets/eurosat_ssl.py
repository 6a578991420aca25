"""EuroSAT for semi-supervised learning: few labelled chips, their places, the published draw."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mmengine.logging import print_log

from rsmm.datasets.classes import CLASSES
from rsmm.datasets.eurosat import EuroSAT
from rsmm.datasets.label_draws import lexicographic_split, reference_draw, stratified_draw
from rsmm.datasets.metadata import read_places
from rsmm.datasets.place_time import parse_date
from rsmm.errors import ConfigError, DataError
from rsmm.registry import DATASETS

#: Where the table of places lies by default.
TABLE = 'eurosat_metadata.parquet'
_SUBSETS = ('labelled', 'unlabelled', 'all')
_DRAWS = ('stratified', 'reference')


@DATASETS.register_module()
class EuroSATSSL(EuroSAT):
    """The labelled or the unlabelled part of an EuroSAT split.

    With ``draw='stratified'`` the split is any of :class:`EuroSAT`'s and the labelled chips are
    drawn from what is there. With ``draw='reference'`` split and labelled chips are those of the
    published runs: both follow from the names of all 27,000 chips, which the table of places holds.

    Results carry ``latitude`` and ``longitude`` (degrees, None without a table) and
    ``day_of_year``; EuroSAT publishes no dates.

    Args:
        subset: ``'labelled'``, ``'unlabelled'`` or ``'all'`` of the split, for validation.
        num_labels: Labelled chips over all classes.
        label_seed: Seed of their draw.
        draw: ``'stratified'`` or ``'reference'``.
        include_labelled: The unlabelled part holds the labelled chips, too.
        missing: What a chip of the published lists that is not on disk is: ``'error'``, or
            ``'skip'``, which says how many are left.
        metadata: Table of places as for :class:`EuroSAT`; ``'auto'`` takes
            ``eurosat_metadata.parquet`` in ``data_root``, if it is there.
        date: One date for all chips, as the published runs assume (``'2000-01-01'``); None leaves
            it unknown.
        **kwargs: Arguments of :class:`EuroSAT`.

    Raises:
        ConfigError: A setting that does not exist, or more labels than a class has chips.
        DataError: Chips of the published lists are missing.
    """

    def __init__(
        self,
        *args,
        subset: str = 'all',
        num_labels: int = 40,
        label_seed: int = 0,
        draw: str = 'stratified',
        include_labelled: bool = True,
        missing: str = 'error',
        date: str | None = None,
        metadata: str | None = None,
        **kwargs,
    ) -> None:
        for name, value, known in (
            ('subset', subset, _SUBSETS),
            ('draw', draw, _DRAWS),
            ('missing', missing, ('error', 'skip')),
        ):
            if value not in known:
                raise ConfigError(
                    f'{name}={value!r} is not one of {", ".join(known)}', where='EuroSATSSL'
                )
        if metadata == 'auto':
            beside = Path(str(kwargs.get('data_root', args[0] if args else ''))) / TABLE
            metadata = str(beside) if beside.is_file() else None
        if draw == 'reference' and metadata is None:
            raise ConfigError(
                "draw='reference' needs the names of all chips",
                where='EuroSATSSL',
                fix='Set metadata to the table with image_id, lat and lon',
            )
        self.subset = subset
        self.num_labels = num_labels
        self.label_seed = label_seed
        self.draw = draw
        self.include_labelled = include_labelled
        self.missing = missing
        self.day_of_year = parse_date(date)
        super().__init__(*args, metadata=metadata, **kwargs)  # type: ignore[misc]  # *args end before it

    def _choose(self, labels: dict[str, int], places: dict[str, tuple[float, float]]) -> set[str]:
        """Return the stems of the part."""
        if self.draw == 'reference':
            return self._published(labels)
        split = super()._choose(labels, places)
        if self.subset == 'all':
            return split
        drawn = stratified_draw(
            {stem: label for stem, label in labels.items() if stem in split},
            self.num_labels,
            self.label_seed,
        )
        return self._part(split, drawn)

    def _part(self, split: set[str], drawn: set[str]) -> set[str]:
        if self.subset == 'labelled':
            return drawn
        return split if self.include_labelled else split - drawn

    def _published(self, on_disk: dict[str, int]) -> set[str]:
        """Stems of the published part; they follow from all names, whatever is on disk."""
        if self.split == 'all':
            return set(on_disk)
        labels = published_labels(read_places(self.metadata_file))
        split = lexicographic_split(labels, labels)
        chosen = set(split['train' if self.split == 'train' else 'test'])
        if self.split == 'train' and self.subset != 'all':
            drawn = reference_draw(split['train'], labels, self.num_labels, self.label_seed)
            chosen = self._part(chosen, set(drawn))
        absent = sorted(chosen - set(on_disk))
        what = f'{len(absent)} of {len(chosen)} chips of the published list are absent'
        if absent and self.missing == 'error':
            raise DataError(
                f'{what}, e.g. {absent[0]}',
                where=self.data_root,
                fix="Complete the download, or set missing='skip' and report what is left",
            )
        if absent:
            print_log(f'{self.data_root}: {what} and skipped', 'current', level=30)
        return chosen & set(on_disk)

    def load_data_list(self) -> list[dict]:
        """List the chips of the part, ordered by class and name, with place and date."""
        infos = super().load_data_list()
        for info in infos:
            info['latitude'], info['longitude'] = info.get('lat'), info.get('lon')
            info['day_of_year'] = self.day_of_year
        return infos


def published_labels(stems: Iterable[str]) -> dict[str, int]:
    """Class index per stem, read from the name: ``River_9`` is a river.

    Raises:
        DataError: A stem that no class of EuroSAT begins.
    """
    index = {name: number for number, name in enumerate(CLASSES['eurosat'])}
    labels = {}
    for stem in stems:
        name = stem.rpartition('_')[0]
        if name not in index:
            raise DataError(f'{stem!r} names no class of EuroSAT', fix='Use the table of EuroSAT')
        labels[stem] = index[name]
    return labels
