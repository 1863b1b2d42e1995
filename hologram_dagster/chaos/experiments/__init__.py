"""The experiments on the project's own stack, or on services that the user lets us disturb.

Each is small functions and a state: what is steady, what is done, what proves it, when it is over,
and what must hold of every operation meanwhile.
"""
