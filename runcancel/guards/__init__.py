"""What must be true, and who must have agreed, before anything is sent."""
