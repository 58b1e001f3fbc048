"""How events get to the server: one request, what its answer means, and the thread that keeps trying."""
