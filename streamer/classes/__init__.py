"""Names of classes: the tables that models bring, the tree of Open Images, and which classes a user wants."""
