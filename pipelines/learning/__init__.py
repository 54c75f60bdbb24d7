"""The learning loop: what people corrected becomes a data set; a new model is judged beside the one in service; drift."""
