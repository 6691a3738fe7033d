"""Gates: what must hold before a model may rank people."""
