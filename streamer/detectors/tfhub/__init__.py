"""TensorFlow Hub modules: loading, running and reading what they return."""
