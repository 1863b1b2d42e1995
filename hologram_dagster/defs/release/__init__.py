"""The verdict and what is made of it."""
