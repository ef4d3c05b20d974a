"""Class names: the tables of models, the hierarchy of Open Images, and the selection of detections by class."""
