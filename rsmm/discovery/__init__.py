"""Change events from image series: pure functions on arrays ``(T, C, H, W)``."""

from rsmm.discovery.distances import (
    change_distances,
    noise_floor,
    otsu_threshold,
    persistent_change,
    sharpen_change,
    spread_change,
    temporary_change,
)
from rsmm.discovery.events import (
    Event,
    cut_events,
    event_kind,
    event_scores,
    label_means,
    square_box,
)
from rsmm.discovery.grouping import group_changes, group_changes_blockwise
from rsmm.discovery.normalise import match_series, normalise_series, series_gains, usable_frames
from rsmm.discovery.pixels import pixel_features

__all__ = [
    'Event',
    'change_distances',
    'cut_events',
    'event_kind',
    'event_scores',
    'group_changes',
    'group_changes_blockwise',
    'label_means',
    'match_series',
    'noise_floor',
    'normalise_series',
    'otsu_threshold',
    'persistent_change',
    'pixel_features',
    'series_gains',
    'sharpen_change',
    'spread_change',
    'square_box',
    'temporary_change',
    'usable_frames',
]
