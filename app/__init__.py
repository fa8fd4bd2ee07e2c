"""softsell: mis-selling risk and empathy of sales conversations, in real time."""

__version__ = "0.3.0"
