"""A site: several cameras in one program, with detectors that they share."""
