"""Events about a camera itself: it is lost, covered, or shows another view."""
