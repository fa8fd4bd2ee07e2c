"""How a release does on public data of which training saw nothing: one module a family of sets.

Nothing of a set is in this repository: whoever measures gives the folder that holds them. Files are
found in it by the names that their publishers gave them, gzipped or not.
"""
