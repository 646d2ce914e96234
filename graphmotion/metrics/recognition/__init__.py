"""Recognition of probes against a gallery: protocols, rankings and scores."""
