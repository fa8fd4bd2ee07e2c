"""What a score is: conversations, labels, text, chunks, calibration, evidence. Standard library only."""
