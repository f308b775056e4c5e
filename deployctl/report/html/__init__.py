"""The report as one HTML page that loads nothing: markup.py escapes, page.py puts the parts in order."""
