"""Drawing on native planes: the canvas and the annotators."""
