"""The one place for class names and palettes.

Names are in label order. A palette gives one (R, G, B) per class; datasets without an official one
have no entry.
"""

from __future__ import annotations

#: Class names in label order per dataset.
CLASSES: dict[str, tuple[str, ...]] = {
    # Label = alphabetical order of the folders (Helber et al., 2019).
    'eurosat': (
        'AnnualCrop',
        'Forest',
        'HerbaceousVegetation',
        'Highway',
        'Industrial',
        'Pasture',
        'PermanentCrop',
        'Residential',
        'River',
        'SeaLake',
    ),
    'spacenet7': ('building',),
}

#: Colours per dataset, in label order.
PALETTES: dict[str, tuple[tuple[int, int, int], ...]] = {
    'spacenet7': ((255, 140, 0),),
}
