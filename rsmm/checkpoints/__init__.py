"""Reading, checking, converting and writing weights and training states."""
