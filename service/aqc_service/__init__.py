"""The job service around aqc: a queue that loses nothing, workers, an HTTP API and a page."""
