"""The text model: network, artifact and the engine that serves it."""
