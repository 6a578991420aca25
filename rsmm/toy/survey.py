"""What lies where: all layers of the world brought together at the samples of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsmm.toy.farmland import Farmland
from rsmm.toy.lots import NEVER
from rsmm.toy.materials import Cover, Zone
from rsmm.toy.noise import Grid, Points, derive_seed
from rsmm.toy.terrain import Terrain
from rsmm.toy.towns import Towns
from rsmm.toy.vectors import RoadNetwork, burn_roads, distance_to_line

# Building sites show this many months before a street opens.
_SITE_MONTHS = 6
# Country lanes are not worth drawing where a pixel is much wider than they are.
_LANE_GSD = 20.0


@dataclass(frozen=True)
class Survey:
    """All layers of one window on one day; every array is flat, ``(H*W,)``.

    Attributes:
        grid: The samples.
        cover: :class:`~rsmm.toy.materials.Cover` codes, uint8.
        zone: :class:`~rsmm.toy.materials.Zone` codes, uint8.
        crop: :class:`~rsmm.toy.materials.Crop` codes, uint8.
        parcel: Identity of the parcel, lot or road, uint64, 0 elsewhere.
        building: Identity of the standing building (as in the polygons), uint64, 0 elsewhere.
        kind: Kind of town district, position in :data:`rsmm.toy.lots.KINDS`.
        along, across: Coordinates along and across crop rows in metres.
        verge: Positive on the green verges of highways.
        height: Signed height proxy, negative in the sea.
        rough, arid: Relief and dryness in [0, 1].
        shade: Relative illumination by relief, around 1.
    """

    grid: Grid
    cover: np.ndarray
    zone: np.ndarray
    crop: np.ndarray
    parcel: np.ndarray
    building: np.ndarray
    kind: np.ndarray
    along: np.ndarray
    across: np.ndarray
    verge: np.ndarray
    height: np.ndarray
    rough: np.ndarray
    arid: np.ndarray
    shade: np.ndarray


class Surveyor:
    """Answers what lies where on which day."""

    def __init__(self, seed: int) -> None:
        self.terrain = Terrain(seed)
        self.farmland = Farmland(seed, self.terrain)
        self.highways = RoadNetwork(
            derive_seed(seed, 'highways'), 'highway', 9_500.0, 0.62, (26, 46), 49, 0.7
        )
        self.lanes = RoadNetwork(
            derive_seed(seed, 'lanes'), 'lane', 1_600.0, 0.55, (4.5, 8), 17, 0.5
        )
        self.towns = Towns(seed, self._blocked, self._settled)

    def survey(self, grid: Grid, month: int, day: int) -> Survey:
        """Survey a grid.

        Args:
            grid: Samples.
            month: Month from January 2000.
            day: Day of the year.
        """
        count = grid.height * grid.width
        rough, arid = self.terrain.rough(grid), self.terrain.arid(grid)
        waters = self.terrain.waters(grid)
        low_sun = min(abs(day - 172) / 150, 1.0)
        layers: dict[str, np.ndarray] = {
            'zone': np.zeros(count, np.uint8),
            'crop': np.zeros(count, np.uint8),
            'parcel': np.zeros(count, np.uint64),
            'building': np.zeros(count, np.uint64),
            'kind': np.zeros(count, np.uint8),
            'along': np.zeros(count),
            'across': np.zeros(count),
            'verge': np.zeros(count, np.float32),
        }
        cover = np.full(count, 255, np.uint8)
        cover[waters.river < 0] = Cover.RIVER
        cover[waters.lake > 0] = Cover.LAKE
        cover[waters.height < 0] = Cover.SEA
        self._draw_highways(grid, month, cover, layers)
        self._draw_towns(grid, month, cover, layers)
        self._draw_lanes(grid, cover, layers)
        self._draw_nature(grid, cover, waters, rough, arid)
        self._draw_fields(grid, month, day, cover, layers)
        shade = self.terrain.shade(grid, rough, low_sun)
        # People till and build on the gentler ground.
        tamed = ~np.isin(cover, (Cover.HEATH, Cover.BROADLEAF, Cover.CONIFER))
        shade[tamed] = 1 + np.float32(0.3) * (shade[tamed] - 1)
        return Survey(
            grid, cover, height=waters.height, rough=rough, arid=arid, shade=shade, **layers
        )

    def _draw_highways(self, grid, month, cover, layers) -> None:
        roads = [road for road in self.highways.roads(grid.bounds) if road.built <= month]
        if not roads:
            return
        offset, owner = (part.ravel() for part in burn_roads(grid, roads))
        index = np.flatnonzero(owner >= 0)
        cover[index] = Cover.HIGHWAY
        half = np.array([road.width / 2 for road in roads])[owner[index]]
        centre = offset[index] + half
        layers['parcel'][index] = np.array([road.id for road in roads], np.uint64)[owner[index]]
        # A green strip divides the carriageways, another one borders them.
        layers['verge'][index] = (centre < 0.1 * half) | (centre > 0.82 * half)

    def _draw_towns(self, grid, month, cover, layers) -> None:
        centres = self.towns.centres(grid.bounds)
        free = np.flatnonzero(cover == 255)
        if not len(centres) or not len(free):
            return
        points = grid.points(free)
        near = self.towns.reach(points, centres) < 1.4
        if not near.any():
            return
        index = free[near]
        town = self.towns.survey(grid.points(index), centres)
        standing = town.built <= month
        opened = (town.opened <= month) & (town.opened < NEVER)
        site = ~opened & (town.opened - _SITE_MONTHS <= month) & (town.opened < NEVER)
        ground = np.where(town.zone == Zone.INDUSTRIAL, Cover.YARD, Cover.GARDEN)
        ground = np.where(town.street, Cover.STREET, ground)
        ground = np.where(standing, Cover.BUILDING, ground)
        ground = np.select([opened, site], [ground, Cover.BARE], 255)
        town_land = ground != 255
        rows, index = np.flatnonzero(town_land), index[town_land]
        cover[index] = ground[rows]
        layers['zone'][index] = town.zone[rows]
        layers['kind'][index] = town.kind[rows]
        layers['parcel'][index] = town.lot[rows]
        layers['building'][index] = np.where(standing, town.lot >> np.uint64(1), 0)[rows]

    def _draw_lanes(self, grid, cover, layers) -> None:
        if grid.gsd > _LANE_GSD:
            return
        roads = self.lanes.roads(grid.bounds)
        if not roads:
            return
        owner = burn_roads(grid, roads)[1].ravel()
        index = np.flatnonzero((owner >= 0) & (cover == 255))
        cover[index] = Cover.LANE
        layers['parcel'][index] = np.array([road.id for road in roads], np.uint64)[owner[index]]

    def _draw_nature(self, grid, cover, waters, rough, arid) -> None:
        free = cover == 255
        cover[free & (waters.height < 0.0025)] = Cover.BARE
        free = cover == 255
        woods = self.terrain.woods(grid, rough)
        # Trees line the rivers; the woods field makes the strip wider here, broken there.
        bank = waters.river < 18 + 22 * np.clip(woods, -1, 1)
        forest = free & ((woods > 0) | bank)
        conifer = self.terrain.stand(grid) + rough > 0.4
        cover[forest] = np.where(conifer & ~bank, Cover.CONIFER, Cover.BROADLEAF)[forest]
        cover[free & ~forest & (self.terrain.wild(grid, rough, arid) > 0)] = Cover.HEATH

    def _draw_fields(self, grid, month, day, cover, layers) -> None:
        index = np.flatnonzero(cover == 255)
        if not len(index):
            return
        # Winter crops are sown in autumn and belong to the harvest of the next year.
        season = 2000 + month // 12 + (day >= 275)
        fields = self.farmland.survey(grid.points(index), season)
        cover[index] = fields.cover
        layers['crop'][index] = fields.crop
        layers['parcel'][index] = fields.parcel
        layers['along'][index] = fields.along
        layers['across'][index] = fields.across

    def _blocked(self, points: Points, clearance: np.ndarray) -> np.ndarray:
        waters = self.terrain.waters(points)
        blocked = (waters.height < 0.004) | (waters.lake > -0.06) | (waters.river < clearance)
        edge = clearance.max()
        bounds = (
            points.x.min() - edge,
            points.y.min() - edge,
            points.x.max() + edge,
            points.y.max() + edge,
        )
        for road in self.highways.roads(bounds):
            reach = road.width / 2 + clearance.max()
            away = distance_to_line(points.x, points.y, road.line, reach)
            blocked |= away < clearance + road.width / 2
        return blocked

    def _settled(self, points: Points) -> np.ndarray:
        waters = self.terrain.waters(points)
        return (waters.height > 0.01) & (self.terrain.rough(points) < 0.75)
