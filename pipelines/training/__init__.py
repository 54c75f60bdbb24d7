"""Data sets, training and evaluation of the text model."""
