"""deployctl.toml, `DEPLOYCTL_*` and flags, made into one `Settings`.

- `find`: which file, and its text
- `document`: that text as TOML, and where each key stands in it (`positions`)
- `environment`: what was said outside the file
- `schema`: what may stand in the file (pydantic, imported only when a file is read); `rules`: names as AWS takes them
- `check`: everything that is wrong, as `problems`
- `load`: puts these in order
- `settings`, `source`: what the other rooms see
"""
