"""HTTP itself: connections, the frame around each request, its body, what browsers may do."""
