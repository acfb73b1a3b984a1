"""The neighbours' own conventions, each in a module that is imported by itself."""
