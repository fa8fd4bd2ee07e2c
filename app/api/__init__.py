"""The HTTP door: convert in, delegate, convert out. No rule about a score lives here."""
