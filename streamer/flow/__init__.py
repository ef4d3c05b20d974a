"""How frames move between threads: queues, routes, the frame ledger, sink workers."""
