"""What verbs share: questions, files, selections, requests."""
