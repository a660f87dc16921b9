"""The invertible map from noise to data, its density and its exact gradient."""
