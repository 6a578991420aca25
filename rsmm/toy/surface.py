"""What a surveyed place is made of on a day: endmember abundances and brightness."""

from __future__ import annotations

import numpy as np

from rsmm.toy import lots
from rsmm.toy.materials import ENDMEMBERS, INDEX, Cover, Crop, growth, season
from rsmm.toy.noise import Noise, derive_seed, draw, smoothstep, wave
from rsmm.toy.survey import Survey

_GROUPS = {
    'water': (Cover.SEA, Cover.LAKE, Cover.RIVER),
    'trees': (Cover.BROADLEAF, Cover.CONIFER, Cover.HEDGE),
    'heath': (Cover.HEATH,),
    'crops': (Cover.ANNUAL, Cover.PERMANENT, Cover.PASTURE),
    'bare': (Cover.BARE,),
    'roads': (Cover.HIGHWAY, Cover.LANE, Cover.STREET),
    'roofs': (Cover.BUILDING,),
    'lots': (Cover.GARDEN, Cover.YARD),
}


class Surface:
    """Endmember mixture of one surveyed window.

    Args:
        seed: Seed of the world.
        survey: What lies where.
        day: Day of the year.
        epoch: Number that is the same for all windows of one date (weather, water colour).

    Attributes:
        abundance: Share of each endmember, ``(K, H*W)`` float32; sums to 1 over K.
        gain: Brightness around 1 from relief, ploughing, roof tilt, ``(H*W,)`` float32.
    """

    def __init__(self, seed: int, survey: Survey, day: int, epoch: int) -> None:
        self._seed = derive_seed(seed, 'surface')
        self._survey, self._grid, self._day, self._epoch = survey, survey.grid, day, epoch
        count = survey.cover.size
        self.abundance = np.zeros((len(ENDMEMBERS), count), np.float32)
        self.gain = survey.shade.copy()
        self._cache: dict[str, np.ndarray] = {}
        for name, covers in _GROUPS.items():
            index = np.flatnonzero(np.isin(survey.cover, covers))
            if len(index):
                getattr(self, f'_{name}')(index)

    def coarsen(self, factor: int) -> tuple[np.ndarray, np.ndarray]:
        """Return brightness-weighted abundances and covers averaged over blocks of samples.

        Returns:
            ``(K', H / factor, W / factor)`` float32 and the K' endmember positions in use.
        """
        used = np.flatnonzero(self.abundance.any(axis=1))
        grid = self._grid
        stack = (self.abundance[used] * self.gain).reshape(len(used), grid.height, grid.width)
        total = np.zeros((len(used), grid.height // factor, grid.width // factor), np.float32)
        for row in range(factor):
            for column in range(factor):
                total += stack[:, row::factor, column::factor]
        return total / np.float32(factor * factor), used

    def _noise(self, name: str, scale: float, octaves: int = 3, gain: float = 0.6) -> np.ndarray:
        if name not in self._cache:
            noise = Noise(derive_seed(self._seed, name), scale, octaves, gain)
            self._cache[name] = self._grid.sample(noise)
        return self._cache[name]

    def _add(self, name: str, index: np.ndarray, share) -> None:
        self.abundance[INDEX[name], index] += share

    def _soil(self, index: np.ndarray, share, tone: np.ndarray) -> None:
        """Spread bare soil: its colour drifts over the country and differs from field to field.

        ``tone`` in [0, 1] runs from dark and wet to pale and dry.
        """
        red = smoothstep(0.2, 1.5, self._noise('red', 26_000.0, 2)[index] + 0.8 * tone - 0.4)
        dry = self._noise('pale', 34_000.0, 2)[index] + 1.6 * self._survey.arid[index]
        pale = (1 - red) * smoothstep(0.1, 1.9, dry + 1.6 * tone - 0.8)
        dark = (1 - red - pale) * smoothstep(0.45, 0.0, tone)
        self._add('soil_red', index, share * red)
        self._add('soil_pale', index, share * pale)
        self._add('soil_dark', index, share * dark)
        self._add('soil_brown', index, share * (1 - red - pale - dark))

    def _water(self, index: np.ndarray) -> None:
        survey = self._survey
        cover = survey.cover[index]
        murk = Noise(derive_seed(self._seed, 'murk', self._epoch), 9_000.0, 4, 0.55)
        drift = self._grid.sample(murk)[index]
        shallow = smoothstep(0.05, 0.0, -survey.height[index]) * (cover == Cover.SEA)
        base = np.select([cover == Cover.SEA, cover == Cover.LAKE], [-0.9, -0.1], 0.6)
        turbid = smoothstep(-0.6, 2.2, drift + base + 1.2 * shallow)
        algae = (1 - turbid) * smoothstep(0.0, 1.6, self._noise('algae', 20_000.0, 2)[index])
        algae = np.where(cover == Cover.SEA, 0.25 * algae, algae)
        self._add('water_turbid', index, turbid)
        self._add('water_algae', index, algae)
        self._add('water_deep', index, 1 - turbid - algae)
        self.gain[index] = 1 + 0.06 * self._noise('ripple', 70.0, 3)[index]

    def _trees(self, index: np.ndarray) -> None:
        survey = self._survey
        canopy = self._noise('canopy', 42.0, 4, 0.8)[index]
        conifer = survey.cover[index] == Cover.CONIFER
        leaf = np.where(conifer, 1.0, 0.35 + 0.65 * season(self._day, 95, 140, 275, 320))
        gap = smoothstep(0.9, 2.6, self._noise('glade', 380.0, 4)[index])
        floor = np.where(conifer, 0.1, 0.08) + 0.5 * gap
        leaf = leaf * (1 - floor)
        mixed = smoothstep(-0.3, 0.3, self._noise('stand', 120.0)[index])
        needles = np.where(conifer, 0.75 + 0.25 * mixed, 0.12 * mixed)
        self._add('conifer', index, leaf * needles)
        self._add('broadleaf', index, leaf * (1 - needles))
        self._add('grass', index, (1 - leaf) * 0.45)
        self._add('scrub', index, (1 - leaf) * 0.55)
        self.gain[index] *= np.clip(1 + 0.2 * canopy, 0.35, 1.7)

    def _heath(self, index: np.ndarray) -> None:
        survey = self._survey
        patch = self._noise('patch', 320.0, 5, 0.75)[index]
        stone = self._noise('stone', 520.0, 6, 0.75)[index]
        arid, rough = survey.arid[index], survey.rough[index]
        rock = 0.85 * smoothstep(0.7, 2.0, stone + 0.7 * rough + 0.3 * arid)
        shrub = (1 - rock) * (0.25 + 0.6 * smoothstep(-0.3, 1.0, patch + 0.3 * rough))
        grass = 1 - rock - shrub
        green = (0.15 + 0.6 * season(self._day, 60, 120, 160, 250)) * (1 - 0.6 * arid)
        self._add('rock', index, rock)
        self._add('scrub', index, shrub * 0.75)
        self._add('broadleaf', index, shrub * 0.25)
        self._add('grass', index, grass * green)
        self._add('straw', index, grass * (1 - green) * 0.35)
        self._soil(index, grass * (1 - green) * 0.65, np.clip(0.4 + 0.2 * patch, 0, 1))
        self.gain[index] *= np.clip(1 + 0.15 * self._noise('canopy', 42.0, 4, 0.8)[index], 0.4, 1.6)

    def _crops(self, index: np.ndarray) -> None:
        survey = self._survey
        crop, parcel = survey.crop[index], survey.parcel[index]
        day = self._day + draw(parcel, 40, -14, 14) - 12 * survey.arid[index]
        green, straw, flower = growth(crop, day)
        permanent = (crop >= Crop.VINEYARD) & (crop <= Crop.OLIVE)
        rows = self._rows(index, crop, parcel)
        vigour = draw(parcel, 41, 0.72, 1.1) + 0.07 * self._noise('vigour', 90.0, 3)[index]
        vigour = vigour - 0.25 * survey.arid[index] * (crop == Crop.MEADOW)
        # Rows gather the leaves of permanent crops and leave soil or grass between them.
        rows = np.where(permanent, 1 + 0.9 * rows, 1 + 0.07 * rows)
        green = np.clip(green * vigour * rows, 0, 1)
        flower = np.clip(flower, 0, 1 - green)
        straw = np.clip(straw, 0, 1 - green - flower)
        grassy = permanent & (draw(parcel, 42) < 0.45)
        sward = np.where(grassy, 0.55, 0.0) * (1 - green - flower - straw)
        leaf = np.select([crop == Crop.MEADOW, permanent], [0, 1], 2)
        self._add('grass', index, green * (leaf == 0) + sward)
        self._add('broadleaf', index, green * (leaf == 1))
        self._add('crop_green', index, green * (leaf == 2))
        self._add('straw', index, straw)
        self._add('flower', index, flower)
        bare = 1 - green - straw - flower - sward
        tone = np.clip(draw(parcel, 43) + 0.12 * self._noise('damp', 260.0)[index], 0, 1)
        self._soil(index, bare, tone)
        self.gain[index] *= draw(parcel, 44, 0.85, 1.15)

    def _rows(self, index, crop, parcel) -> np.ndarray:
        """Return the row pattern of the parcels in [-1, 1]."""
        survey = self._survey
        period = draw(parcel, 45, 15, 27)
        across = wave(survey.across[index] / period)
        along = wave(survey.along[index] / period)
        dotted = (crop == Crop.ORCHARD) | (crop == Crop.OLIVE)
        return np.where(dotted, 0.5 * across + 0.5 * along, across)

    def _bare(self, index: np.ndarray) -> None:
        beach = self._survey.height[index] < 0.004
        self._add('sand', index, 0.75 * beach)
        self._soil(index, 1 - 0.75 * beach, np.full(len(index), 0.75, np.float32))

    def _roads(self, index: np.ndarray) -> None:
        survey = self._survey
        cover = survey.cover[index]
        verge = (cover == Cover.HIGHWAY) & (survey.verge[index] > 0)
        age = draw(survey.parcel[index], 46)
        worn = np.where(cover == Cover.LANE, 0.25 + 0.5 * age, 0.1 + 0.55 * age * age)
        track = (cover == Cover.LANE) * 0.4
        paved = np.where(verge, 0.15, 1 - track)
        self._add('asphalt', index, paved * (1 - worn))
        self._add('concrete', index, paved * worn)
        self._soil(index, np.where(verge, 0.25, track), age)
        self._add('grass', index, np.where(verge, 0.6, 0))
        self.gain[index] = 1 + 0.08 * self._noise('traffic', 25.0, 2)[index]

    def _roofs(self, index: np.ndarray) -> None:
        survey = self._survey
        lot, kind = survey.parcel[index], survey.kind[index]
        pick = (draw(lot, 47) * 4).astype(np.int64)
        roofs = np.array([[INDEX[name] for name in k.roofs] for k in lots.KINDS])
        # New concrete and old tiles: every town has its own mixture as well.
        self.abundance[roofs[kind, pick], index] += np.float32(1)
        works = kind >= lots.WORKS
        self.gain[index] = np.where(works, draw(lot, 48, 0.35, 1.1), draw(lot, 48, 0.6, 1.25))

    def _lots(self, index: np.ndarray) -> None:
        survey = self._survey
        lot, kind = survey.parcel[index], survey.kind[index]
        yard = survey.cover[index] == Cover.YARD
        leafy = np.array([0.2, 0.75, 0.65, 0.22, 0.5])[kind] * draw(lot, 49, 0.5, 1.3)
        leafy = np.clip(leafy + 0.12 * self._noise('canopy', 42.0, 4, 0.8)[index], 0, 1)
        crowns = smoothstep(-0.2, 1.2, self._noise('crowns', 30.0, 2, 0.8)[index])
        trees = leafy * crowns * np.where(yard, 0.5, 0.9)
        dry = (0.15 + 0.6 * survey.arid[index]) * (leafy - trees)
        self._add('broadleaf', index, trees)
        self._add('grass', index, leafy - trees - dry)
        self._add('straw', index, dry * 0.4)
        hard = np.where(yard, draw(lot, 50), 0.5)
        paved = 1 - leafy
        self._add('concrete', index, paved * 0.6 * hard)
        self._add('asphalt', index, paved * (0.85 - 0.6 * hard))
        self._soil(index, paved * 0.15 + dry * 0.6, draw(lot, 51))
        self.gain[index] = np.clip(1 + 0.12 * self._noise('traffic', 25.0, 2)[index], 0.6, 1.4)
