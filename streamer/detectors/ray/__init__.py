"""A pool of detectors on a Ray cluster, shared by many hosts: `detector.name: ray://HEAD/NAME`.

The pool's dispatcher is an actor on the head. It takes frames over HTTP and gives them to its workers, which are actors
with one detector each. Hosts find it through Ray once, and send frames to it directly: Ray's client has no deadline for
sending a frame, cannot say whose frame is next, and keeps a process of 120 MB on the head for each host.
"""
