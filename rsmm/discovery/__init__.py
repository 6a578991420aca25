"""Change events from image series: pure functions on arrays ``(T, C, H, W)``."""

from rsmm.discovery.distances import (
    change_distances,
    otsu_threshold,
    persistent_change,
    temporary_change,
)
from rsmm.discovery.events import Event, cut_events, event_scores, square_box
from rsmm.discovery.grouping import group_changes, group_changes_blockwise
from rsmm.discovery.normalise import match_series, normalise_series

__all__ = [
    'Event',
    'change_distances',
    'cut_events',
    'event_scores',
    'group_changes',
    'group_changes_blockwise',
    'match_series',
    'normalise_series',
    'otsu_threshold',
    'persistent_change',
    'square_box',
    'temporary_change',
]
