"""Files in and out: data tables, draws, and the container that model files are made of."""
