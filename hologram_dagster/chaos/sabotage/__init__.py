"""Experiments that are spoilt on purpose, on small real services: none of them may pass.

What belongs here: the services, the ways to spoil an experiment, and the table of what came of each.
"""
