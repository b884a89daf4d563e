"""A page for who reviews a change: its facts as values, and how they look as HTML, as Markdown and as a picture.

Pure: nothing here opens a file or a database.
"""
