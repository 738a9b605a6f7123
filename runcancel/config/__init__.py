"""What the user configured and what follows from it: file, environment, references."""
