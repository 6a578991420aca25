"""Tables of the urban-features study: what a run found, and beside it what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rsmm.utils.text import markdown_cell

#: AP on COCO with a tenth of the labels (Bar et al., DETReg, CVPR 2022): another data set and size.
PUBLISHED_DETECTION = {
    'random weights': None,
    'SwAV backbone': 27.79,
    'DETReg': 29.12,
}
#: Accuracy and macro F1 in per cent on the study's 66 test tiles.
PUBLISHED_CRIME = {
    'constant': (54.5, 35.3),
    'raw tiles': (41.0, 39.0),
    'DETR maps': (41.0, 36.0),
    'MAE maps': (29.0, 26.0),
}


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out cells as an aligned Markdown table, all columns but the first to the right."""
    cells = [[markdown_cell(cell) for cell in row] for row in (header, *rows)]
    width = [max(len(row[k]) for row in cells) for k in range(len(header))]
    lines = [
        '| '
        + ' | '.join(
            cell.ljust(size) if k == 0 else cell.rjust(size)
            for k, (cell, size) in enumerate(zip(row, width, strict=True))
        )
        + ' |'
        for row in cells
    ]
    rule = [('-' * size if k == 0 else '-' * (size - 1) + ':') for k, size in enumerate(width)]
    return '\n'.join([lines[0], f'| {" | ".join(rule)} |', *lines[1:]])


def detection_table(metrics: Mapping[str, Mapping[str, float]]) -> str:
    """Table of detectors by what they started from.

    Args:
        metrics: Per start the COCO metrics of a test, ``coco/bbox_mAP`` and so on, 0 to 1.
    """
    columns = {
        'AP': 'coco/bbox_mAP',
        'AP50': 'coco/bbox_mAP_50',
        'AR@100': 'coco/AR@100',
    }
    rows = []
    for start, values in metrics.items():
        published = PUBLISHED_DETECTION.get(start)
        rows.append(
            [
                start,
                *(_percent(values.get(key), 100) for key in columns.values()),
                _percent(published),
            ]
        )
    return markdown_table(['detector starts from', *columns, 'published AP, COCO 10 %'], rows)


def crime_table(metrics: Mapping[str, Mapping[str, float]]) -> str:
    """Table of classifiers by their input, with the best constant as the first row.

    Args:
        metrics: Per input the values of ``BinaryReport`` on the test cities (``crime/accuracy``)
            and, with the prefix ``within/``, on unseen streets of the train cities.
    """
    first = next(iter(metrics.values()))
    constant = {
        'crime/accuracy': first['crime/majority'],
        'crime/macro_f1': first['crime/majority_f1'],
        'crime/auroc': 50.0,
        'within/crime/accuracy': first.get('within/crime/majority'),
    }
    rows = []
    for name, values in {'constant': constant, **metrics}.items():
        accuracy, f1 = PUBLISHED_CRIME.get(name, (None, None))
        published = '-' if accuracy is None else f'{accuracy:.1f}, {f1:.1f}'
        scores = [_interval(values, f'crime/{key}') for key in ('accuracy', 'macro_f1', 'auroc')]
        rows.append([name, *scores, _percent(values.get('within/crime/accuracy')), published])
    header = ['input', 'accuracy [95 %]', 'macro F1 [95 %]', 'AUROC [95 %]']
    return markdown_table([*header, 'same cities', 'published accuracy, F1'], rows)


def city_table(metrics: Mapping[str, Mapping[str, float]]) -> str:
    """Table of the accuracy in each test city, with what a constant reaches there."""
    first = next(iter(metrics.values()))
    cities = [key.rsplit('/', 1)[1] for key in first if key.startswith('crime/accuracy/')]
    rows = [['constant', *(_percent(first[f'crime/majority/{city}']) for city in cities)]]
    rows += [
        [name, *(_percent(values.get(f'crime/accuracy/{city}')) for city in cities)]
        for name, values in metrics.items()
    ]
    return markdown_table(['accuracy in', *cities], rows)


def _percent(value: float | None, factor: float = 1.0) -> str:
    # COCO's evaluation gives -1 where there is nothing to find.
    return '-' if value is None or value < 0 else f'{factor * value:.1f}'


def _interval(values: Mapping[str, float], key: str) -> str:
    if values.get(key) is None:
        return '-'
    text = f'{values[key]:.1f}'
    if f'{key}_low' in values:
        text += f' [{values[f"{key}_low"]:.0f}, {values[f"{key}_high"]:.0f}]'
    return text
