"""Labels: their texts, where they lie, and how they are drawn."""
