"""What covers the ground: cover classes, endmember spectra and the calendars of crops.

A surface is a linear mixture of endmembers; its spectrum is the mixture of theirs. Reflectances
are typical values of spectral libraries rounded to the precision that a toy deserves.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from rsmm.sensors import SENTINEL2


class Cover(IntEnum):
    """Land cover of one sample point."""

    SEA = 0
    LAKE = 1
    RIVER = 2
    BROADLEAF = 3
    CONIFER = 4
    HEATH = 5  # natural herbaceous vegetation, shrub and rock
    ANNUAL = 6
    PERMANENT = 7
    PASTURE = 8
    BARE = 9  # beach, building sites
    HIGHWAY = 10
    LANE = 11
    STREET = 12
    BUILDING = 13
    GARDEN = 14  # open ground of residential lots
    YARD = 15  # open ground of industrial lots
    HEDGE = 16


class Zone(IntEnum):
    """Use of built-up land."""

    NONE = 0
    RESIDENTIAL = 1
    INDUSTRIAL = 2


class Crop(IntEnum):
    """What grows on farmland, in the season that the date belongs to."""

    NONE = 0
    WINTER_WHEAT = 1
    WINTER_BARLEY = 2
    RAPESEED = 3
    SPRING_BARLEY = 4
    CORN = 5
    SUNFLOWER = 6
    BEET = 7
    POTATO = 8
    SOYBEAN = 9
    ALFALFA = 10
    VINEYARD = 11
    ORCHARD = 12
    OLIVE = 13
    MEADOW = 14


ANNUAL_CROPS = tuple(Crop(code) for code in range(Crop.WINTER_WHEAT, Crop.VINEYARD))
PERMANENT_CROPS = (Crop.VINEYARD, Crop.ORCHARD, Crop.OLIVE)

# Reflectance per mille in B01..B08, B8A, B09..B12 (the sensor table's order).
_SPECTRA = {
    'soil_brown': (60, 75, 100, 135, 155, 170, 185, 200, 215, 220, 220, 255, 265),
    'soil_pale': (105, 140, 195, 255, 275, 295, 315, 335, 350, 350, 350, 400, 385),
    'soil_red': (50, 65, 105, 195, 225, 240, 260, 280, 290, 300, 300, 340, 335),
    'soil_dark': (45, 52, 66, 82, 92, 105, 118, 130, 142, 145, 145, 180, 175),
    'straw': (60, 80, 130, 180, 210, 250, 280, 310, 330, 340, 340, 380, 280),
    'crop_green': (20, 30, 68, 36, 90, 330, 430, 445, 470, 460, 400, 220, 105),
    'grass': (24, 34, 76, 46, 108, 280, 350, 365, 390, 390, 350, 250, 132),
    'flower': (30, 42, 150, 155, 205, 360, 430, 445, 470, 460, 400, 220, 110),
    'broadleaf': (12, 19, 42, 23, 60, 240, 320, 335, 360, 355, 300, 150, 66),
    'conifer': (10, 15, 27, 18, 36, 135, 170, 180, 195, 190, 160, 85, 38),
    'scrub': (26, 38, 60, 66, 95, 155, 185, 205, 225, 225, 200, 215, 140),
    'rock': (100, 120, 145, 165, 175, 188, 200, 210, 216, 220, 220, 255, 240),
    'sand': (180, 230, 300, 355, 385, 405, 425, 445, 455, 460, 460, 500, 460),
    'asphalt': (72, 80, 90, 99, 104, 110, 116, 120, 126, 130, 130, 148, 148),
    'concrete': (150, 178, 208, 228, 240, 250, 260, 268, 275, 280, 280, 305, 290),
    'roof_red': (60, 68, 96, 180, 222, 242, 262, 280, 292, 300, 300, 330, 300),
    'roof_grey': (100, 110, 120, 130, 135, 140, 146, 152, 156, 160, 160, 185, 190),
    'roof_bright': (390, 440, 470, 490, 500, 512, 522, 532, 540, 540, 540, 505, 450),
    'roof_blue': (150, 190, 165, 130, 125, 130, 140, 150, 160, 165, 165, 200, 190),
    'water_deep': (22, 20, 14, 8, 5, 4, 4, 3, 3, 3, 2, 2, 1),
    'water_turbid': (50, 64, 88, 66, 52, 26, 24, 16, 11, 6, 2, 3, 2),
    'water_algae': (16, 22, 46, 26, 32, 20, 18, 10, 8, 5, 2, 2, 1),
    'cloud': (780, 790, 780, 790, 800, 800, 810, 810, 810, 800, 500, 560, 420),
}
ENDMEMBERS = tuple(_SPECTRA)
INDEX = {name: position for position, name in enumerate(ENDMEMBERS)}
_TABLE = np.array(list(_SPECTRA.values()), np.float32) / 1000

#: Camera colours read the Sentinel-2 band of the same colour.
ALIASES = {'R': 'B04', 'G': 'B03', 'B': 'B02'}


def spectra(bands: tuple[str, ...]) -> np.ndarray:
    """Return endmember reflectances ``(K, C)`` float32 for canonical band names."""
    order = SENTINEL2.band_names
    return _TABLE[:, [order.index(ALIASES.get(band, band)) for band in bands]]


# Day of year -> (green, straw, flower) cover in per cent; the rest is soil. Calendars wrap.
_CALENDARS = {
    Crop.WINTER_WHEAT: {1: (35, 0, 0), 90: (75, 0, 0), 140: (95, 0, 0), 175: (25, 65, 0),
                        205: (2, 85, 0), 225: (3, 35, 0), 280: (0, 5, 0), 330: (20, 0, 0)},
    Crop.WINTER_BARLEY: {1: (40, 0, 0), 85: (80, 0, 0), 130: (95, 0, 0), 158: (20, 75, 0),
                         185: (2, 85, 0), 210: (12, 30, 0), 270: (0, 5, 0), 320: (28, 0, 0)},
    Crop.RAPESEED: {1: (55, 0, 0), 85: (85, 0, 0), 105: (45, 0, 45), 130: (40, 0, 52),
                    150: (92, 0, 0), 180: (40, 45, 0), 200: (2, 80, 0), 230: (4, 25, 0),
                    265: (20, 0, 0), 320: (55, 0, 0)},
    Crop.SPRING_BARLEY: {1: (5, 8, 0), 75: (0, 0, 0), 110: (45, 0, 0), 150: (93, 0, 0),
                         190: (20, 70, 0), 215: (2, 80, 0), 240: (5, 25, 0), 300: (12, 5, 0)},
    Crop.CORN: {1: (0, 12, 0), 115: (0, 2, 0), 145: (12, 0, 0), 180: (72, 0, 0),
                215: (95, 0, 0), 250: (75, 18, 0), 275: (15, 60, 0), 295: (0, 30, 0)},
    Crop.SUNFLOWER: {1: (0, 5, 0), 110: (0, 0, 0), 150: (35, 0, 0), 185: (75, 0, 18),
                     205: (75, 5, 8), 235: (20, 45, 0), 265: (0, 35, 0), 300: (0, 8, 0)},
    Crop.BEET: {1: (0, 5, 0), 110: (0, 0, 0), 145: (25, 0, 0), 185: (92, 0, 0),
                270: (88, 0, 0), 300: (30, 5, 0), 320: (0, 8, 0)},
    Crop.POTATO: {1: (0, 4, 0), 115: (0, 0, 0), 150: (40, 0, 0), 180: (90, 0, 0),
                  220: (60, 15, 0), 250: (8, 15, 0), 280: (0, 4, 0)},
    Crop.SOYBEAN: {1: (0, 8, 0), 130: (0, 2, 0), 165: (35, 0, 0), 205: (94, 0, 0),
                   250: (55, 30, 0), 275: (2, 55, 0), 300: (0, 15, 0)},
    Crop.ALFALFA: {1: (45, 5, 0), 90: (80, 0, 0), 135: (95, 0, 0), 145: (45, 10, 0),
                   180: (92, 0, 0), 190: (45, 12, 0), 230: (88, 0, 0), 240: (50, 10, 0),
                   290: (75, 0, 0)},
    Crop.VINEYARD: {1: (10, 10, 0), 105: (14, 5, 0), 140: (38, 0, 0), 190: (58, 0, 0),
                    255: (52, 5, 0), 300: (18, 18, 0)},
    Crop.ORCHARD: {1: (18, 12, 0), 90: (25, 5, 0), 125: (58, 0, 0), 250: (58, 4, 0),
                   310: (26, 12, 0)},
    Crop.OLIVE: {1: (42, 4, 0), 120: (45, 6, 0), 200: (38, 16, 0), 300: (42, 6, 0)},
    Crop.MEADOW: {1: (62, 22, 0), 90: (80, 8, 0), 135: (98, 0, 0), 170: (78, 18, 0),
                  205: (68, 28, 0), 260: (82, 10, 0), 320: (70, 18, 0)},
}  # fmt: skip


def _daily_table() -> np.ndarray:
    table = np.zeros((len(Crop), 366, 3), np.float32)
    days = np.arange(366)
    for crop, calendar in _CALENDARS.items():
        knots = np.array(list(calendar))
        values = np.array(list(calendar.values()), np.float64) / 100
        for k in range(3):
            table[crop, :, k] = np.interp(days, knots, values[:, k], period=365)
    return table


_DAILY = _daily_table()


def growth(crop: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the green, straw and flower cover of crops on a day of the year.

    Args:
        crop: :class:`Crop` codes, ``(N,)``.
        day: Day of the year, ``(N,)``; may run past either end of the year.

    Returns:
        Three ``(N,)`` float32 arrays in [0, 1]; what is left of 1 is bare soil.
    """
    state = _DAILY[crop, np.mod(day, 365).astype(np.int64)]
    return state[:, 0], state[:, 1], state[:, 2]


def season(day: int, start: int, full: int, fade: int, end: int) -> float:
    """Return leaf cover in [0, 1]: up from ``start`` to ``full``, down from ``fade`` to ``end``.

    All arguments are days of the year.
    """
    rise = (day - start) / (full - start)
    fall = (end - day) / (end - fade)
    return float(min(max(min(rise, fall), 0.0), 1.0))
