"""The one place for class names and palettes.

Names are in label order. A palette gives one (R, G, B) per class; datasets without an official one
have no entry.
"""

from __future__ import annotations

#: Class names in label order per dataset.
CLASSES: dict[str, tuple[str, ...]] = {
    # CORINE level 3 in the order of its codes, and the groups of Sumbul et al., 2020.
    'bigearthnet-43': (
        'Continuous urban fabric',
        'Discontinuous urban fabric',
        'Industrial or commercial units',
        'Road and rail networks and associated land',
        'Port areas',
        'Airports',
        'Mineral extraction sites',
        'Dump sites',
        'Construction sites',
        'Green urban areas',
        'Sport and leisure facilities',
        'Non-irrigated arable land',
        'Permanently irrigated land',
        'Rice fields',
        'Vineyards',
        'Fruit trees and berry plantations',
        'Olive groves',
        'Pastures',
        'Annual crops associated with permanent crops',
        'Complex cultivation patterns',
        'Land principally occupied by agriculture, with significant areas of natural vegetation',
        'Agro-forestry areas',
        'Broad-leaved forest',
        'Coniferous forest',
        'Mixed forest',
        'Natural grassland',
        'Moors and heathland',
        'Sclerophyllous vegetation',
        'Transitional woodland/shrub',
        'Beaches, dunes, sands',
        'Bare rock',
        'Sparsely vegetated areas',
        'Burnt areas',
        'Inland marshes',
        'Peatbogs',
        'Salt marshes',
        'Salines',
        'Intertidal flats',
        'Water courses',
        'Water bodies',
        'Coastal lagoons',
        'Estuaries',
        'Sea and ocean',
    ),
    'bigearthnet-19': (
        'Urban fabric',
        'Industrial or commercial units',
        'Arable land',
        'Permanent crops',
        'Pastures',
        'Complex cultivation patterns',
        'Land principally occupied by agriculture, with significant areas of natural vegetation',
        'Agro-forestry areas',
        'Broad-leaved forest',
        'Coniferous forest',
        'Mixed forest',
        'Natural grassland and sparsely vegetated areas',
        'Moors, heathland and sclerophyllous vegetation',
        'Transitional woodland/shrub',
        'Beaches, dunes, sands',
        'Inland wetlands',
        'Coastal wetlands',
        'Inland waters',
        'Marine waters',
    ),
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
