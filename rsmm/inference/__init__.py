"""A trained model over files and scenes: maps, boxes, features."""
