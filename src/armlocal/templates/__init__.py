"""ARM templates: what a deployment makes, in which order, with its expressions worked out."""
