"""One detector for many streams: the pool, and the policies that choose the next stream."""
