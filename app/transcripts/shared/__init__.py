"""What several readers share, each module for one thing: fields, times, turns, or the formats of one vendor."""
