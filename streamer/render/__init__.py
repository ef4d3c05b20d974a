"""Drawing on native pictures: the canvas and the annotators."""
