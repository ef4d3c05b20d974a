"""Who may use the page: users, roles, sessions and tokens."""
