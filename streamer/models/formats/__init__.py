"""Forms in which users have models, besides archives and folders of SavedModels."""
